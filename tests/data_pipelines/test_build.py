# SPDX-License-Identifier: Apache-2.0
"""The two-stage build: order, fingerprint, resumption, cards, exclusion."""

import dataclasses
import hashlib
import json
import multiprocessing
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
from array_record.python import array_record_module

from medst_jax.data.records import schema
from medst_jax.data.records.patient_ids import read_patient_ids
from medst_jax.data.records.studies import DamagedDataError, MissingDataError, open_studies
from medst_jax.data_pipelines import assemble, record
from medst_jax.data_pipelines.build import BuildOptions, RejectedInputError, build
from medst_jax.data_pipelines.fixture import FixtureSource, write_fixture
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.run_banks import Runner
from tests.data_pipelines.tables import key_of

LABELS = ("Edema", "Effusion")
OPTIONS = BuildOptions(runner=Runner(workers=1))


def source(patients: int = 9, **changes: object) -> FixtureSource:
    made = FixtureSource("fixture", LABELS, patients, 16, ("train", "test"), 0, patients_per_unit=3)
    return dataclasses.replace(made, **changes)


def test_records_come_back_in_patient_and_time_order(tmp_path):
    build(source(), tmp_path, OPTIONS)
    raw = [study for unit in source().units() for study in source().studies(unit)]
    ids = read_patient_ids(tmp_path, "fixture")
    for split in ("train", "test"):
        expected = [study for study in raw if study.split == split]
        studies = open_studies(tmp_path, "fixture", split, truth=True)
        assert studies.labels == LABELS
        assert len(studies) == len(expected)
        for k, (read, made) in enumerate(zip(studies, expected, strict=True)):
            assert ids[read.patient] == made.patient_id
            assert (read.patient, read.study_id) == (studies.index.patient[k], made.study_id)
            assert read.study_days == made.study_days
            assert [image.image_id for image in read.images] == [i.image_id for i in made.images]
            assert read.sections == made.sections
            assert read.labels.tolist() == record.codes(made.labels, LABELS).tolist()
            assert [read.sentence_text(j) for j in range(len(read.sentences))] == [
                made.sections[s.section][1][s.start : s.end] for s in made.sentences
            ]
            np.testing.assert_array_equal(read.truth["truth_boxes"], made.truth["truth_boxes"])
            index = studies.index
            assert index.patient_key[k] == key_of(tmp_path, "fixture", made.patient_id)
            assert index.study_index[k] == made.study_index
            assert index.has_lateral[k] == (read.lateral() is not None)
            assert index.labels[k].tolist() == read.labels.tolist()
        assert (np.diff(studies.index.patient) >= 0).all()


def test_shards_break_between_patients_and_keep_the_order(tmp_path, monkeypatch):
    whole = build(source(), tmp_path / "whole", OPTIONS)
    monkeypatch.setattr(assemble, "SHARD_BYTES", 5000)
    parts = build(source(), tmp_path / "parts", OPTIONS)
    assert len(parts.info["shards"]) > len(whole.info["shards"])
    assert parts.info["fingerprint"] == whole.info["fingerprint"]
    studies = open_studies(tmp_path / "parts", "fixture", "train")
    expected = open_studies(tmp_path / "whole", "fixture", "train")
    assert [s.study_id for s in studies] == [s.study_id for s in expected]
    first_of_shard = 0
    for shard in sorted(Path(parts.directory).glob("fixture-train.array_record-*")):
        reader = array_record_module.ArrayRecordReader(str(shard))
        assert studies.index.study_index[first_of_shard] == 0
        first_of_shard += reader.num_records()
        reader.close()
    assert first_of_shard == len(studies)


def test_truth_is_read_only_on_request(tmp_path):
    write_fixture(tmp_path)
    assert open_studies(tmp_path, "fixture", "test")[0].truth == {}


