# SPDX-License-Identifier: Apache-2.0
"""Start-up warnings about what a data set can give."""

import pytest

from medst_jax.data.loader.input import make_input
from medst_jax.data.mixture.requirements import enlargement


def info(stored, **arguments):
    return {"name": "ours", "stored_size": stored, "build": {"arguments": arguments}}


@pytest.mark.parametrize(("stored", "size"), [(512, 224), (512, 512), (0, 2048)])
def test_no_warning_where_images_are_large_enough_or_of_unknown_size(stored, size):
    assert enlargement(info(stored), size, "D") is None


def test_images_stored_smaller_than_the_batch_are_named_with_the_command():
    warning = enlargement(info(512, dataset="mimic_cxr_jpg", source_dir="F"), 2048, "D")
    assert "enlarged 4.0 times" in warning
    line = "--name=ours --dataset=mimic_cxr_jpg --source_dir=F --stored_size=2048 --data_dir=D"
    assert line in warning


def test_a_simulated_cohort_is_made_larger_by_its_own_flag():
    warning = enlargement(info(0, dataset="simulated_cxr", size=64), 224, "D")
    assert "--size=224" in warning


@pytest.mark.parametrize("size", [16, 600])
def test_the_input_says_it_at_start_up(options, size):
    read = make_input(
        options({"ward": {}}, size=size),
        seed=0,
        global_batch=4,
        tokenizer=None,
        required_keys=("frontal", "has_frontal"),
    )
    read.corpora[0].studies.info["stored_size"] = 24
    assert ("warning: data set 'ward'" in read.describe()) == (size == 600)
