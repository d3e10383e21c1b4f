# SPDX-License-Identifier: Apache-2.0
import jax
import numpy as np
import pytest
from flax import nnx

from medst_jax.data.batch import batch_spec, check_batch, example_keys, keys_of


def zeros(keys, rows=2):
    spec = batch_spec(keys, rows, size=8, length=5, labels=3)
    return {key: np.zeros(s.shape, s.dtype) for key, s in spec.items()}


def test_lateral_comes_only_on_request():
    assert "lateral" not in keys_of(("frontal",))
    assert {"lateral", "has_lateral", "frontal"} <= set(keys_of(("has_lateral",)))


@pytest.mark.parametrize(
    ("key", "message"), [("truth_masks", "evaluators"), ("frontals", "not in the input")]
)
def test_unknown_and_truth_keys_are_refused(key, message):
    with pytest.raises(ValueError, match=message):
        keys_of((key,))


def test_contract_is_checked():
    batch = zeros(keys_of(("lateral",)))
    check_batch(batch, ("frontal", "labels"))
    for bad, message in (
        ({**batch, "labels": batch["labels"].astype(np.int32)}, "labels.*int32.*float32"),
        ({**batch, "tokens": batch["tokens"][:1]}, r"tokens.*\(1, 5\).*B=2, L"),
        ({k: v for k, v in batch.items() if k != "text"}, "no 'text'"),
    ):
        with pytest.raises(ValueError, match=message):
            check_batch(bad, ("text",))


def test_example_keys_depend_on_the_position_alone():
    example = np.array([7, 3, 9], np.int32)
    keys = jax.random.key_data(example_keys(jax.random.key(0), example))
    again = jax.random.key_data(example_keys(jax.random.key(0), example[::-1].copy()))
    np.testing.assert_array_equal(keys, again[::-1])
    assert len(np.unique(keys, axis=0)) == 3
    assert example_keys(None, example) is None


def test_rngs_are_not_advanced():
    rngs, example = nnx.Rngs(0), np.arange(2, dtype=np.int32)
    first = jax.random.key_data(example_keys(rngs, example))
    np.testing.assert_array_equal(first, jax.random.key_data(example_keys(rngs, example)))
