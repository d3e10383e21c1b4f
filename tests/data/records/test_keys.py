# SPDX-License-Identifier: Apache-2.0
"""Keys under a secret: what matches, what is an error, and what never leaves the folder."""

import dataclasses
import hashlib
import json
import pickle
import shutil
import stat

import numpy as np
import pytest

from medst_jax.data.loader.input import make_input
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.keys import (
    Secret,
    SecretError,
    folder_secret,
    read_secret,
    secret_file,
    write_private,
)
from medst_jax.data.records.patient_ids import read_patient_ids
from medst_jax.data.records.studies import dataset_dir, open_studies
from medst_jax.data_pipelines.audit.compare import audit
from medst_jax.data_pipelines.audit.holdings import read_holdings
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.fixture import FixtureSource
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.evaluate.subjects.cautions import SystemUnderTest, cautions
from medst_jax.options import parse

FILES = ("exclude.json", "dataset.json", "data_card.json", "data_card.html", "index-train.npz")


class LongIds(FixtureSource):
    """Ids so long that random bytes of a compressed file do not spell one by chance."""

    def studies(self, unit):
        for study in super().studies(unit):
            yield dataclasses.replace(study, patient_id=f"patient-number-{study.patient_id}")


def source(name="ours", patients=8):
    return LongIds(name, ("Edema",), patients, 16, ("train", "test"), 0)


def prepare(folder, name="ours", salt_file=None):
    options = BuildOptions(runner=Runner(workers=1), salt_file=salt_file)
    return build(source(name), folder, options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare(folder)
    return folder


def test_a_key_is_no_hash_that_trying_all_ids_undoes():
    secret = Secret(bytes(32))
    key = secret.key_of("mimic-cxr", "10234567")
    assert key == secret.key_of("mimic-cxr", "10234567")
    assert key != Secret(bytes(31) + b"\1").key_of("mimic-cxr", "10234567")
    assert key != secret.key_of("chexpert", "10234567")
    assert secret.key_of("a", "b", "c") != secret.key_of("a", "bc")
    # Whoever has the program and the key, but not the secret, tries in vain.
    for guess in (b"", b"medst_jax exclusion keys, version 1", secret.id.encode()):
        digest = hashlib.sha256(guess)
        for part in (b"mimic-cxr", b"10234567"):
            digest.update(len(part).to_bytes(4, "big") + part)
        assert int.from_bytes(digest.digest()[:8], "big") != key


def test_the_secret_is_random_private_and_never_printed(tmp_path):
    paths = [folder_secret(tmp_path / name) for name in "ab"]
    first, second = map(read_secret, paths)
    assert len(first.key) == 32 and first.key != second.key
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(paths[0].parent.stat().st_mode) == 0o700
    assert first.key.hex() not in repr(first) and first.id not in first.key.hex()
    assert folder_secret(tmp_path / "a") == paths[0]
    # Two builds that start at once agree on the one that was first.
    write_private(paths[0], "00" * 32, replace=False)
    assert read_secret(paths[0]) == first


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "00" * 31, "00" * 33])
def test_an_unusable_secret_is_named(tmp_path, content):
    (tmp_path / "secret").write_text(content)
    with pytest.raises(SecretError, match="64 hexadecimal digits"):
        read_secret(tmp_path / "secret")
    with pytest.raises(SecretError, match="is missing"):
        read_secret(tmp_path / "absent")


def test_folders_share_a_secret_by_file(tmp_path):
    salt = tmp_path / "salt"
    write_private(salt, "ab" * 32)
    results = [prepare(tmp_path / name, name, str(salt)) for name in ("a", "b")]
    ids = {json.loads((r.directory / "exclude.json").read_text())["secret_id"] for r in results}
    assert ids == {read_secret(salt).id}
    assert not secret_file(tmp_path / "a").exists()
    folder_secret(tmp_path / "c")
    with pytest.raises(SecretError, match="is another secret than"):
        prepare(tmp_path / "c", "c", str(salt))


