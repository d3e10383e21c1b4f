# SPDX-License-Identifier: Apache-2.0
"""The lines of the model card load what was exported, of every system."""

import dataclasses
import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.export.checkpoint import export_checkpoint
from medst_jax.export.errors import ExportError
from medst_jax.export.usage import in_torch, weights_usage
from medst_jax.models import ResNet, ResNetOptions
from medst_jax.train.checkpoint import LoadedSystem
from tests.models import compiled
from tests.systems.make_batch import OPTIONS, OWN, TEXT

NAMELESS = ("edema_vae",)  # no library has a net of its kind


def exported(name, folder, form="safetensors"):
    fields = {field.name for field in dataclasses.fields(systems.system_class(name).Options)}
    given = {**OPTIONS, **TEXT, **OWN.get(name, {})}
    options = {key: value for key, value in given.items() if key in fields}
    data = dict(size=32, text_length=12, data_dir="no", mixture={"m": {}})
    stamp = dict(global_batch=4, fingerprints={"m": "a"}, intensity={}, excluded_patients=0)
    system = compiled.build(lambda: systems.build(name, **options), 0)
    run = LoadedSystem(system, None, {"seed": 0, "data": data}, stamp, 1, name)
    export_checkpoint(run, form, folder)
    return system, (folder / "README.md").read_text()


def blocks(card):
    return re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", systems.available())
def test_the_first_lines_of_the_card_load_the_export(name, tmp_path, monkeypatch):
    if name in NAMELESS:
        with pytest.raises(ExportError, match="--format=stablehlo exports its programs"):
            exported(name, tmp_path / "card")
        _, card = exported(name, tmp_path / "card", "stablehlo")
        monkeypatch.syspath_prepend(str(tmp_path / "card"))
        monkeypatch.chdir(tmp_path / "card")
        images = {"images": np.zeros((2, 32, 32, 1), np.uint8)}
        exec(*blocks(card), images)  # noqa: S102
        assert images["embedding"].shape[0] == 2
        return
    system, card = exported(name, tmp_path / "card")
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    cv2.imwrite("a.png", pixels)
    first, *torch = blocks(card)
    made: dict = {}
    exec(first, made)  # noqa: S102 (this is what is tested)
    if system.has_image:
        assert made["features"].shape[0] == 1 and np.isfinite(made["features"]).all()
    if getattr(system, "text_encoder", None) is not None:
        assert type(made["text_encoder"]) is type(system.text_encoder)
    encoders = [getattr(system, f"{kind}_encoder", None) for kind in ("image", "text")]
    shown = [one for one in encoders if one is not None]
    assert ("--format=stablehlo" in card) == (not all(map(in_torch, shown)))
    assert bool(torch) == any(map(in_torch, shown))
    for lines in torch:
        compile(lines, "card", "exec")


def test_torchvision_is_named_for_its_own_net_alone():
    def shown(**changes):
        encoder = nnx.eval_shape(lambda: ResNet(ResNetOptions(**changes), rngs=nnx.Rngs(0)))
        return weights_usage(SimpleNamespace(has_image=True, image_encoder=encoder), "card")

    assert "torchvision.models.resnet50()" in shown(remat="full", norm="frozen")
    for changes in (dict(channels=1), dict(stem_width=32), dict(dilate_last=True), dict(resize=64)):
        card = shown(**changes)
        assert "resnet50()" not in card and "--format=stablehlo" in card
