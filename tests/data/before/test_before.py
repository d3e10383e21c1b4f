# SPDX-License-Identifier: Apache-2.0
"""What an earlier version wrote is read: a workdir, an export, a data folder, a cell.

A change that cannot go on with the run must refuse it in one line that names the cause; then the
test of resuming asks for that line.
"""

import dataclasses
import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
from importlib import metadata

import numpy as np
import pytest
from safetensors.numpy import load_file

from medst_jax import systems
from medst_jax.data.records.annotations import CONFIGS, open_annotations
from medst_jax.data.records.studies import open_studies, read_info
from medst_jax.data.tokenize.tokenizer_files import load_tokenizer_file
from medst_jax.export.checkpoint import read_rows
from medst_jax.models import from_pretrained
from medst_jax.options import BEFORE
from medst_jax.reality_check.cells import Sources, needed_cells, row_specs
from medst_jax.reality_check.options import parse_check
from medst_jax.reality_check.record import CellError, config_digest, digest_of
from medst_jax.reality_check.results import tabulate
from medst_jax.reality_check.runner import CellRunner
from medst_jax.systems.parts import towers
from medst_jax.train.checkpoint import load_system
from medst_jax.train.sections import Sections
from tests.data.before.option_classes import option_classes
from tests.models import compiled

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SETS = ("simulated_cxr_c", "simulated_cxr_e1", "simulated_cxr_m")
CELL = "check/cells/dlilp-simulated_cxr_m+simulated_cxr_c-0"
# The recorded configuration, as a file that --config reads.
CONFIG = """
import json
from ml_collections import ConfigDict

def get_config(arg):
    return ConfigDict(json.load(open(arg)))
"""


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The files of the earlier version, unpacked."""
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(HERE / "fixture.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def versions(written):
    return read(written / "versions.json")


@pytest.fixture(scope="session")
def same_compiler(versions):
    """Whether this machine makes the same programs of the same code, to the bit."""
    here = {name: metadata.version(name) for name in ("jax", "jaxlib")}
    recorded = {name: versions["packages"][name] for name in here}
    return here == recorded and platform.machine() == versions["machine"]


@pytest.fixture(scope="session")
def resumed(written, versions, same_compiler):
    """The workdir that was stopped half way, trained to its end by this version."""
    workdir, config = written / "workdir", written / "resume_config.py"
    stopped_at = read(workdir / "log.jsonl", line=-1)["step"]
    assert 20 <= stopped_at < 60 and not (workdir / "summary.json").exists()
    config.write_text(CONFIG)
    (written / "config.json").write_bytes((workdir / "config.json").read_bytes())
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "launch" / "train.py"),
            f"--config={config}:{written / 'config.json'}",
            f"--workdir={workdir}",
            f"--config.data.data_dir={written / 'data'}",
        ],
        env={**os.environ, "XLA_FLAGS": versions["xla_flags"] if same_compiler else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert f"resuming at step {stopped_at} of 60" in done.stderr
    return workdir


def read(path, line=None):
    text = path.read_text()
    return json.loads(text if line is None else text.splitlines()[line])


def present_options():
    """The options classes of this version, by the sections that the fixture names."""
    fields = dataclasses.fields(Sections)
    found = {f.name: f.type for f in fields if dataclasses.is_dataclass(f.type)}
    for name in systems.available():
        found[f"system {name}"] = systems.system_class(name).Options
    tables = (towers.IMAGE_ENCODERS, towers.AUTOENCODERS, towers.TEXT_ENCODERS)
    for name in {name for table in tables for name in table}:
        found[f"encoder {name}"] = type(towers.encoder_defaults({"name": name}))
    return option_classes(found)


def test_options_added_since_say_what_was_done_before(written):
    recorded, present = read(written / "option_fields.json"), present_options()
    assert {"data", "data.mixture", "train", "system clip", "encoder vit_b16"} <= present.keys()
    undeclared = [
        f"{section}.{field.name}"
        for section, cls in present.items()
        for field in dataclasses.fields(cls)
        if section in recorded
        and field.name not in recorded[section]
        and BEFORE not in field.metadata
    ]
    assert not undeclared, "give these options metadata=medst_jax.options.before(value)"


def test_run_resumes_to_the_end_of_the_uninterrupted_one(written, resumed, same_compiler):
    whole, halves = read(written / CELL / "summary.json"), read(resumed / "summary.json")
    if same_compiler:
        assert halves["parameter_checksum"] == whole["parameter_checksum"]
        assert halves["state_checksum"] == whole["state_checksum"]
        assert halves["losses"] == whole["losses"]
    else:
        # Rounding of another compiler, grown over the steps; those of other batches are several per cent apart.
        np.testing.assert_allclose(halves["losses"], whole["losses"], rtol=1e-3)


def test_export_holds_the_trained_encoders(written, resumed, same_compiler):
    folder = written / "export"
    trained = load_system(resumed).system
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), np.uint8)
    image, _ = from_pretrained(folder, "torchvision")
    pooled = compiled.run(image, trained.preprocess(images)).pooled
    tolerance = 1e-5 if same_compiler else 1e-2
    expected = compiled.run(trained.image_encoder, trained.preprocess(images)).pooled
    np.testing.assert_allclose(pooled, expected, atol=tolerance)
    text, _ = from_pretrained(folder / "text_encoder", "hf-bert")
    tokenizer = load_tokenizer_file(folder / "tokenizer.model")
    tokens = tokenizer.encode("No pleural effusion.", 16)[None]
    states, expected = (
        compiled.run(encoder, tokens, tokenizer.mask(tokens)).hidden_states[-1]
        for encoder in (text, trained.text_encoder)
    )
    np.testing.assert_allclose(states, expected, atol=tolerance)
    heads = load_file(folder / "heads.safetensors")
    assert list(heads) and read(folder / "labels.json") == list(trained.labels)
    assert read(folder / "config.json")["heads"].keys() == heads.keys()


@pytest.mark.parametrize("name", SETS)
def test_data_folder_is_read(written, name):
    info = read_info(written / "data", name)
    for split, counts in info["splits"].items():
        studies = open_studies(written / "data", name, split, truth=True)
        assert (len(studies), studies.fingerprint) == (counts["studies"], info["fingerprint"])
        read_all = [studies[k] for k in range(len(studies))]
        assert len(set(studies.index.patient.tolist())) == counts["patients"]
        assert sum(len(study.views) for study in read_all) == counts["images"]
        for kind in (k for c, k in CONFIGS.items() if (written / "data" / name / c).exists()):
            if split in read_annotations(written, name, kind):
                assert len(list(open_annotations(written / "data", name, kind, split))) > 0


def read_annotations(written, name, kind):
    config = next(c for c, k in CONFIGS.items() if k is kind)
    (info,) = (written / "data" / name / config).glob("*/dataset.json")
    return read(info)["splits"]


@pytest.fixture(scope="session")
def check(written):
    """The suite that the cell was made with, its rows, and a runner; `values` is to be given."""
    spec = importlib.util.spec_from_file_location("suite_before", written / "suite.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite, cell = module.get_config(), read(written / CELL / "cell.json")
    options = parse_check(suite.cells.to_dict())
    sites = {name: Sources(text=True, labels=True) for name in SETS}
    rows = row_specs(options, sites, {"dlilp": sites[SETS[0]]})

    def runner(values):
        return CellRunner(
            root=ROOT,
            output=written / "check",
            suite=str(written / "suite.py"),
            digest=digest_of(suite.to_dict()),
            data_dir=str(written / "data"),
            variant="tiny",
            flags=tuple(cell["flags"]),
            evaluated=("simulated_cxr_e1",),
            fingerprints={name: read_info(written / "data", name)["fingerprint"] for name in SETS},
            values={pathlib.Path(CELL).name: values},
        )

    return options, rows, runner


def test_cell_is_known_to_be_complete(written, check):
    options, rows, runner = check
    (cell,) = needed_cells(rows)
    config = read(written / "check" / "cell_config.json")
    finished = runner(config_digest(config))
    assert finished.done(cell)
    table = tabulate(options, rows, finished, replicates=20, seed=0)
    metrics = read_rows(written / CELL / "evaluation" / "metrics.json")
    (value,) = [row["value"] for row in metrics if row["metric"] == "auroc"]
    assert table.rows[0].results["findings"].estimate.value == pytest.approx(value)
    config["optimizer"]["learning_rate"] /= 2
    with pytest.raises(CellError, match="was made with values"):
        runner(config_digest(config)).done(cell)