def test_another_secret_builds_anew_and_gives_the_same_data(folder, tmp_path):
    salt = tmp_path / "salt"
    write_private(salt, "cd" * 32)
    first = prepare(tmp_path / "d")
    (tmp_path / "d" / "private" / "secret").unlink()
    second = prepare(tmp_path / "d", salt_file=str(salt))
    assert second.built and second.banks_built
    assert second.info["fingerprint"] == first.info["fingerprint"]
    index = open_studies(tmp_path / "d", "ours", "train").index
    assert index.secret_id == read_secret(salt).id


def test_lists_of_another_secret_are_an_error_not_an_empty_match(folder, tmp_path):
    prepare(tmp_path, "theirs")
    own, theirs = read_exclusion(folder, "all"), read_exclusion(tmp_path, "all")
    index = open_studies(folder, "ours", "test").index
    assert own.contains(index, "ours").all()
    with pytest.raises(SecretError, match="'theirs' and the index of 'ours'.*--salt_file"):
        theirs.contains(index, "ours")
    with pytest.raises(SecretError, match="different secrets"):
        audit([*read_holdings(folder, "ours"), *read_holdings(tmp_path, "theirs")])


def test_a_checkpoint_is_judged_alike_on_every_host(folder, tmp_path):
    # One host trains and another, with a secret of its own, evaluates.
    prepare(tmp_path)
    values = dict(data_dir=str(folder), size=16, mixture={"ours": {}})
    trained = make_input(
        parse(DataOptions, values, "config.data"),
        seed=0,
        global_batch=4,
        tokenizer=None,
        required_keys=("frontal", "has_frontal"),
    )
    system = SystemUnderTest("mine", stamp=trained.stamp())
    studies = open_studies(tmp_path, "ours", "test")
    lists = read_exclusion(tmp_path, "all").lists
    assert not cautions(studies, lists["ours"], system)
    other = cautions(studies, lists["ours"] + ",val", system)
    assert "contaminated" in " ".join(other.values())


def test_ids_stay_in_the_private_folder(folder):
    ids = sorted(
        {study.patient_id for unit in source().units() for study in source().studies(unit)}
    )
    assert sorted(read_patient_ids(folder, "ours")) == ids
    private = [path for path in (folder / "private").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    everywhere = [path for path in folder.rglob("*") if path.is_file() and path not in private]
    assert any(path.name == "exclude.json" for path in everywhere)
    secret = secret_file(folder).read_text().strip()
    for path in everywhere:
        content = path.read_bytes()
        assert secret.encode() not in content and bytes.fromhex(secret) not in content, path
        for patient in ids:
            assert patient.encode() not in content, (path, patient)


def test_a_job_description_does_not_hold_the_secret(folder):
    from medst_jax.data_pipelines.bank import bank_of
    from medst_jax.data_pipelines.encode import Encoding

    ours = source()
    bank = bank_of(ours, ours.units()[0], folder, Encoding(), secret_file(folder))
    secret = read_secret(secret_file(folder))
    described = pickle.dumps(bank)
    assert secret.key not in described and secret.key.hex().encode() not in described


def test_a_study_knows_the_id_only_where_the_map_is(folder, tmp_path):
    studies = open_studies(folder, "ours", "train")
    assert {s.patient_id for s in studies} < {*read_patient_ids(folder, "ours")}
    assert studies[0].patient_id.encode() not in pickle.dumps(studies)
    shutil.copytree(folder / "ours", tmp_path / "ours")
    with pytest.raises(FileNotFoundError, match="stay where the data set was prepared"):
        _ = open_studies(tmp_path, "ours", "train")[0].patient_id


def test_numbers_of_patients_are_those_of_the_index(folder):
    for split in ("train", "test"):
        studies = open_studies(folder, "ours", split)
        numbers = [study.patient for study in studies]
        np.testing.assert_array_equal(numbers, studies.index.patient)
    assert (
        "patient_id"
        not in json.loads((dataset_dir(folder, "ours") / "features.json").read_text()).__repr__()
    )
