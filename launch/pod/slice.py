# SPDX-License-Identifier: Apache-2.0
"""A request for TPU slices, and the gcloud arguments that name it."""

import dataclasses
import re

from medst_jax.command_line import user_command

# Machine images by generation; the first prefix that matches an accelerator type.
RUNTIMES = {
    "v6e": "v2-alpha-tpuv6e",
    "v5litepod": "v2-alpha-tpuv5-lite",
    "v5p": "v2-alpha-tpuv5",
    "v4": "tpu-ubuntu2204-base",
    "v3": "tpu-ubuntu2204-base",
    "v2": "tpu-ubuntu2204-base",
}


# gcloud would read another name as a flag, or refuse it after minutes.
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,59}[a-z0-9])?")
_ZONE = re.compile(r"[a-z][-a-z0-9]*")


class PodError(RuntimeError):
    """Something about the slice or the command line tool; the message is for the user."""


@dataclasses.dataclass(frozen=True)
class Slice:
    """One queued resource: one slice, or several of the same kind for one run.

    Attributes:
      name: of the queued resource; nodes are named after it.
      zone: where.
      accelerator: type and number of cores or chips, for example "v5litepod-16".
      slices: how many.
      spot: cheaper, and taken away at any time.
      project: "" for the command line tool's own.
      runtime: machine image; "" for the generation's.
      valid_until: how long the request may wait, for example "6h"; "" for ever.

    Raises:
      PodError: a name or zone that is none.
    """

    name: str
    zone: str
    accelerator: str = ""
    slices: int = 1
    spot: bool = False
    project: str = ""
    runtime: str = ""
    valid_until: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise PodError(f"--name={self.name}: use lower case letters, digits and -, at most 61")
        if not _ZONE.fullmatch(self.zone):
            raise PodError(f"--zone={self.zone} is no zone; give one such as us-west4-a")

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the slices' nodes, as the service forms them."""
        if self.slices == 1:
            return (self.name,)
        return tuple(f"{self.name}-{k}" for k in range(self.slices))

    @property
    def place(self) -> tuple[str, ...]:
        """The arguments that every call needs."""
        return (f"--zone={self.zone}", *([f"--project={self.project}"] if self.project else ()))

    def create(self) -> tuple[str, ...]:
        """Arguments of `gcloud` that request the slices.

        Raises:
          PodError: no accelerator is named, or one whose machine image is not known.
        """
        if self.slices == 1:
            nodes = [f"--node-id={self.name}"]
        else:
            nodes = [f"--node-count={self.slices}", f"--node-prefix={self.name}"]
        optional = ["--spot"] if self.spot else []
        if self.valid_until:
            optional.append(f"--valid-until-duration={self.valid_until}")
        return (
            *("compute", "tpus", "queued-resources", "create", self.name, *nodes),
            f"--accelerator-type={self.accelerator}",
            f"--runtime-version={self._runtime()}",
            *optional,
            *self.place,
        )

    def describe(self) -> tuple[str, ...]:
        """Arguments that print the request as JSON."""
        verb = ("compute", "tpus", "queued-resources", "describe", self.name)
        return (*verb, "--format=json", *self.place)

    def delete(self) -> tuple[str, ...]:
        """Arguments that delete the request and its nodes, whatever their state."""
        verb = ("compute", "tpus", "queued-resources", "delete", self.name)
        return (*verb, "--force", "--quiet", *self.place)

    def _runtime(self) -> str:
        if not self.accelerator:
            raise PodError("no TPU is named; give --accelerator, for example v5litepod-16")
        if self.runtime:
            return self.runtime
        for prefix, image in RUNTIMES.items():
            if self.accelerator.startswith(prefix):
                return image
        if self.accelerator.startswith(("tpu7x", "v7")):
            raise PodError(
                f"{self.accelerator} is offered through GKE alone; use {user_command('pod jobset')}"
            )
        raise PodError(
            f"--accelerator={self.accelerator} is of no known generation "
            f"({', '.join(RUNTIMES)}); give its image with --runtime_version"
        )
