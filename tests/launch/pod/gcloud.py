# SPDX-License-Identifier: Apache-2.0
"""A stand-in for gcloud: records calls, plays back states, runs scripts in workers' own homes.

The folder CLOUD holds scenario.json:
  lives: for each request, the states that one `describe` after the other answers; the last stays.
  workers: workers of a slice.
  codes: exit codes of the program of worker 0, 1, ... (the last of all others), one a start; -1
    runs until it is stopped, and then ends with 75.
  refuse: what `create` answers instead of making anything.
  broken: numbers of the ssh calls that fail.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

CLOUD = pathlib.Path(os.environ["CLOUD"])
SCENARIO = json.loads((CLOUD / "scenario.json").read_text())
STATE = CLOUD / "state.json"


def main(arguments):
    state = json.loads(STATE.read_text()) if STATE.exists() else {"life": -1, "looks": 0, "ssh": 0}
    with (CLOUD / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    verb = arguments[:4] if arguments[0] == "compute" else arguments[:1]
    code = ACTIONS[tuple(verb[2:])](arguments, state) if len(verb) == 4 else 0
    STATE.write_text(json.dumps(state))
    sys.exit(code)


def create(arguments, state):
    if "refuse" in SCENARIO:
        print(SCENARIO["refuse"], file=sys.stderr)
        return 1
    state |= {"life": state["life"] + 1, "looks": 0, "there": True}
    end_all()
    count = next((a.split("=")[1] for a in arguments if a.startswith("--node-count=")), None)
    nodes = [arguments[4]] if count is None else [f"{arguments[4]}-{k}" for k in range(int(count))]
    for node in nodes:
        for worker in range(SCENARIO["workers"]):
            (CLOUD / "homes" / node / str(worker) / ".local" / "bin").mkdir(parents=True)
    return 0


def describe(arguments, state):
    if not state.get("there"):
        print(f"ERROR: NOT_FOUND: {arguments[4]} was not found", file=sys.stderr)
        return 1
    states = SCENARIO["lives"][state["life"]]
    now = states[min(state["looks"], len(states) - 1)]
    state["looks"] += 1
    answer = {"state": now}
    if now == "FAILED":
        answer["failedData"] = {"error": {"message": "no more capacity in the zone"}}
    print(json.dumps({"name": arguments[4], "state": answer}))
    return 0


def delete(arguments, state):
    if not state.get("there"):
        print("ERROR: NOT_FOUND", file=sys.stderr)
        return 1
    state["there"] = False
    end_all()
    return 0


def scp(arguments, state):
    source, target = arguments[4:6]
    node, _, name = target.partition(":")
    for home in homes(node):
        shutil.copy(source, home / name)
    return 0


def ssh(arguments, state):
    state["ssh"] += 1
    if state["ssh"] in SCENARIO.get("broken", ()):
        print("ssh: connect to host port 22: Connection refused", file=sys.stderr)
        return 255
    script = next(a.removeprefix("--command=") for a in arguments if a.startswith("--command="))
    codes = []
    for home in homes(arguments[4]):
        uv = home / ".local" / "bin" / "uv"
        uv.write_text(
            "#!/bin/bash\n[ $1 != venv ] || { mkdir -p .venv/bin; cp $CLOUD/program .venv/bin/python; }\n"
        )
        uv.chmod(0o755)
        environment = {
            **os.environ,
            "HOME": str(home),
            "FAKE_HOST": f"{home.parent.name}-w{home.name}",
            "FAKE_WORKER": home.name,
        }
        codes.append(
            subprocess.run(["bash", "-c", script], env=environment, check=False).returncode
        )
    return max(codes)


def homes(node):
    return sorted((CLOUD / "homes" / node).iterdir())


def end_all():
    for pid in CLOUD.glob("homes/*/*/medst_pod/pid"):
        try:
            os.killpg(int(pid.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass
    shutil.rmtree(CLOUD / "homes", ignore_errors=True)


ACTIONS = {
    ("queued-resources", "create"): create,
    ("queued-resources", "describe"): describe,
    ("queued-resources", "delete"): delete,
    ("tpu-vm", "scp"): scp,
    ("tpu-vm", "ssh"): ssh,
}

if __name__ == "__main__":
    main(sys.argv[1:])
