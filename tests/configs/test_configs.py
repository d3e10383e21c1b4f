# SPDX-License-Identifier: Apache-2.0
"""Every experiment file and variant holds only options that exist, with values of their types."""

import importlib
import pathlib

import jax
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.data.images.augment import Augment
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.options import parse
from medst_jax.train.options import MeshOptions, OptimizerOptions, TrainOptions

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "configs"
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if "def get_config" in p.read_text())
# Those by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".
REALITY_CHECK = ("clip", "dlilp", "unicl", "unimodal")
VARIANTS = {
    "dlilp_open": (None, "without_kermany", "supervised", "tiny"),
    "paired": (None, "with_prompts", "smoke", "tiny"),
}
CASES = [(n, v) for n in NAMES for v in VARIANTS.get(n, (None, "smoke", "tiny"))]


# Sides of images that are stored larger than the encoder reads them.
STORED = {("chexzero", None): 320, ("kad", None): 512, ("medklip", None): 512, ("mrm", None): 448}


def _config(name: str, variant: str | None):
    return importlib.import_module(f"medst_jax.configs.{name}").get_config(variant)


@pytest.mark.parametrize("name,variant", CASES)
def test_every_section_parses(name, variant):
    config = _config(name, variant).to_dict()
    train = parse(TrainOptions, config["train"], "config.train")
    optimizer = parse(OptimizerOptions, config["optimizer"], "config.optimizer")
    parse(MeshOptions, config["mesh"], "config.mesh")
    data = parse(DataOptions, config["data"], "config.data")
    options = dict(config["system"])
    cls = systems.system_class(options.pop("name"))
    system = parse(cls.Options, options | {"labels": ("A",), "vocabulary_size": 9}, "config.system")
    assert optimizer.warmup_steps < train.steps
    # Batches hold the square of which a crop is taken; a random part is of something larger.
    whole = getattr(system, "augment", Augment()).area == (1.0, 1.0)
    expected = STORED.get((name, variant), system.preprocess.square if whole else 256)
    assert data.size == expected
    assert variant or data.fit == system.preprocess.fit
    if cls.has_text:
        assert data.vocabulary


def test_siglip_b16_has_the_sizes_of_its_name():
    options = dict(_config("siglip_b16", None).to_dict()["system"]) | {"labels": ("A",)}
    system = nnx.eval_shape(lambda: systems.build(**options))
    image, text = system.image_encoder.options, system.text_encoder.options
    for encoder in (image, text):
        assert (encoder.width, encoder.depth, encoder.heads) == (768, 12, 12)
        assert encoder.dtype == "bfloat16"
    assert (image.patch, image.image_size, image.pooling) == (16, 224, "map")
    assert (text.vocabulary_size, text.max_length) == (32_000, 64)
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(system, nnx.Param)))
    assert 203e6 < count < 205e6


REPORT_SYSTEMS = (
    "biovil",
    "biovil_l",
    "biovil_t",
    "cxr_bert",
    "cxr_bert_clinical",
    "cxr_bert_general",
    "cxr_clip",
    "gloria",
    "medst",
    "mgca",
)


RESNETS = ("biovil", "biovil_l", "cxr_clip", "gloria", "mgca")


@pytest.mark.parametrize("name", REALITY_CHECK)
def test_the_paper_sizes_build(name):
    config = _config(name, None).to_dict()
    options = dict(config["system"]) | {"labels": ("A", "B"), "vocabulary_size": 1000}
    system = nnx.eval_shape(lambda: systems.build(**options))
    assert system.image_encoder.features == 2048
    leaves = jax.tree.leaves(nnx.state(system.image_encoder, nnx.Param))
    assert 23.4e6 < sum(leaf.size for leaf in leaves) < 23.6e6
    if system.text_encoder is not None:
        assert system.text_encoder.options.depth == 12 and system.text_encoder.features == 768


@pytest.mark.parametrize("name", REPORT_SYSTEMS)
def test_the_paper_sizes_of_report_systems_build(name):
    config = _config(name, None).to_dict()
    assert config["system"].get("augment", {"flip": "none"}).get("flip", "none") == "none"
    options = dict(config["system"]) | {"labels": (), "vocabulary_size": 1000}
    system = nnx.eval_shape(lambda: systems.build(**options))
    assert system.text_encoder.options.depth == (6 if name in ("medst", "mgca") else 12)
    widths = {"medst": 768, "biovil_t": 512, **dict.fromkeys(RESNETS, 2048)}
    if name in widths:
        assert system.image_encoder.features == widths[name]


@pytest.mark.parametrize("name", NAMES)
def test_unknown_variants_are_refused_and_docstrings_say_how_to_run(name):
    with pytest.raises(ValueError, match="known:"):
        _config(name, "smok")
    text = " ".join((importlib.import_module(f"medst_jax.configs.{name}").__doc__ or "").split())
    for said in (f"launch/train.py --config=configs/{name}.py", "two CPU cores"):
        assert said in text, said
    assert "balanced accuracy" in text or "score" in text


@pytest.mark.parametrize("name", ["medst", "gloria", "cxr_bert", "joint_ranking"])
def test_data_sets_that_a_variant_cannot_read_are_refused(name):
    for named in ("simulated_cxr_c", "simulated_cxr_m+simulated_cxr_c"):
        with pytest.raises(ValueError, match="the data sets .*_c' .* reads simulated_cxr_m alone"):
            _config(name, f"tiny,{named}")
    assert _config(name, "tiny,simulated_cxr_m") == _config(name, "tiny")
    assert list(_config("clip", "tiny,simulated_cxr_c").data.mixture) == ["simulated_cxr_c"]


def test_small_variants_read_impressions_of_the_cohort_whatever_the_mixture():
    both = _config("dlilp", "smoke").data.mixture
    assert both.simulated_cxr_m.sections == ("impression",)
    assert both.simulated_cxr_c.text == "prompt"
    assert list(_config("clip", "smoke").data.mixture) == ["simulated_cxr_m"]
    named = _config("clip", "smoke,simulated_cxr_m+mine").data.mixture
    assert named.simulated_cxr_m == both.simulated_cxr_m
    assert named.mine.sections == ()
    assert _config("convirt", "smoke").data.mixture.simulated_cxr_m.sentences == "one"
