# SPDX-License-Identifier: Apache-2.0
"""A cloud of stand-ins: gcloud, and what scripts on workers call."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WHERE = ("--name=pod", "--zone=us-west4-a", "--poll_seconds=0.05")


@dataclasses.dataclass
class Cloud:
    """A folder that plays the cloud."""

    folder: pathlib.Path

    def play(self, **scenario):
        """Set the scenario; see gcloud.py."""
        scenario = {"lives": [["ACTIVE"]], "workers": 2, "codes": [[0]], **scenario}
        (self.folder / "scenario.json").write_text(json.dumps(scenario))
        for worker in range(scenario["workers"]):
            codes = scenario["codes"][min(worker, len(scenario["codes"]) - 1)]
            (self.folder / f"codes-{worker}").write_text("".join(f"{c}\n" for c in codes))

    def run(self, command, *arguments, path=None, where=WHERE):
        """Run launch/pod/COMMAND.py against the stand-ins."""
        return subprocess.run(
            [sys.executable, str(ROOT / "launch" / "pod" / f"{command}.py"), *where, *arguments],
            env={**os.environ, "CLOUD": str(self.folder), "PATH": path or self._path()},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def calls(self, *words):
        """Recorded calls that have all the words, or flags of that name."""
        file = self.folder / "calls.jsonl"
        lines = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        return [
            call
            for call in lines
            if all(any(part.split("=")[0] == w for part in call) for w in words)
        ]

    def homes(self):
        return sorted(self.folder.glob("homes/*/*"))

    def _path(self):
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"


@pytest.fixture
def cloud(tmp_path):
    """Stand-ins on a PATH of their own; what they started is ended afterwards."""
    if shutil.which("setsid") is None:
        pytest.skip("setsid of util-linux is not installed")
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "gcloud": f'#!/bin/bash\nexec {sys.executable} -S {HERE / "gcloud.py"} "$@"\n',
        "hostname": "#!/bin/bash\necho $FAKE_HOST\n",
        "python3": "#!/bin/bash\nexit 0\n",
    }
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    made = Cloud(tmp_path)
    made.play()
    shutil.copy(HERE / "program.sh", tmp_path / "program")
    (tmp_path / "program").chmod(0o755)
    yield made
    for pid in tmp_path.glob("homes/*/*/medst_pod/pid"):
        try:
            os.killpg(int(pid.read_text()), 9)
        except ProcessLookupError:
            pass
