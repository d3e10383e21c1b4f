# SPDX-License-Identifier: Apache-2.0
"""The ideal reader of progression, the errors of severities, and a tiny run from end to end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments import progression_limit as limit
from experiments.progression_readers import PairNet, image_pairs, single_images
from experiments.small_net import Net
from medst_jax.data_pipelines.simulated_cxr.findings.progression import SMALL


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Severities [n, 2] and changes [n] as the split draws them."""
    rng = np.random.default_rng(1)
    change = rng.integers(-1, 2, count)
    middle = rng.uniform(*SMALL.middle, count)
    half = limit.CHANGE / 2 * change
    return np.stack([middle - half, middle + half], 1), change


def test_ideal_reader_sees_all_without_noise_and_guesses_under_much() -> None:
    severity, change = drawn(20_000)
    assert limit.ideal_hits(severity, change, 1e-6, 1).mean() == 1.0
    assert limit.ideal_hits(severity, change, 50.0, 5).mean() == pytest.approx(1 / 3, abs=0.02)
    assert limit.ideal_accuracy(1e-6) == pytest.approx(1.0)
    assert limit.ideal_accuracy(1e6) == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize("noise", limit.NOISES)
def test_ideal_reader_follows_the_closed_form(noise: float) -> None:
    severity, change = drawn(20_000)
    hits = limit.ideal_hits(severity, change, noise, 10)
    macro = np.mean([hits[change == c].mean() for c in (-1, 0, 1)])
    assert macro == pytest.approx(limit.ideal_accuracy(noise), abs=0.005)
    assert limit.equal_noise(limit.ideal_accuracy(noise)) == pytest.approx(noise)


def test_noise_of_a_reader_who_shrinks_severities_and_errs_alike_in_both_images() -> None:
    severity, _ = drawn(20_000)
    rng = np.random.default_rng(2)
    alike = 0.1 * rng.normal(size=(len(severity), 1))
    found = 0.5 * (severity + 0.08 * rng.normal(size=severity.shape) + alike)
    figures = limit.errors(found, severity)
    assert figures["slope"] == pytest.approx(0.5, abs=0.01)
    assert figures["noise"] == pytest.approx(0.08, abs=0.003)
    assert limit.equal_noise(0.3) == float("inf")


def test_training_pairs_have_the_frontal_images_and_changes_of_the_judged_split() -> None:
    judged = image_pairs(0, 6, seed=0, size=32, judged=True)
    quick = image_pairs(0, 6, seed=0, size=32, judged=False)
    for name in ("image", "severity", "seen"):
        np.testing.assert_array_equal(quick[name], judged[name])
    seen = quick["change"] != limit.UNKNOWN
    np.testing.assert_array_equal(quick["change"][seen], judged["change"][seen])
    difference = np.diff(judged["severity"], axis=1)[:, 0][seen]
    np.testing.assert_allclose(difference, limit.CHANGE * judged["change"][seen], atol=1e-6)
    single = single_images(0, 2, seed=0, size=32)
    assert single["image"].shape[1:] == (32, 32) and single["severity"].shape[1:] == (4,)


def test_pair_net_starts_as_a_reader_of_severities() -> None:
    net = PairNet(Net(4, nnx.Rngs(0)), nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (2, 2, 32, 32, 1))
    read = nnx.jit(lambda net, images: net(images, train=False))
    logits, severities = read(net, images)
    change = severities[:, 1] - severities[:, 0]
    np.testing.assert_allclose(logits[..., 2] - logits[..., 0], 20 * change, rtol=1e-3, atol=1e-4)
    turned, _ = read(net, images[:, ::-1])
    np.testing.assert_allclose(turned, jnp.flip(logits, -1), rtol=1e-3, atol=1e-4)


def test_a_tiny_run() -> None:
    tiny = limit.Limit(
        patients=6, pairs=8, test_patients=60, size=32, steps=2, pair_steps=2, batch=4, folds=2
    )
    result = limit.measure(tiny)
    accuracy = result["accuracy"]
    readers = {"severities: features/pair", "pair net: itself/gain", "ideal, svm: 0.05/pair"}
    assert readers <= set(accuracy)
    assert all(row["low"] <= row["value"] <= row["high"] for row in accuracy.values())
    assert accuracy["ideal: 0.02/pair"]["value"] == pytest.approx(0.75, abs=0.1)
    assert set(result["errors"]) == {"severities", "pair net"}
    assert "pair net: itself/pair" in limit.table(result)
