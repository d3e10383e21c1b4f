# SPDX-License-Identifier: Apache-2.0
"""The GKE JobSet of a run, rendered from jobset.yaml."""

import dataclasses
import json
import math
import pathlib
import re
import string
from collections.abc import Sequence

from medst_jax.commands.pod.bucket import bucket_and_folder
from medst_jax.commands.pod.program import words_of
from medst_jax.commands.pod.slice import PodError
from medst_jax.commands.pod.watching import RESTART_CODES

TEMPLATE = pathlib.Path(__file__).with_name("jobset.yaml")
# GKE's name of a generation; hosts of a slice hold four chips.
ACCELERATORS = {
    "v4": "tpu-v4-podslice",
    "v5e": "tpu-v5-lite-podslice",
    "v5p": "tpu-v5p-slice",
    "v6e": "tpu-v6e-slice",
    "tpu7x": "tpu7x",
}
_CHIPS_PER_HOST = 4


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a JobSet needs to know.

    Attributes:
      name: of the JobSet.
      image: container image with the repository as its working directory.
      topology: generation and chips of a slice, as the planner writes it: "v5e:4x4".
      program: words of the program, `launch/train.py` or `medst train` first.
      data_from: folder of prepared data in a bucket.
      data_to: where the pods see it.
      slices: how many.
      spot: run on spot nodes.
      max_restarts: of the whole JobSet.
      grace_seconds: from SIGTERM to SIGKILL.
      service_account: Kubernetes account that may read the bucket.
    """

    name: str
    image: str
    topology: str
    program: Sequence[str]
    data_from: str
    data_to: str = "/data"
    slices: int = 1
    spot: bool = False
    max_restarts: int = 100
    grace_seconds: int = 120
    service_account: str = "default"

    def render(self) -> str:
        """The manifest as YAML.

        Raises:
          PodError: a name Kubernetes refuses, an unknown topology, no bucket, no program.
        """
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", self.name):
            raise PodError(f"--name={self.name}: use lower case letters, digits and -, at most 40")
        if not self.program or not self.image:
            raise PodError("--image and, after --, the program are required")
        bucket, folder = bucket_and_folder(self.data_from)
        if not re.fullmatch(r"/[^:\x00-\x1f]*", self.data_to):
            raise PodError(f"--data_to={self.data_to}: give a folder from /, without a colon")
        generation, _, shape = self.topology.partition(":")
        if generation not in ACCELERATORS or not re.fullmatch(r"\d+(x\d+){1,2}", shape):
            raise PodError(
                f"--topology={self.topology}; give GENERATION:CHIPS such as v5e:4x4, of "
                f"{', '.join(ACCELERATORS)}"
            )
        chips = math.prod(int(side) for side in shape.split("x"))
        per_host = min(chips, _CHIPS_PER_HOST)
        options = ["implicit-dirs", *([f"only-dir={folder}"] if folder else ())]
        values = {
            "name": self.name,
            "max_restarts": self.max_restarts,
            "slices": self.slices,
            "hosts": chips // per_host,
            "chips": per_host,
            "again": sorted(RESTART_CODES),
            "grace_seconds": self.grace_seconds,
            "service_account": self.service_account,
            "accelerator": ACCELERATORS[generation],
            "topology": shape,
            "image": self.image,
            "command": [*map(_verbatim, words_of(self.program, "python", "medst"))],
            "data_to": self.data_to,
            "bucket": bucket,
            "mount_options": ",".join(options),
        }
        # JSON is YAML: quoting is left to it.
        quoted = {key: json.dumps(value) for key, value in values.items()}
        quoted["spot_selector"] = 'cloud.google.com/gke-spot: "true"' if self.spot else ""
        return string.Template(TEMPLATE.read_text()).substitute(quoted)


def _verbatim(word: str) -> str:
    """A word of a command that Kubernetes leaves as it is: it puts variables in for `$(NAME)`.

    >>> _verbatim("--name=$(date)"), _verbatim("$$ and $HOME")
    ('--name=$$(date)', '$$$$ and $HOME')
    """
    return re.sub(r"\$+(?=\()|\${2,}", lambda match: 2 * match[0], word)
