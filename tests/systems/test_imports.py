# SPDX-License-Identifier: Apache-2.0
"""How little of the project one system needs: counted in a process of its own."""

import json
import subprocess
import sys

from tests.parallel.together import ROOT

PROGRAM = """
import json, sys
import medst_jax.systems
first = [name for name in sys.modules if name.startswith("medst_jax.systems.")]
medst_jax.systems.build(
    "clip", image=dict(name="resnet_small"), text=dict(name="bert_small"),
    preprocess=dict(size=32, channels=1), joint=8, vocabulary_size=100,
)
print(json.dumps([first, sorted(n for n in sys.modules if n.split(".")[0] == "medst_jax")]))
"""


def test_the_catalogue_imports_no_system_and_clip_few_files() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, built = json.loads(done.stdout.splitlines()[-1])
    assert first == []
    assert "medst_jax.systems.clip" in built and "medst_jax.systems.mgca" not in built
    assert len(built) <= 40, built
