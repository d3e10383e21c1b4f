# SPDX-License-Identifier: Apache-2.0
"""Export a training run for other programs, and check that the files give its outputs.

    python launch/export.py --checkpoint=/tmp/dlilp --format=safetensors --output=/tmp/dlilp_export

safetensors: the image encoder under the names of torchvision (ResNet), timm (ViT) or its own
release, the heads and the text encoder; stablehlo: image tower, text tower and zero-shot head as
programs for any batch. Both with config.json, tokenizer.model, labels.json and a model card, which
quotes the metrics.json of --metrics, of WORKDIR/evaluation or of WORKDIR.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

FORMATS = ("safetensors", "stablehlo")

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Workdir of a training run.", required=True)
_FORMAT = flags.DEFINE_enum("format", "safetensors", FORMATS, "What to write.")
_OUTPUT = flags.DEFINE_string("output", None, "New folder, or an earlier export.", required=True)
_METRICS = flags.DEFINE_string("metrics", None, "metrics.json for the model card.")
_STEP = flags.DEFINE_integer("step", None, "Which checkpoint; default: the newest.")
_EMA = flags.DEFINE_bool("ema", False, "Use the moving average of the parameters.")
_PUSH = flags.DEFINE_string("push_to", None, "owner/name on the Hugging Face Hub, private.")
_PUBLIC = flags.DEFINE_bool("public", False, "Let anybody read what --push_to uploads.")
_MAY_PUBLISH = flags.DEFINE_bool(
    "i_may_publish", False, "You may publish weights trained on data that may not be redistributed."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    # JAX only now: flags are parsed, and help printed, without it.
    from etils import epath

    from medst_jax.export.checkpoint import export_checkpoint, read_rows
    from medst_jax.export.push import check_permission, push, restricted_sources
    from medst_jax.train.checkpoint import load_system
    from medst_jax.train.workdir import SUMMARY_FILE, read_json

    workdir = epath.Path(_CHECKPOINT.value)
    beside = [folder / "metrics.json" for folder in (workdir / "evaluation", workdir)]
    metrics = _METRICS.value or next((path for path in beside if path.exists()), None)
    with user_errors():
        rows = read_rows(metrics) if metrics else []
        loaded = load_system(_CHECKPOINT.value, step=_STEP.value, ema=_EMA.value)
        restricted = restricted_sources(loaded.config, loaded.stamp)
        if _PUSH.value:  # before the work of the export
            check_permission(restricted, public=_PUBLIC.value, i_may_publish=_MAY_PUBLISH.value)
        summary = workdir / SUMMARY_FILE
        folder = export_checkpoint(
            loaded,
            _FORMAT.value,
            _OUTPUT.value,
            rows=rows,
            summary=read_json(summary) if summary.exists() else None,
        )
        address = None
        if _PUSH.value:
            address = push(
                folder,
                _PUSH.value,
                public=_PUBLIC.value,
                restricted=restricted,
                i_may_publish=_MAY_PUBLISH.value,
            )
    if metrics is None:
        print(f"the card has no results: there is no metrics.json in {workdir / 'evaluation'}")
    for file in sorted(path.name for path in folder.iterdir()):
        print(folder / file)
    if address:
        print(f"pushed to {address}{'' if _PUBLIC.value else ' (private)'}")


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
