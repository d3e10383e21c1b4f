# SPDX-License-Identifier: Apache-2.0
"""Fixed batches, a mesh, and clear errors."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from medst_jax.evaluate.subjects.embedder import Embedder
from tests.evaluate.fakes import LENGTH, SIZE, FakeSystem, FakeTokenizer, ImageOnlySystem, pointing


def _embedder(batch_size: int = 4) -> Embedder:
    return Embedder(FakeSystem(), FakeTokenizer(), SIZE, LENGTH, batch_size)


@pytest.mark.parametrize("count", [0, 1, 4, 9])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_any_number_of_images_in_any_batch(count: int, batch_size: int) -> None:
    directions = np.random.default_rng(0).integers(1, 200, (count, 3))
    found = _embedder(batch_size).images(pointing(directions))
    np.testing.assert_array_equal(found.features, directions)
    assert found.global_.shape == (count, 3) and found.logits.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(found.global_, axis=1), 1, atol=1e-6)


def test_same_numbers_on_a_mesh() -> None:
    images = pointing(np.random.default_rng(1).integers(1, 200, (5, 3)))
    alone = _embedder().images(images)
    mesh = jax.make_mesh((1, 1, 1), ("data", "fsdp", "tensor"), axis_types=(AxisType.Auto,) * 3)
    with jax.set_mesh(mesh):
        meshed = _embedder().images(images)
    np.testing.assert_allclose(meshed.logits, alone.logits, atol=1e-6)


def test_wrong_images_are_named() -> None:
    with pytest.raises(ValueError, match=r"S = 8"):
        _embedder().images(np.zeros((2, 4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match="float32"):
        _embedder().images(np.zeros((2, SIZE, SIZE, 1), np.float32))


def test_no_text_encoder() -> None:
    embedder = Embedder(ImageOnlySystem(), FakeTokenizer(), SIZE, LENGTH)
    assert not embedder.has_text
    with pytest.raises(ValueError, match="no text encoder"):
        embedder.texts(["east"])


def test_texts_are_read_as_words_alone_where_training_read_them_so() -> None:
    plain, cleaned = (
        Embedder(FakeSystem(), FakeTokenizer(), SIZE, LENGTH, cleaned=c) for c in (False, True)
    )
    marked, words = ["1. East, 2.5 North."], ["east north"]
    assert not plain.tokens(marked)[1].any()  # the marks make them other words
    for found, expected in zip(cleaned.tokens(marked), plain.tokens(words), strict=True):
        np.testing.assert_array_equal(found, expected)
