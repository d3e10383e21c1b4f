# SPDX-License-Identifier: Apache-2.0
"""A file of a prepared data set that is lost or changed is noticed, and prepared again."""

import json
import shutil

import pytest

from medst_jax.data.mixture.exclusion import read_exclusion, require_manifests
from medst_jax.data.records import manifest
from medst_jax.data.records.studies import DamagedDataError, MissingDataError, open_studies
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.complete import verify
from medst_jax.data_pipelines.fixture import FixtureSource
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.files.writing import settle_folder

OPTIONS = BuildOptions(runner=Runner(workers=1), arguments={"dataset": "mine", "seed": 3})
SOURCE = FixtureSource("fixture", ("Edema",), 6, 16, ("train", "test"), 0)
READ = (
    "exclude.json",
    "index-train.npz",
    "features.json",
    "dataset_info.json",
    "dataset.json",
    "fixture-train.array_record-00000-of-00001",
)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(path):
    """Another byte, the same size."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    build(SOURCE, folder, OPTIONS)
    return folder


@pytest.fixture
def data(prepared, tmp_path):
    """A copy of a prepared folder, and the folder of its studies."""
    shutil.copytree(prepared, tmp_path / "data")
    return tmp_path / "data", tmp_path / "data" / "fixture" / "studies" / "2.0.0"


def test_the_manifest_lists_what_is_read_and_no_page(data):
    _, studies = data
    content = json.loads((studies / manifest.NAME).read_text())
    assert set(READ) | {"index-test.npz"} <= content["files"].keys()
    assert not [name for name in content["files"] if name.startswith("data_card")]
    for name, entry in content["files"].items():
        assert entry == {
            "size": (studies / name).stat().st_size,
            "sha256": manifest.digest(studies / name),
        }


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), cut], ids=["lost", "cut"])
@pytest.mark.parametrize("name", READ)
def test_a_lost_or_cut_file_is_refused_and_built_again(data, name, harm):
    folder, studies = data
    harm(studies / name)
    with pytest.raises(DamagedDataError, match=rf"{name}.*\n  python .*--dataset=mine.*--seed=3"):
        open_studies(folder, "fixture", "train")
    result = build(SOURCE, folder, OPTIONS)
    assert result.built and result.banks_built == 0
    assert len(open_studies(folder, "fixture", "train")) > 0
    assert not build(SOURCE, folder, OPTIONS).built


def test_a_lost_list_never_means_fewer_patients(data):
    folder, studies = data
    whole = read_exclusion(folder, "all").patient_keys
    assert len(whole) == 3
    kept = (studies / "exclude.json").read_bytes()
    losses = (
        lambda: (studies / "exclude.json").unlink(),
        lambda: (studies / "exclude.json").write_bytes(kept[:-30]),
        lambda: (studies / "exclude.json").write_bytes(kept.replace(kept[-40:-38], b"00")),
        lambda: (studies / "exclude.json").write_text('{"patient_keys": []}'),
    )
    for lose in losses:
        lose()
        for chosen in ("all", ("fixture",)):
            with pytest.raises(DamagedDataError, match=r"(?s)exclude.json.*prepare.*--seed=3"):
                read_exclusion(folder, chosen)
        (studies / "exclude.json").write_bytes(kept)
    # Without the manifest too, as in data of before.
    (studies / "exclude.json").unlink()
    (studies / manifest.NAME).unlink()
    with pytest.raises(DamagedDataError, match="exclude.json is missing, and the data set has spl"):
        read_exclusion(folder, "all")
    assert build(SOURCE, folder, OPTIONS).built
    assert (read_exclusion(folder, "all").patient_keys == whole).all()


def test_a_worker_with_the_list_alone_reads_it(data, tmp_path):
    _, studies = data
    staged = tmp_path / "worker" / "fixture" / "studies" / "2.0.0"
    staged.mkdir(parents=True)
    for name in ("exclude.json", manifest.NAME):
        shutil.copy(studies / name, staged / name)
        assert len(read_exclusion(tmp_path / "worker", "all").patient_keys) == 3
        require_manifests(tmp_path / "worker", (), "all")


def test_data_of_before_are_refused_until_prepare_has_checked_them(data):
    folder, studies = data
    (studies / manifest.NAME).unlink()
    with pytest.raises(DamagedDataError, match=r"\n  python .*prepare.py --verify --datasets=fixt"):
        require_manifests(folder, ("fixture",), ())
    assert len(open_studies(folder, "fixture", "train")) > 0  # a run that resumes reads them
    times = {path.name: path.stat().st_mtime_ns for path in studies.iterdir()}
    assert not build(SOURCE, folder, OPTIONS).built
    require_manifests(folder, ("fixture",), "all")
    assert {n: (studies / n).stat().st_mtime_ns for n in times} == times
    (studies / manifest.NAME).unlink()
    assert [one.adopted for one in verify(folder)] == [True]
    assert [one.adopted for one in verify(folder, ["fixture"])] == [False]


def test_data_of_before_that_lack_a_file_are_built_again(data):
    folder, studies = data
    for name in ("index-test.npz", "exclude.json", "features.json"):
        (studies / manifest.NAME).unlink()
        (studies / name).unlink()
        assert build(SOURCE, folder, OPTIONS).built


def test_changed_bytes_are_found_on_verify(data):
    folder, studies = data
    change(studies / READ[-1])
    assert not build(SOURCE, folder, OPTIONS).built
    with pytest.raises(DamagedDataError, match=rf"{READ[-1]} has other bytes.*\n.*--seed=3"):
        list(verify(folder))
    strict = BuildOptions(runner=Runner(workers=1), arguments=OPTIONS.arguments, verify=True)
    assert build(SOURCE, folder, strict).built
    assert not build(SOURCE, folder, strict).built
    with pytest.raises(MissingDataError, match="absent"):
        list(verify(folder, ["absent"]))


@pytest.mark.parametrize("name", ["index-train.npz", "features.json", "dataset.json"])
def test_changed_bytes_of_small_files_are_built_again(data, name):
    folder, studies = data
    change(studies / name)
    assert build(SOURCE, folder, OPTIONS).built


def test_a_kill_between_two_renames_hides_no_list(data):
    folder, studies = data
    studies.rename(studies.with_name("2.0.0.old"))
    with pytest.raises(DamagedDataError, match="was being replaced"):
        read_exclusion(folder, "all")
    with pytest.raises(DamagedDataError, match="was being replaced"):
        open_studies(folder, "fixture", "train")
    assert not build(SOURCE, folder, OPTIONS).built
    studies.rename(studies.with_name("2.0.0.incomplete"))
    with pytest.raises(DamagedDataError, match="was being replaced"):
        read_exclusion(folder, "all")
    settle_folder(studies, manifest.NAME)
    assert len(open_studies(folder, "fixture", "train")) > 0
