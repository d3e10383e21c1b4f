# SPDX-License-Identifier: Apache-2.0
"""Recomputation, slices and attention by hardware; they may change while a run goes on."""

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from medst_jax.models import ViT, ViTOptions
from medst_jax.options import OptionError, options_of, parse
from medst_jax.parallel.rules import get_rules, use_rules
from medst_jax.systems.registry import register
from medst_jax.systems.system import System
from medst_jax.train import run as training
from medst_jax.train.execution import Hardware, Stack, choose, with_execution
from medst_jax.train.scalars import read_log
from medst_jax.train.workdir import WorkdirError
from tests.configs.expanded import paper_size
from tests.train import toy

GIB = 2**30
H100, V5E = Hardware("gpu", int(59.3 * GIB)), Hardware("tpu", int(15.75 * GIB))
IMAGE = Stack(128, 197, 768, 3072, 12, 12, "bfloat16")


def siglip(
    batch: int, shards: int, hardware: Hardware, execution: str = "auto", **image: Any
) -> dict[str, dict[str, Any]]:
    """What the towers of `siglip_b16` run by."""
    config = paper_size("siglip_b16")
    config["train"]["batch_size"], config["execution"] = batch, execution
    config["system"]["image"] |= image
    options = dict(config["system"])
    system = {"name": options.pop("name"), "options": options}
    filled, ran = with_execution(config, system, shards, lambda: hardware)
    for part, keys in ran.items():
        assert keys.items() <= filled["options"][part].items()
    return ran


def run_by(remat: str, slices: int, attention: str) -> dict[str, Any]:
    return {"remat": remat, "slices": slices, "attention": attention}


def test_a_cpu_recomputes_nothing():
    assert choose(Hardware("cpu"), {"image": IMAGE}) == {"image": run_by("none", 1, "einsum")}


@pytest.mark.parametrize(
    ("batch", "hardware", "image", "text"),
    [
        (8 * 128, H100, ("none", 1, "auto"), ("none", 1, "auto")),
        # 59.9 GiB by the compiler, of 59.3 that a program may use.
        (8 * 256, H100, ("full", 1, "auto"), ("full", 1, "auto")),
        (8 * 128, V5E, ("full", 8, "auto"), ("full", 4, "auto")),
        (8 * 4, V5E, ("none", 1, "auto"), ("none", 1, "auto")),
        (8 * 128, Hardware("gpu"), ("full", 1, "auto"), ("full", 1, "auto")),
        (8 * 128, Hardware("cuda", H100.memory), ("none", 1, "auto"), ("none", 1, "auto")),
    ],
)
def test_siglip_on_eight_devices(batch, hardware, image, text):
    assert siglip(batch, 8, hardware) == {"image": run_by(*image), "text": run_by(*text)}


def test_slices_divide_the_rows():
    for rows in (1, 2, 12, 60, 96, 127):
        stack = dataclasses.replace(IMAGE, rows=rows)
        slices = choose(Hardware("tpu"), {"image": stack})["image"]["slices"]
        assert rows % slices == 0


def test_estimate_of_kept_values_is_near_the_compilers():
    """59.9 GiB for both towers, state and batch of `siglip_b16` at 256 examples on an H100."""
    towers = (dataclasses.replace(IMAGE, rows=256, tokens=t) for t in (196, 64))
    assert 0.85 < sum(stack.kept_bytes for stack in towers) / (59.9 * GIB) < 1.0


def test_scores_count_where_attention_is_not_fused():
    """35.6 GiB are the share of an H100: 176 examples keep 32.8 without scores, more with them."""
    scores = 6 * 12 * 197**2 - 4 * 12 * 197
    fused = dataclasses.replace(IMAGE, fused=True)
    assert IMAGE.kept_bytes - fused.kept_bytes == 128 * 12 * scores
    assert siglip(8 * 176, 8, H100)["image"]["remat"] == "none"
    assert siglip(8 * 176, 8, H100, attention="einsum")["image"]["remat"] == "full"
    # The fused kernel does not compute dropout of the weights.
    assert siglip(8 * 176, 8, H100, dropout=0.1)["image"]["remat"] == "full"


def test_what_the_configuration_says_counts():
    given = siglip(1024, 8, V5E, remat="dots", slices=2)
    assert given["image"] == run_by("dots", 2, "auto")
    assert given["text"] == run_by("full", 4, "auto")
    defaults = siglip(1024, 8, V5E, execution="explicit")
    assert defaults["image"] == defaults["text"] == run_by("none", 1, "auto")


def test_another_hardware_may_be_asked_for():
    assert siglip(1024, 8, Hardware("cpu"), "tpu")["image"] == run_by("full", 8, "auto")
    assert siglip(1024, 8, H100, "cpu")["image"] == run_by("none", 1, "einsum")
    assert siglip(1024, 8, H100, "gpu")["image"] == run_by("none", 1, "auto")
    with pytest.raises(OptionError, match="'cuda'; it must be one of auto, cpu, gpu"):
        siglip(1024, 8, H100, "cuda")


