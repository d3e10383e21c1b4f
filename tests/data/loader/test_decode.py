# SPDX-License-Identifier: Apache-2.0
"""Larger JPEGs in batches: `data.decode`, in training and in what evaluates it."""

import hashlib
import itertools

import numpy as np
import pytest

from medst_jax.added_options import adopt, fill_recorded
from medst_jax.benchmarks.textured import prepare_textured
from medst_jax.data.images.pixels import decode, fit_square
from medst_jax.data.loader.input import load_tokenizer, make_input
from medst_jax.data.loader.stamp import config_hash
from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.data.records.studies import open_studies
from medst_jax.evaluate.subjects.evaluation_data import EvaluationData

NAME, STORED, SIZE, COUNT = "textured", 96, 40, 8
# Of the batch's pixels, with the pinned decoders.
GOLDEN = {
    "full": "66cd31aea1cc01812a050384012375c01eb24ae13a33c4153d206ca1485bf2c9",
    "scaled": "06c5b623ed499f7cb7b6dbf68b47a8a4c66f63fc5726e8048abdf66a92b4634c",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decode")
    vocabulary = prepare_textured(str(folder), NAME, COUNT, STORED)
    return folder, vocabulary


def options(prepared, **changes):
    folder, vocabulary = prepared
    return DataOptions(
        data_dir=str(folder),
        mixture={NAME: DataSetOptions()},
        size=SIZE,
        vocabulary=vocabulary,
        exclude=(),
        threads=1,
        **changes,
    )


def batch_of(chosen):
    source = make_input(chosen, seed=0, global_batch=COUNT, tokenizer=load_tokenizer(chosen))
    try:
        (batch,) = itertools.islice(source.batches(), 1)
    finally:
        source.close()
    return batch


@pytest.mark.parametrize("how", ["full", "scaled"])
def test_batches_are_the_golden_ones_and_what_evaluation_reads(prepared, how):
    batch = batch_of(options(prepared, decode=how))
    data = EvaluationData(prepared[0], SIZE, "pad", decode=how, progress=False)
    np.testing.assert_array_equal(data.images(NAME, "train", batch["study"]), batch["frontal"])
    assert hashlib.sha256(batch["frontal"].tobytes()).hexdigest() == GOLDEN[how]


def test_full_shrinks_every_pixel_and_scaled_comes_close(prepared):
    full, scaled = (batch_of(options(prepared, decode=how)) for how in ("full", "scaled"))
    np.testing.assert_array_equal(full["study"], scaled["study"])
    studies = open_studies(prepared[0], NAME, "train")
    for row, image in zip(full["study"], full["frontal"], strict=True):
        pixels = decode(studies[int(row)].frontal().data)
        np.testing.assert_array_equal(image, fit_square(pixels, SIZE, "pad"))
    difference = np.abs(full["frontal"].astype(int) - scaled["frontal"])
    # Texture as fine as this is where the two differ most; 1.7 of 255.
    assert 0 < difference.mean() < 2.5


def test_new_runs_scale_and_recorded_ones_go_on_as_they_began(prepared):
    assert options(prepared).decode == "scaled"
    record = {"mixture": {NAME: {}}, "size": SIZE}
    assert fill_recorded(DataOptions, record)["decode"] == "full"
    assert adopt(DataOptions, {**record, "decode": "scaled"}, record)["decode"] == "full"
    before, full, scaled = (
        config_hash(options(prepared, **changes), 0)
        for changes in ({"decode": "full"}, {"decode": "full"}, {})
    )
    assert before == full != scaled
