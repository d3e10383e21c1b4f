# SPDX-License-Identifier: Apache-2.0
"""Ray geometry, and the difference of a finding against a second rendering without it."""

import numpy as np
import pytest

from medst_jax.data_pipelines.simulated_cxr.findings.findings import RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, onset
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import see
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import draw_anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.detector import Scanner
from medst_jax.data_pipelines.simulated_cxr.thorax.positions import draw_view
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View, ellipsoid, length, rotation
from medst_jax.data_pipelines.simulated_cxr.thorax.render import Rendering, render

FRONTAL = View("PA", 64, 5.0, (0.0, 0.0), 0.0, 0.0, 1e9)
LATERAL = View("LATERAL", 64, 5.0, (0.0, 0.0), 0.0, 0.0, 1e9)


@pytest.mark.parametrize("view", [FRONTAL, LATERAL])
def test_path_lengths_of_an_ellipsoid_add_up_to_its_volume(view: View) -> None:
    axes = np.array([60.0, 40.0, 50.0])
    body, rows, columns = ellipsoid(view, (10.0, -5.0, 90.0), axes, rotation(0.5))
    volume = length(body).sum() * view.pixel**2
    assert rows.stop - rows.start > 10 and columns.stop - columns.start > 10
    assert volume == pytest.approx(4 / 3 * np.pi * axes.prod(), rel=0.02)


def test_ap_magnifies_what_is_in_front() -> None:
    ap = View("AP", 64, 5.0, (0.0, 0.0), 0.0, 0.0, 950.0)
    pa = View("PA", 64, 5.0, (0.0, 0.0), 0.0, 0.0, 1700.0)
    assert ap.magnification(40.0) > 1.03
    assert pa.magnification(40.0) < 1


def picture(name: str, view_name: str, state: dict[str, Finding], seed: int) -> Rendering:
    rng = stream(0, "test", seed)
    anatomy = draw_anatomy(rng)
    view, posture = draw_view(rng, view_name, 64)
    return render(rng, anatomy, state, view, posture, Scanner(dose=1e9))


@pytest.mark.parametrize("name", RENDERED)
def test_the_difference_is_where_the_images_differ(name: str) -> None:
    finding = onset(stream(0, "test", 1, name), name, severe=0.6)
    for view_name in ("PA", "LATERAL"):
        with_it = picture(name, view_name, {name: finding}, 5)
        without = picture(name, view_name, {}, 5)
        assert set(with_it.deltas) == {name} and not without.deltas
        sight = see(with_it.deltas[name], 5.0)
        x0, y0, x1, y1 = sight.box
        rows, columns = np.nonzero(sight.mask)
        if view_name == "PA":
            assert rows.size
        if not rows.size:
            continue
        assert x0 <= columns.min() and columns.max() < x1
        assert y0 <= rows.min() and rows.max() < y1
        # Tissue structure scales the sum by a few per cent, hence the tolerance.
        change = with_it.attenuation - without.attenuation
        np.testing.assert_allclose(change, with_it.deltas[name], rtol=0.08, atol=0.01)
        assert not np.array_equal(with_it.pixels, without.pixels)


def test_a_finding_is_on_its_side() -> None:
    effusion = Finding("Pleural Effusion", 0.0, 0.7, "", (), 1)
    delta = picture("", "PA", {"Pleural Effusion": effusion}, 2).deltas["Pleural Effusion"]
    # The patient's left is on the right of the image.
    assert delta[:, 36:].sum() > 20 * abs(delta[:, :28].sum())


def test_nothing_is_seen_without_a_difference() -> None:
    sight = see(np.zeros((32, 32), np.float32), 5.0)
    assert sight.visibility == 0 and np.isnan(sight.box).all() and not sight.mask.any()