def test_fast_parser_agrees_with_tfds(tmp_path):
    build(source(), tmp_path, OPTIONS)
    studies = open_studies(tmp_path, "fixture", "train", truth=True)
    for i, study in enumerate(studies):
        slow = studies.features(i)
        assert study.patient == slow["patient"]
        assert study.age == slow["age"]
        assert [image.data for image in study.images] == slow["images"]["data"]
        assert [image.width for image in study.images] == slow["images"]["width"]
        np.testing.assert_array_equal(
            [image.affine for image in study.images], slow["images"]["affine"]
        )
        np.testing.assert_array_equal(
            [image.spacing for image in study.images], slow["images"]["spacing"]
        )
        np.testing.assert_array_equal(
            [s.labels for s in study.sentences], slow["sentences"]["labels"]
        )
        assert [s.end for s in study.sentences] == slow["sentences"]["end"]
        np.testing.assert_array_equal(study.labels, slow["labels"])
        np.testing.assert_array_equal(study.progression, slow["progression"])
        np.testing.assert_array_equal(study.truth["truth_boxes"], slow["truth_boxes"])


def test_studies_can_be_pickled_and_forked(tmp_path):
    write_fixture(tmp_path)
    studies = open_studies(tmp_path, "fixture", "train")
    first = studies[0].study_id
    assert pickle.loads(pickle.dumps(studies))[0].study_id == first
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_first_study_id, (studies,)) == first


def _first_study_id(studies):
    return studies[0].study_id


def test_two_builds_have_one_fingerprint_and_another_seed_has_another(tmp_path):
    first = write_fixture(tmp_path / "a").info["fingerprint"]
    assert write_fixture(tmp_path / "b").info["fingerprint"] == first
    assert write_fixture(tmp_path / "c", seed=1).info["fingerprint"] != first


def test_fingerprint_can_be_recomputed_from_the_files(tmp_path):
    build(source(), tmp_path, OPTIONS)
    state = hashlib.sha256(repr(LABELS).encode())
    for split in ("test", "train"):
        studies = open_studies(tmp_path, "fixture", split, truth=True)
        rows = [studies.features(i) for i in range(len(studies))]
        numbers = np.array([row.pop("patient") for row in rows], np.int32)
        digests = [record.digest(row) for row in rows]
        state.update(f"\n{split}\n".encode() + numbers.tobytes() + b"".join(digests))
    assert studies.fingerprint == state.hexdigest()


def test_parallel_build_equals_serial_build(tmp_path):
    serial = build(source(), tmp_path / "serial", OPTIONS)
    parallel = build(source(), tmp_path / "parallel", BuildOptions(runner=Runner(workers=2)))
    assert parallel.info["fingerprint"] == serial.info["fingerprint"]
    assert parallel.banks_built == 3


def test_second_run_does_nothing(tmp_path):
    assert build(source(), tmp_path, OPTIONS).built
    again = build(source(), tmp_path, OPTIONS)
    assert not again.built


