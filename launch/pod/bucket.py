# SPDX-License-Identifier: Apache-2.0
"""Addresses of folders in buckets."""

import re

from medst_jax.commands.pod.slice import PodError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{0,220}[a-z0-9]|[a-z0-9]")
# A comma begins another mount option; the others end lines or are patterns of many names.
_REFUSED = re.compile(r"[,\x00-\x1f\x7f*?\[\]]")


def bucket_and_folder(address: str) -> tuple[str, str]:
    """Bucket and folder of `gs://BUCKET/FOLDER`; the folder may be empty.

    >>> bucket_and_folder("gs://mine/some/data/")
    ('mine', 'some/data')

    Raises:
      PodError: no such address, or a folder that a mount or a copy would read as something else.
    """
    bucket, _, folder = address.removeprefix("gs://").partition("/")
    if not address.startswith("gs://") or not _BUCKET.fullmatch(bucket):
        raise PodError(f"--data_from={address} is not a bucket; give gs://BUCKET/FOLDER")
    if refused := _REFUSED.search(folder):
        raise PodError(
            f"--data_from={address!r}: {refused[0]!r} in the folder's name would be read as more than a "
            "name; rename the folder"
        )
    return bucket, folder.strip("/")
