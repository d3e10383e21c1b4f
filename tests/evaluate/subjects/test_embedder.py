# SPDX-License-Identifier: Apache-2.0
"""Fixed batches, a mesh, and clear errors."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.subjects import embedder as module
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


def _with_room_for(rows: int, monkeypatch: pytest.MonkeyPatch, cause: str) -> list[int]:
    """A device without memory for more rows; gives the sizes of the calls."""
    whole, calls = module._embed_images, []

    def embed(graph, state, images):
        calls.append(len(images))
        if len(images) > rows:
            raise jax.errors.JaxRuntimeError(f"{cause}: while running replica 0")
        return whole(graph, state, images)

    monkeypatch.setattr(module, "_embed_images", embed)
    return calls


def test_half_the_batch_is_taken_where_memory_is_short(monkeypatch, caplog) -> None:
    calls = _with_room_for(3, monkeypatch, "RESOURCE_EXHAUSTED")
    directions = np.random.default_rng(2).integers(1, 200, (7, 3))
    embedder = _embedder(8)
    with caplog.at_level("WARNING"):
        found = embedder.images(pointing(directions))
    np.testing.assert_array_equal(found.features, directions)
    assert calls == [8, 4, 2, 2, 2, 2]
    assert "out of memory at 8 rows per call; going on with 4" in caplog.text
    assert "out of memory at 4 rows per call; going on with 2 (--batch_size=2" in caplog.text
    # It is not tried again.
    np.testing.assert_array_equal(
        embedder.images(pointing(directions[:1])).features, directions[:1]
    )
    assert calls[6:] == [2]


@pytest.mark.parametrize(("rows", "cause"), [(0, "RESOURCE_EXHAUSTED"), (3, "INTERNAL")])
def test_what_no_smaller_batch_mends_is_raised(rows, cause, monkeypatch) -> None:
    calls = _with_room_for(rows, monkeypatch, cause)
    with pytest.raises(jax.errors.JaxRuntimeError, match=cause):
        _embedder(4).images(pointing(np.ones((5, 3))))
    assert calls == ([4, 2, 1] if cause == "RESOURCE_EXHAUSTED" else [4])


def test_wrong_images_are_named() -> None:
    with pytest.raises(ValueError, match=r"S = 8"):
        _embedder().images(np.zeros((2, 4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match="float32"):
        _embedder().images(np.zeros((2, SIZE, SIZE, 1), np.float32))


class Cropped(FakeSystem):
    preprocess = Preprocess(size=6, crop_from=8, channels=1)


def test_a_crop_is_a_window_of_the_images_and_boxes_end_at_it() -> None:
    embedder = Embedder(Cropped(), FakeTokenizer(), 16, LENGTH)
    assert embedder.window == (2, 14) and _embedder().window == (0, SIZE)
    boxes = embedder.box([[0, 0, 20, 40], [12, 4, 28, 8]], 40, 20)
    # 40 x 20 padded to 16 x 16: a column of 8 pixels from the fourth on.
    np.testing.assert_allclose(boxes, [[4, 2, 12, 14], [8.8, 2, 14, 3.2]], atol=1e-5)


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
