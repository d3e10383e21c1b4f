# SPDX-License-Identifier: Apache-2.0
"""Flags that the pod commands share, and how one of them runs.

Write the flags that stay the same into a file, one a line, and pass --flagfile=FILE.
"""

import sys
from collections.abc import Callable

from absl import app, flags

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.commands.pod.gcloud import Gcloud
from medst_jax.commands.pod.slice import Slice

_NAME = flags.DEFINE_string("name", None, "Name of the queued resource and its nodes.")
_ZONE = flags.DEFINE_string("zone", None, "Zone, for example us-west4-a.")
_PROJECT = flags.DEFINE_string("project", "", "Project; default: that of gcloud's configuration.")
_SLICES = flags.DEFINE_integer("slices", 1, "How many slices train together.", lower_bound=1)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what would be done, do nothing.")
_ACCELERATOR = flags.DEFINE_string("accelerator", "", "TPU type, for example v5litepod-16.")
_RUNTIME = flags.DEFINE_string("runtime_version", "", "Machine image; default: the generation's.")
_SPOT = flags.DEFINE_bool("spot", False, "Ask for spot capacity.")
_VALID = flags.DEFINE_string("valid_until_duration", "", "How long the request may wait: 6h.")
POLL = flags.DEFINE_float("poll_seconds", 30.0, "Seconds between two looks.", lower_bound=0.0)


def run(action: Callable[[Gcloud, Slice, list[str]], int | None]) -> None:
    """Run `action(gcloud, slice, arguments after --)`; its result is the exit code."""

    def main(argv: list[str]) -> None:
        if not _NAME.value or not _ZONE.value:
            raise app.UsageError("--name and --zone are required")
        with user_errors():
            wanted = Slice(
                name=_NAME.value,
                zone=_ZONE.value,
                accelerator=_ACCELERATOR.value,
                slices=_SLICES.value,
                spot=_SPOT.value,
                project=_PROJECT.value,
                runtime=_RUNTIME.value,
                valid_until=_VALID.value,
            )
            code = action(Gcloud(dry_run=_DRY_RUN.value), wanted, argv[1:])
        sys.exit(code or 0)

    app.run(main, flags_parser=parse_flags)


def say(line: str) -> None:
    print(line, flush=True)
