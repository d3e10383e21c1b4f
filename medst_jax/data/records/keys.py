# SPDX-License-Identifier: Apache-2.0
"""Keys of patients, studies and images: equal ids of one collection match, nobody reads them back.

A key is the first 64 bits of HMAC-SHA256 under a secret of 256 random bits. Hospital numbers are
few, so that a plain hash, salted or not, is undone by trying them all; without the secret that
tells nothing. The secret stays in the folder of prepared data, `private/secret`, readable by its
owner alone, or in a file that several folders share. Keys of two secrets never match: whatever
holds keys carries the name of its secret, and comparing across secrets is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from etils import epath

# Never exported, staged or shown: the secret, and the map from a data set's numbers to ids.
PRIVATE = "private"
_BYTES = 32


class SecretError(ValueError):
    """A secret that is missing, unusable or another one than the data's."""


@dataclass(frozen=True)
class Secret:
    """key: 32 bytes, never printed. id: names the secret without telling it."""

    key: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hexadecimal digits that lists, indices and banks carry."""
        return hashlib.sha256(b"medst_jax secret" + self.key).hexdigest()[:16]

    def key_of(self, namespace: str, *parts: str) -> int:
        """The 64-bit key of an id, or of the parts of one, within a collection."""
        digest = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in (namespace, *parts):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return int.from_bytes(digest.digest()[:8], "big")


def secret_file(data_dir: epath.PathLike) -> Path:
    """Where a folder of prepared data keeps its secret."""
    return Path(os.fspath(data_dir)) / PRIVATE / "secret"


def read_secret(path: epath.PathLike) -> Secret:
    """The secret in a file.

    Raises:
      SecretError: it is missing or holds something else.
    """
    try:
        text = Path(os.fspath(path)).read_text("ascii").strip()
    except FileNotFoundError as error:
        raise SecretError(f"the secret {path} is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"the secret {path} cannot be read") from error
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise SecretError(
            f"{path} holds no secret of {2 * _BYTES} hexadecimal digits; make one with "
            "python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return Secret(key)


def folder_secret(data_dir: epath.PathLike, shared: epath.PathLike | None = None) -> Path:
    """The file of the secret for a folder; a new secret where there is none.

    Args:
      data_dir: folder of prepared data.
      shared: a file whose secret several folders share, so that their lists can be compared.

    Raises:
      SecretError: the folder has another secret than `shared`, or either cannot be read.
    """
    own = secret_file(data_dir)
    if shared is not None:
        wanted = read_secret(shared)
        if own.exists() and read_secret(own).id != wanted.id:
            raise SecretError(
                f"{own} is another secret than {shared}: prepare into another folder, or move "
                f"{own} away and prepare all data sets of this folder again"
            )
        return Path(os.fspath(shared))
    if not own.exists():
        write_private(own, secrets.token_hex(_BYTES) + "\n", replace=False)
    read_secret(own)
    return own


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file that its owner alone may read, whole or not at all.

    Args:
      path: the file; its folder is made, for the owner alone.
      text: its content.
      replace: false keeps a file that is there, also one that another process writes meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    if replace:
        os.replace(temporary, path)
        return
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
