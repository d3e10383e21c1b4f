# SPDX-License-Identifier: Apache-2.0
"""Print a GKE JobSet manifest that trains on one or several slices.

python launch/pod/jobset.py --name=medst --image=REGISTRY/medst_jax:tpu --topology=v5e:4x4 [--slices=2] [--spot]
    --data_from=gs://BUCKET/data [--service_account=NAME] [--max_restarts=100] --
    launch/train.py --config=configs/dlilp.py --workdir=gs://BUCKET/runs/dlilp
    --config.data.data_dir=/data | kubectl apply -f -
"""

import pathlib
import sys

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from absl import app, flags

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.commands.pod.manifest import Manifest

_NAME = flags.DEFINE_string("name", None, "Name of the JobSet.", required=True)
_IMAGE = flags.DEFINE_string(
    "image", "", "Container image that holds the repository, see Dockerfile."
)
_TOPOLOGY = flags.DEFINE_string("topology", None, "Chips of a slice: v5e:4x4.", required=True)
_FROM = flags.DEFINE_string("data_from", "", "Folder of prepared data in a bucket, gs://...")
_TO = flags.DEFINE_string("data_to", "/data", "Where the pods see it.")
_SLICES = flags.DEFINE_integer("slices", 1, "How many slices train together.", lower_bound=1)
_SPOT = flags.DEFINE_bool("spot", False, "Run on spot nodes.")
_RESTARTS = flags.DEFINE_integer("max_restarts", 100, "Of the whole JobSet.", lower_bound=0)
_GRACE = flags.DEFINE_integer("grace_seconds", 120, "From SIGTERM to SIGKILL.", lower_bound=1)
_ACCOUNT = flags.DEFINE_string("service_account", "default", "May read the bucket.")


def main(argv: list[str]) -> None:
    manifest = Manifest(
        name=_NAME.value,
        image=_IMAGE.value,
        topology=_TOPOLOGY.value,
        program=argv[1:],
        data_from=_FROM.value,
        data_to=_TO.value,
        slices=_SLICES.value,
        spot=_SPOT.value,
        max_restarts=_RESTARTS.value,
        grace_seconds=_GRACE.value,
        service_account=_ACCOUNT.value,
    )
    with user_errors():
        print(manifest.render())


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
