# SPDX-License-Identifier: Apache-2.0
"""Splits by a benchmark's own lists: train.txt, val.txt and test.txt, one image a line.

Images are named by their file, with or without folder and suffix. An image of no list is left out, and
counted on the card; a name that the data set lacks is a reject. A patient of several lists stays with
the last of train, val, test, as everywhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping

from etils import epath

from medst_jax.data_pipelines.listing.csv_table import TableError, read_lines
from medst_jax.data_pipelines.listing.item import Listing
from medst_jax.data_pipelines.listing.one_split import keep_last_split
from medst_jax.data_pipelines.listing.splits import SPLITS
from medst_jax.data_pipelines.raw import Reject

_SUFFIX = re.compile(r"\.(png|jpe?g|dcm|dicom)$", re.IGNORECASE)


def by_lists(listing: Listing, folder: epath.PathLike) -> Listing:
    """The images of the lists in `folder`, each in the split that names it.

    Raises:
      TableError: no train.txt or test.txt, an image in two lists, or no image of the listing in any.
    """
    places = read_lists(folder)
    named = [(image_key(item.image_id), item) for item in listing.items]
    items = [
        dataclasses.replace(item, split=places[key][0]) for key, item in named if key in places
    ]
    if not items:
        raise TableError(f"the lists in {folder} name no image of this data set")
    known = {key for key, _ in named}
    absent = [
        Reject(line, f"{split}.txt: image is not in the tables")
        for key, (split, line) in places.items()
        if key not in known
    ]
    items, torn = keep_last_split(items, SPLITS)
    counts = Counter(item.split for item in items)
    card = {
        **listing.card,
        "split_lists": {split: counts[split] for split in SPLITS if split in counts},
        "images_of_no_list": len(named) - sum(key in places for key, _ in named),
    }
    return dataclasses.replace(
        listing, items=items, rejects=[*listing.rejects, *absent, *torn], card=card
    )


def read_lists(folder: epath.PathLike) -> Mapping[str, tuple[str, int]]:
    """(split, line of its file) of every image that a list names."""
    places: dict[str, tuple[str, int]] = {}
    for split in SPLITS:
        path = epath.Path(folder) / f"{split}.txt"
        if not path.exists():
            if split == "val":
                continue
            raise TableError(
                f"{path} does not exist: --split_lists must be a folder with train.txt, test.txt and, "
                "where there is one, val.txt"
            )
        for line, name in enumerate(read_lines(path), 1):
            key = image_key(name)
            if not key:
                continue
            if key in places:
                raise TableError(
                    f"{path}, line {line}: the image is in {places[key][0]}.txt already"
                )
            places[key] = split, line
    return places


def image_key(name: str) -> str:
    """The name of an image without folder and suffix.

    >>> image_key("images/00000001_000.png"), image_key("0_train_1_")
    ('00000001_000', '0_train_1_')
    """
    return _SUFFIX.sub("", name.replace("\\", "/").rpartition("/")[2])
