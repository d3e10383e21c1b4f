# SPDX-License-Identifier: Apache-2.0
"""The lock has the tested versions, and a hash for each of them."""

import configparser
import pathlib
import re

from experiments.lock_requirements import CONSTRAINTS, EXTRAS, LOCK, lock_text

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Comes with what builds packages; nobody here asks for a version.
_NOT_CONSTRAINED = {"setuptools"}


def versions(path: pathlib.Path) -> dict[str, str]:
    found = re.findall(r"(?m)^([A-Za-z0-9_.\-]+)(?:\[[^]]*\])?==([^\s;]+)", path.read_text())
    return {name.lower().replace("_", "-"): version for name, version in found}


def test_versions_are_those_of_the_constraints() -> None:
    locked, tested = versions(LOCK), versions(CONSTRAINTS)
    assert len(locked) > 100
    others = {n: (v, tested.get(n)) for n, v in locked.items() if tested.get(n) != v}
    assert set(others) <= _NOT_CONSTRAINED, others


def test_what_the_package_needs_is_locked() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    needed = setup["options"]["install_requires"].split("\n")
    needed += [line for name in EXTRAS.split(",") for line in extras[name].split("\n")]
    names = {re.split(r"[<>=\[;~! ]", line.strip())[0] for line in needed if line.strip()}
    missing = {name for name in names if name.lower().replace("_", "-") not in versions(LOCK)}
    assert not missing, f"run python -m experiments.lock_requirements: {missing}"


def test_every_package_has_one_version_and_a_hash() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if line and line[0] != "#"]
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)


def test_a_lock_is_made_of_pip_s_report() -> None:
    archive = {"archive_info": {"hashes": {"sha256": "0" * 64}}}
    packages = [("b", "2"), ("A", "1")]
    report = {
        "install": [
            *({"metadata": dict(name=n, version=v), "download_info": archive} for n, v in packages),
            {"metadata": dict(name="medst_jax", version="0"), "download_info": {"dir_info": {}}},
        ]
    }
    lines = [line for line in lock_text(report).splitlines() if line[0] != "#"]
    assert lines == [f"A==1 --hash=sha256:{'0' * 64}", f"b==2 --hash=sha256:{'0' * 64}"]