class Killed(FixtureSource):
    """Kills its process when it reaches the third unit."""

    def studies(self, unit):
        if unit == self.units()[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().studies(unit)

    def unit_hash(self, unit):
        return source().unit_hash(unit)


def _build_killed(data_dir: Path) -> None:
    fields = {f.name: getattr(source(), f.name) for f in dataclasses.fields(FixtureSource)}
    build(Killed(**fields), data_dir, OPTIONS)


def test_killed_build_repeats_no_unit(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_build_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    banks = sorted((tmp_path / "fixture" / "banks").glob("*.array_record"))
    times = [bank.stat().st_mtime_ns for bank in banks]
    assert len(banks) == 2
    result = build(source(), tmp_path, OPTIONS)
    assert result.banks_built == 1
    assert [bank.stat().st_mtime_ns for bank in banks] == times
    assert not list((tmp_path / "fixture" / "banks").glob("*.tmp"))
    assert (
        result.info["fingerprint"] == build(source(), tmp_path / "b", OPTIONS).info["fingerprint"]
    )


class Rejecting(FixtureSource):
    """Rejects a third of what it reads."""

    def studies(self, unit):
        for row, study in enumerate(super().studies(unit)):
            yield study if row % 3 else Reject(row, "unreadable JPEG")


def test_too_many_rejects_fail_the_build_and_leave_earlier_data(tmp_path):
    before = build(source(), tmp_path, OPTIONS).info["fingerprint"]
    fields = {f.name: getattr(source(seed=1), f.name) for f in dataclasses.fields(FixtureSource)}
    with pytest.raises(RejectedInputError, match=r"\d+ x unreadable JPEG"):
        build(Rejecting(**fields), tmp_path, OPTIONS)
    assert open_studies(tmp_path, "fixture", "train").fingerprint == before
    allowed = dataclasses.replace(OPTIONS, max_reject_fraction=0.5)
    result = build(Rejecting(**fields), tmp_path, allowed)
    lines = (result.directory / "rejects.jsonl").read_text().splitlines()
    assert result.info["rejects"] == {"unreadable JPEG": len(lines)}
    assert json.loads(lines[0]) == {"row": 0, "reason": "unreadable JPEG"}


def test_card_counts_and_shows_images_only_when_redistributable(tmp_path):
    shown = build(source(), tmp_path / "a", OPTIONS).directory
    card = json.loads((shown / "data_card.json").read_text())
    assert card["counts"]["patients"] == 9
    assert sum(card["studies_per_patient"].values()) == 9
    assert sum(card["prevalence"]["train"]["Edema"].values()) == card["splits"]["train"]["studies"]
    assert "data:image" in (shown / "data_card.html").read_text()
    hidden = build(source(card={"redistributable": False}), tmp_path / "b", OPTIONS).directory
    page = (hidden / "data_card.html").read_text()
    assert "data:image" not in page
    assert "There is" not in page


def test_exclusion_lists_the_patients_of_evaluation_splits(tmp_path):
    result = write_fixture(tmp_path)
    content = json.loads((result.directory / "exclude.json").read_text())
    test = open_studies(tmp_path, "fixture", "test").index
    assert content["patient_keys"] == [f"{key:016x}" for key in np.unique(test.patient_key)]
    assert content["splits"] == ["test"]
    train_only = write_fixture(tmp_path, "train_only", splits=("train",))
    assert not (train_only.directory / "exclude.json").exists()


def test_missing_data_names_the_command(tmp_path):
    with pytest.raises(MissingDataError, match=r"prepare\.py --dataset=image_table --name=mine"):
        open_studies(tmp_path, "mine", "train")
    write_fixture(tmp_path)
    with pytest.raises(MissingDataError, match="no split 'val'"):
        open_studies(tmp_path, "fixture", "val")


def test_remote_folders_are_refused():
    with pytest.raises(ValueError, match="ArrayRecord needs local files"):
        open_studies("gs://bucket/data", "mine", "train")


def test_shard_cut_in_half_is_noticed_and_written_again(tmp_path):
    result = build(source(), tmp_path, OPTIONS)
    shard = Path(result.directory) / next(iter(result.info["shards"]))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(DamagedDataError, match=shard.name):
        open_studies(tmp_path, "fixture", "test")
    again = build(source(), tmp_path, OPTIONS)
    assert again.built
    assert again.banks_built == 0
    studies = open_studies(tmp_path, "fixture", "test")
    assert studies[len(studies) - 1].images


def test_a_shard_with_other_bytes_is_noticed_where_they_are_read(tmp_path):
    result = build(source(), tmp_path, OPTIONS)
    studies = open_studies(tmp_path, "fixture", "test")
    image = studies[0].image_data(0)
    shard = next(p for p in Path(result.directory).iterdir() if image[100:140] in p.read_bytes())
    written = bytearray(shard.read_bytes())
    written[written.index(image[100:140])] ^= 255
    shard.write_bytes(written)
    studies = open_studies(tmp_path, "fixture", "test")  # of the size that was written
    with pytest.raises(
        DamagedDataError, match=rf"{shard.name} is damaged at record 0 of.*"
    ) as raised:
        studies[0]
    assert "prepare.py" in str(raised.value)


def test_vocabulary_without_labels_and_studies_without_text(tmp_path):
    write_fixture(tmp_path, labels=(), reports=False)
    studies = open_studies(tmp_path, "fixture", "train")
    assert studies.labels == ()
    assert studies[0].labels.shape == (0,)
    assert studies[0].sections == ()
    assert studies.index.labels.shape == (len(studies), 0)


@pytest.mark.parametrize("name", ["Upper", "1st", "with-dash", ""])
def test_names_tfds_cannot_use_are_refused(name):
    with pytest.raises(ValueError, match="lower-case"):
        schema.check_name("data set", name)
