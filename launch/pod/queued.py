# SPDX-License-Identifier: Apache-2.0
"""States of a queued resource: read, waited for, ended."""

import json
import time
from collections.abc import Callable

from medst_jax.command_line import user_command
from medst_jax.commands.pod.gcloud import CallError, Gcloud, Result, command_line, last_words
from medst_jax.commands.pod.slice import PodError, Slice

ABSENT, ACTIVE, FAILED, SUSPENDED = "ABSENT", "ACTIVE", "FAILED", "SUSPENDED"
WAITING = ("WAITING_FOR_RESOURCES", "PROVISIONING", "CREATING", "ACCEPTED")
LEAVING = ("SUSPENDING", "DELETING")


def read_state(gcloud: Gcloud, wanted: Slice) -> tuple[str, str]:
    """State of the request, ABSENT when there is none, and the service's reason for a failure.

    Raises:
      CallError: it cannot be read; not when it does not exist.
    """
    result = gcloud(*wanted.describe(), check=False)
    if result.code:
        if is_absent(result):
            return ABSENT, ""
        raise CallError(f"{command_line(wanted.describe())} failed: {last_words(result)}")
    if gcloud.dry_run:
        return ABSENT, ""
    state = json.loads(result.output).get("state", {})
    reason = state.get("failedData", {}).get("error", {}).get("message", "")
    return state.get("state", "UNKNOWN"), reason


def is_absent(result: Result) -> bool:
    """Whether a call failed because the request does not exist."""
    return result.code != 0 and ("NOT_FOUND" in result.errors or "not found" in result.errors)


def wait_active(gcloud: Gcloud, wanted: Slice, poll: float, say: Callable[[str], None]) -> None:
    """Wait until the slices are there.

    Raises:
      PodError: the request failed or ended; holds the service's reason.
    """
    seen = ""
    while True:
        state, reason = read_state(gcloud, wanted)
        if state != seen:
            say(f"{wanted.name}: {state}")
            seen = state
        if state == ACTIVE:
            return
        if state not in WAITING:
            raise PodError(failure(wanted, state, reason))
        time.sleep(poll)


def failure(wanted: Slice, state: str, reason: str) -> str:
    """What to tell about a request that will not become active."""
    why = f": {reason}" if reason else ""
    return (
        f"{wanted.name} is {state}{why}; delete it with {user_command('pod delete')}, then change the zone, "
        "the accelerator or the quota"
    )


def delete(gcloud: Gcloud, wanted: Slice, poll: float) -> bool:
    """Delete the request and wait until it is gone; whether there was one."""
    result = gcloud(*wanted.delete(), check=False)
    if is_absent(result):
        return False
    if result.code:
        raise CallError(f"{command_line(wanted.delete())} failed: {last_words(result)}")
    while not gcloud.dry_run and read_state(gcloud, wanted)[0] != ABSENT:
        time.sleep(poll)
    return True
