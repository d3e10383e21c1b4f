# SPDX-License-Identifier: Apache-2.0
"""What configurations of paper size start from: named, refused while absent, and left out on purpose."""

import importlib
import json

import pytest

from medst_jax import systems
from medst_jax.commands.parts.training import train
from medst_jax.models.weights.layout_registry import LAYOUTS
from medst_jax.models.weights.public_weights import FILE, PUBLIC, folder_of, vocabulary_of
from medst_jax.options import OptionError, parse
from medst_jax.train.named_weights import located, require_weights
from medst_jax.train.options import InitOptions
from medst_jax.train.run_records import flatten
from tests.configs.test_configs import NAMES

# Their papers start from random weights.
RANDOM = ("cxr_bert_general", "edema_vae", "image_only", "siglip_b16")
PAPERS = [name for name in NAMES if name != "dlilp_open"]  # which is a small variant as a whole


def config_of(name, variant=None):
    config = importlib.import_module(f"medst_jax.configs.{name}").get_config(variant)
    return json.loads(json.dumps(config.to_dict()))


def named(config):
    return [config["init"][part] for part in ("image", "text") if config["init"][part]]


@pytest.mark.parametrize("name", PAPERS)
def test_a_new_training_of_paper_size_needs_its_weights(name, tmp_path):
    config = config_of(name)
    config["data"]["data_dir"] = str(tmp_path)
    assert bool(named(config)) is (name not in RANDOM)
    if name in RANDOM:
        require_weights(config, resuming=False)
        return
    with pytest.raises(OptionError, match=r"prepare.*--weights=\w") as refused:
        train(config, str(tmp_path / "run"))
    assert all(name in str(refused.value) for name in named(config))
    assert "\n" not in str(refused.value) and ":scratch" in str(refused.value)
    assert not (tmp_path / "run").exists()
    for path in (*named(config), config["data"]["vocabulary"]):
        folder_of(path, tmp_path).mkdir(parents=True, exist_ok=True)
        (folder_of(path, tmp_path) / FILE).touch()
        vocabulary_of(path, tmp_path).parent.mkdir(exist_ok=True)
        vocabulary_of(path, tmp_path).touch()
    require_weights(config, resuming=False)


@pytest.mark.parametrize("name", PAPERS)
def test_from_scratch_nothing_but_init_is_another(name):
    paper, scratch = (dict(flatten(config_of(name, v))) for v in (None, "scratch"))
    changed = {key for key in paper | scratch if paper.get(key) != scratch.get(key)}
    assert changed <= {"init.image", "init.text", "init.layers"}
    assert bool(changed) is (name not in RANDOM)
    assert not named(config_of(name, "scratch"))


@pytest.mark.parametrize("name", PAPERS)
def test_small_variants_name_no_weights(name):
    for variant in ("smoke", "tiny"):
        config = config_of(name, variant)
        assert not named(config) and config["data"]["vocabulary"] not in PUBLIC


@pytest.mark.parametrize("name", PAPERS)
def test_weights_are_of_encoders_that_the_system_has(name):
    config = config_of(name)
    options = parse(InitOptions, config["init"], "config.init")
    kind = systems.system_class(config["system"]["name"])
    for part in ("image", "text"):
        value = getattr(options, part)
        if value:
            assert located(options, part, "data")[1] in LAYOUTS
            assert part in config["system"] or hasattr(kind, part)
    if config["data"]["vocabulary"] in PUBLIC:
        assert PUBLIC[config["data"]["vocabulary"]].has_tokenizer


def test_resuming_needs_no_weights_but_the_tokenizer(tmp_path):
    config = config_of("clip")
    config["data"]["data_dir"] = str(tmp_path)
    with pytest.raises(OptionError, match="bio_clinical_bert, which"):
        require_weights(config, resuming=True)
    vocabulary = vocabulary_of("bio_clinical_bert", tmp_path)
    vocabulary.parent.mkdir()
    vocabulary.touch()
    require_weights(config, resuming=True)


def test_weights_of_ones_own_take_the_place_of_named_ones(tmp_path):
    config = config_of("unimodal")
    config["data"]["data_dir"] = str(tmp_path)
    config["init"] |= {"image": "mine.safetensors", "layout": "timm"}
    require_weights(config, resuming=False)
    options = parse(InitOptions, config["init"], "config.init")
    assert located(options, "image", str(tmp_path)) == ("mine.safetensors", "timm")
    wrong = parse(InitOptions, {"text": "resnet50_imagenet_v1"}, "config.init")
    with pytest.raises(OptionError, match="for the image encoder"):
        located(wrong, "text", "data")


def test_the_variant_goes_with_data_sets():
    one = config_of("gloria", "scratch,mine")["data"]["mixture"]
    assert list(one) == ["mine"] and one["mine"]["sections"] == ["impression"]
    parts = config_of("joint_ranking", ",mine")["data"]["mixture"]
    assert {entry["dataset"] for entry in parts.values()} == {"mine"} and len(parts) == 2
    with pytest.raises(ValueError, match="name one and set"):
        config_of("joint_ranking", "scratch,a+b")
    assert list(config_of("clip", "scratch,a+b")["data"]["mixture"]) == ["a", "b"]
    assert named(config_of("clip", ",a+b")) == ["resnet50_imagenet_v2", "bio_clinical_bert"]
    assert named(config_of("paired", "with_prompts"))


def test_entries_of_the_table_are_complete():
    for name, known in PUBLIC.items():
        assert known.layout in LAYOUTS, name
        assert bool(known.files) != bool(known.by_hand), name
        assert set(known.digests) <= set(known.files), name
        assert known.licence and known.what and set(known.parts) <= {"image", "text"}, name
