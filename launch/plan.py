# SPDX-License-Identifier: Apache-2.0
"""What a configuration needs and costs on TPUs or NVIDIA GPUs; needs neither of them, and no data.

    python launch/plan.py --config=configs/dlilp.py --topology=v5e:4x4
    python launch/plan.py --config=configs/siglip_b16.py --topology=v5p:2x2x4 --per_chip_batch=256 \\
        --config.mesh.fsdp=4 --config.rules=fsdp --json
    python launch/plan.py --config=configs/medst.py --topology=h100:8 --fit

Compiles the train step that training runs and reports memory, FLOPs, collectives and an
estimated step time. A program that does not fit is an answer with the compiler's figures.
Label set and vocabulary are the prepared data's, else those of config.system.labels and
config.system.vocabulary_size, else 14 labels and 32,000 pieces.
"""

import json
import logging
import pathlib
import sys

import absl.logging
from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import config_flag
from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.plan.topology import prepare_environment

# Before anything imports a backend.
prepare_environment()

_CONFIG = config_flag.define("config")
_TOPOLOGY = flags.DEFINE_string(
    "topology", None, "Chips and shape, v5e:4x4; GPUs of a node, h100:8; nodes, h100:2x8."
)
_SLICES = flags.DEFINE_integer("num_slices", 1, "Slices of TPUs of that shape.", lower_bound=1)
_BATCH = flags.DEFINE_integer("per_chip_batch", None, "Examples per chip.", lower_bound=1)
_FIT = flags.DEFINE_bool("fit", False, "Search the largest batch per chip that fits.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")
_HLO = flags.DEFINE_string("dump_hlo", None, "Write the compiled module's text to this file.")
_ENCODERS = flags.DEFINE_bool("encoders", False, "Plan each encoder by itself, not the train step.")
_SHARDINGS = flags.DEFINE_bool("print_shardings", False, "Print how parameters are cut, and stop.")
_BREAKDOWN = flags.DEFINE_integer("breakdown", 0, "Print so many of the dearest places.")


def main(_: list[str]) -> None:
    if _CONFIG.value is None or not _TOPOLOGY.value:
        raise app.UsageError("--config and --topology are required")
    # JAX only now: flags are parsed, and help printed, without it.
    from medst_jax.commands.parts.planning import Request, answer

    absl.logging.set_verbosity(absl.logging.WARNING)
    logging.getLogger("medst_jax").setLevel(logging.INFO)
    # Through JSON, as train.py does: the same values give the same program.
    config = json.loads(json.dumps(_CONFIG.value.to_dict()))
    request = Request(
        topology=_TOPOLOGY.value,
        slices=_SLICES.value,
        per_chip_batch=_BATCH.value,
        fit=_FIT.value,
        json=_JSON.value,
        dump_hlo=_HLO.value,
        encoders=_ENCODERS.value,
        shardings=_SHARDINGS.value,
        breakdown=_BREAKDOWN.value,
    )
    with user_errors():
        print(answer(config, request))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
