# SPDX-License-Identifier: Apache-2.0
"""Calls of the `gcloud` command line tool: shown, run, or only shown."""

import dataclasses
import shlex
import subprocess
from collections.abc import Sequence

from medst_jax.commands.pod.slice import PodError


class CallError(PodError):
    """A call of gcloud that failed; another try may go well."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a call printed, and its exit code."""

    code: int
    output: str
    errors: str


@dataclasses.dataclass(frozen=True)
class Gcloud:
    """Runs `gcloud`; with `dry_run` it prints the calls instead.

    Attributes:
      dry_run: print, do nothing.
      timeout: seconds after which a call counts as failed; None waits for ever.
    """

    dry_run: bool = False
    timeout: float | None = 3600.0

    def __call__(self, *arguments: str, check: bool = True) -> Result:
        """Run one call.

        Args:
          *arguments: after `gcloud`.
          check: a failure is an error; otherwise the caller reads the code.

        Raises:
          CallError: a checked call failed; holds its last words.
          PodError: gcloud is not installed.
        """
        command = ("gcloud", *arguments)
        if self.dry_run:
            print(shlex.join(command))
            return Result(0, "", "")
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.timeout,
            )
        except FileNotFoundError:
            raise PodError(
                "gcloud is not installed or not on PATH; see https://cloud.google.com/sdk/docs/install"
            ) from None
        except subprocess.TimeoutExpired:
            result = Result(124, "", f"no answer within {self.timeout:g} seconds")
        else:
            result = Result(done.returncode, done.stdout, done.stderr)
        if check and result.code:
            raise CallError(f"{command_line(arguments)} failed: {last_words(result)}")
        return result

    def attached(self, *arguments: str) -> int:
        """Run one call with the terminal's own output, as for a log that is followed."""
        if self.dry_run:
            return self(*arguments).code
        try:
            return subprocess.run(("gcloud", *arguments), check=False).returncode
        except FileNotFoundError:
            return self(*arguments).code  # raises the error that says so


def command_line(arguments: Sequence[str]) -> str:
    """A call without the scripts it carries."""
    shown = [a for a in arguments if not a.startswith("--command=")]
    return shlex.join(("gcloud", *shown))


def last_words(result: Result, lines: int = 15) -> str:
    """The end of what a failed call said."""
    printed = (result.errors.strip() or result.output.strip()).splitlines()
    return f"exit code {result.code}\n" + "\n".join(f"  {line}" for line in printed[-lines:])
