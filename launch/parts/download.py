# SPDX-License-Identifier: Apache-2.0
"""A file of an address into a folder: whole, checked, or not at all."""

import hashlib
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request

from etils import epath

_CHUNK, _SECONDS = 1 << 20, 60.0


class DownloadError(Exception):
    """An address that gives no file; says which and why."""


class NotThereError(DownloadError):
    """The server answers and has no such file."""


def download(address: str, target: epath.Path, digest: str = "") -> str:
    """Fetch a file.

    Args:
      address: http, https or file.
      target: the file to write; it appears when it is whole.
      digest: first hexadecimal digits of its SHA-256, "" where none is known.

    Returns:
      the SHA-256 of what was fetched.

    Raises:
      DownloadError: no answer, no such file, or another digest.
    """
    request = urllib.request.Request(address, headers={"User-Agent": "medst_jax"})
    digester = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder) / "part"
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer, part.open("wb") as to:
                size = answer.headers.get("Content-Length")
                while chunk := answer.read(_CHUNK):
                    digester.update(chunk)
                    to.write(chunk)
        except urllib.error.HTTPError as error:
            kind = NotThereError if error.code in (401, 403, 404) else DownloadError
            raise kind(f"{address} answers {error.code} {error.reason}") from None
        except (urllib.error.URLError, OSError) as error:
            raise DownloadError(f"{address} cannot be read ({_reason(error)})") from None
        if size is not None and part.stat().st_size != int(size):
            raise DownloadError(f"{address} broke off at {part.stat().st_size} of {size} bytes")
        if not digester.hexdigest().startswith(digest):
            raise DownloadError(
                f"{address} has the digest {digester.hexdigest()[:16]}..., not {digest}...; the file "
                "is not what was published"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.part")
        with part.open("rb") as source, beside.open("wb") as to:
            shutil.copyfileobj(source, to, _CHUNK)
        beside.replace(target)
    return digester.hexdigest()


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", error))
