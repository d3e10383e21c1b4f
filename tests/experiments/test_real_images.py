# SPDX-License-Identifier: Apache-2.0
"""Images written under the names of a real table are what the builders read."""

import pytest

from experiments.real_images import write_image
from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.listing.item import Box, Item


@pytest.mark.parametrize("name", ["a/b.dicom", "a/b.png", "b.jpg"])
def test_a_file_holds_its_boxes(tmp_path, name):
    box = Box("Mass", 10.0, 20.0, 300.5, 200.0)
    write_image(tmp_path / name, 3, Item(1, "p", "s", "i", boxes=(box,)))
    data = image_files.read_bytes(str(tmp_path), name)
    assert image_files.decode(data).pixels.shape == (301, 301)