def test_every_stack_of_a_system_is_told():
    config = paper_size("mrm")
    options = dict(config["system"])
    system = {"name": options.pop("name"), "options": options}
    _, ran = with_execution(config, system, 1, lambda: V5E)
    assert set(ran) == {"image", "text", "decoder"}
    assert {each["remat"] for each in ran.values()} == {"full"}


def test_resnets_are_left_alone():
    config = paper_size("dlilp")
    options = dict(config["system"])
    system = {"name": options.pop("name"), "options": options}
    filled, ran = with_execution(config, system, 1, lambda: H100)
    assert set(ran) == {"text"}
    assert filled["options"]["image"] == options["image"]


def small_vit(values: Any) -> ViTOptions:
    return ViTOptions.small(patch=2, width=16, depth=2, heads=2, image_size=4, channels=1)


@register("toy_vit")
class ToyViT(System):
    """Regresses the mean of the pixels by a ViT with dropout."""

    required_keys = ("frontal", "example")

    @dataclasses.dataclass(frozen=True)
    class Options:
        image: dict[str, Any] = dataclasses.field(metadata=options_of(small_vit))

    def __init__(self, options: Any):
        given = {**dataclasses.asdict(small_vit({})), "dropout": 0.1, **options.image}
        self.encoder = ViT(parse(ViTOptions, given, "image"), rngs=toy.nnx.Rngs(0))

    def encode(self, batch: Any, *, rngs: Any) -> jax.Array:
        keys = jax.vmap(lambda n: jax.random.fold_in(rngs, n))(batch["example"])
        images = batch["frontal"].astype(jnp.float32) / 255.0
        return self.encoder(images, keys=keys, train=True).pooled

    def objective(self, encoded: jax.Array, batch: Any) -> tuple[jax.Array, Any]:
        target = batch["frontal"].reshape(-1, 16).astype(jnp.float32).mean(1) / 255.0
        return jnp.mean((encoded.mean(1) - target) ** 2), {}


def train(workdir, steps: int, execution: str | None = "auto", **image: Any) -> None:
    """As launch/train.py does it; None stands for a configuration from before that key."""
    config = toy.config(
        train__steps=steps,
        train__log_every=1,
        optimizer__name="sgd",
        optimizer__horizon_steps=20,
        system={"name": "toy_vit", "image": image},
    )
    config["data"] = {"mixture": {"m": {}}}
    if execution is not None:
        config["execution"] = execution
    config = training.resumed_config(workdir, config)
    system = {"name": "toy_vit", "options": {"image": config["system"]["image"]}}
    training.run(workdir, config, system, toy.source(8))


def losses(workdir) -> list[float]:
    return [line["loss"] for line in read_log(workdir) if "loss" in line]


def recorded(workdir, file: str) -> dict[str, Any]:
    return json.loads((workdir / file).read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    train(workdir, 10)
    return workdir


def test_a_run_goes_on_with_another_execution(whole, tmp_path):
    """State restored bit for bit; the next loss agrees to 1e-6, so examples and draws are the same."""
    train(tmp_path, 5)
    assert recorded(tmp_path, "execution.json")["image"] == run_by("none", 1, "einsum")
    before = recorded(tmp_path, "summary.json")["state_checksum"]
    train(tmp_path, 5, "tpu", slices=2)
    assert recorded(tmp_path, "summary.json")["state_checksum"] == before
    train(tmp_path, 10, "tpu", slices=2)
    assert recorded(tmp_path, "execution.json")["image"] == run_by("full", 2, "auto")
    one, other = losses(whole), losses(tmp_path)
    assert len(one) == len(other) == 10
    assert other[:5] == one[:5]
    assert other[5] == pytest.approx(one[5], rel=1e-6)
    assert other == pytest.approx(one, rel=1e-4)


def test_the_precision_may_not_change(tmp_path):
    train(tmp_path, 5)
    with pytest.raises(
        WorkdirError, match=r"system\.image\.dtype = 'absent', now it is 'bfloat16'"
    ):
        train(tmp_path, 10, "gpu", dtype="bfloat16")


def test_a_run_of_before_keeps_what_it_says(tmp_path, caplog):
    """Its record has no `execution`; today's configuration leaves its recomputation open."""
    train(tmp_path, 5, "explicit", remat="full", slices=2)
    for file in ("config.json", "system.json"):
        record = recorded(tmp_path, file)
        record.pop("execution", None)
        record.get("system", record.get("options"))["image"].pop("attention")
        (tmp_path / file).write_text(json.dumps(record))
    with caplog.at_level("INFO", logger="medst_jax"):
        train(tmp_path, 10)
    assert recorded(tmp_path, "execution.json")["image"] == run_by("full", 2, "einsum")
    assert "config.execution is 'explicit', as before that option, not 'auto'" in caplog.text
    assert "execution" not in recorded(tmp_path, "config.json")


def test_models_are_told_the_platform_of_the_step():
    from medst_jax.parallel.placement import current_placement

    with use_rules(get_rules("dp"), "gpu"):
        assert current_placement().platform == "gpu"
    assert current_placement().platform == ""
