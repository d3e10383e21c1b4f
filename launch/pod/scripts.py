# SPDX-License-Identifier: Apache-2.0
"""Shell scripts that run on each worker.

A run leaves three files in ~/medst_pod: `pid` of its session, `log.txt`, and `exit` with its exit
code once it has ended. Training outlives the ssh connection that started it.
"""

import re
import shlex
from collections.abc import Sequence

from medst_jax.commands.pod.bucket import bucket_and_folder
from medst_jax.commands.pod.program import words_of

HOME = "~/medst_jax"
_STATUS = re.compile(
    r"^medst-worker (\S+) (bare|idle|running|lost|ended)(?: (\d+))?$", re.MULTILINE
)

# Last, when the data are there as well.
READY = "touch ~/medst_pod/ready"

STATUS = """cd ~/medst_pod 2>/dev/null || { echo medst-worker $(hostname) bare; exit 0; }
if [ ! -f ready ]; then echo medst-worker $(hostname) bare
elif [ -f exit ]; then echo medst-worker $(hostname) ended $(cat exit)
elif [ ! -f pid ]; then echo medst-worker $(hostname) idle
elif kill -0 $(cat pid) 2>/dev/null; then echo medst-worker $(hostname) running
else echo medst-worker $(hostname) lost; fi"""

# To the whole session: the program saves and ends, its shell notes the exit code.
STOP = """cd ~/medst_pod 2>/dev/null && [ -f pid ] && [ ! -f exit ] && kill -TERM -- -$(cat pid) || true"""


def install(archive: str) -> str:
    """Install this code from a file in the worker's home, see `archive.pack`."""
    install = "~/.local/bin/uv pip install --quiet --python .venv/bin/python"
    if archive.endswith(".whl"):
        unpack = ":"
        # The same version may hold other code than the one that is there.
        wheel = f'"medst_jax[tpu] @ file://$HOME/"{shlex.quote(archive)}'
        install += f" --reinstall-package medst_jax {wheel}"
    else:
        unpack = f"tar -xzf ~/{shlex.quote(archive)} -C {HOME}"
        install += " -c constraints-3.11.txt -e '.[tpu]'"
    # Python 3.11 is not on every machine image; uv brings it.
    return f"""set -e
mkdir -p {HOME} ~/medst_pod
{unpack}
cd {HOME}
python3 -m pip install --quiet --user uv
[ -x .venv/bin/python ] || ~/.local/bin/uv venv --quiet --python 3.11 .venv
{install}"""


def start(program: Sequence[str], *, keep: bool) -> str:
    """Start a program, detached, in the folder of the repository.

    keep: where one runs already, let it; otherwise that is an error.
    """
    words = words_of(program, ".venv/bin/python", ".venv/bin/medst")
    called = " ".join(_word(word) for word in words)
    # The trap keeps the shell alive through a SIGTERM to its session; the program sees the signal.
    body = (
        f"trap : TERM; {called}; echo $? > ~/medst_pod/code; mv ~/medst_pod/code ~/medst_pod/exit"
    )
    running = "exit 0" if keep else "echo 'a run is going on already' >&2; exit 3"
    return f"""set -e
cd {HOME}
pid=~/medst_pod/pid
if [ -f $pid ] && [ ! -f ~/medst_pod/exit ] && kill -0 $(cat $pid) 2>/dev/null; then {running}; fi
rm -f ~/medst_pod/exit
nohup setsid bash -c {shlex.quote(body)} >> ~/medst_pod/log.txt 2>&1 < /dev/null &
echo $! > $pid"""


def log(lines: int, follow: bool = False) -> str:
    """Print the end of the log."""
    return f"tail -n {lines} {'-F ' if follow else ''}~/medst_pod/log.txt"


def stage(source: str, data_dir: str, datasets: Sequence[str], vocabulary: str) -> str:
    """Copy what a run reads from a bucket to the worker's disk; what is there already stays.

    Exclusion lists of all data sets come along: a run leaves out the patients they name.
    """
    copy = "gcloud storage rsync --recursive"
    place = _path(data_dir)
    lines = ["set -e", f"mkdir -p {place}"]
    lists = shlex.quote(r"^(?!.*/exclude\.json$).*$")
    banks = shlex.quote("^banks/.*")
    lines.append(f"{copy} --exclude={lists} {shlex.quote(source)} {place}")
    for name in datasets:
        folder, to = shlex.quote(f"{source}/{name}"), _path(f"{data_dir}/{name}")
        lines += [f"mkdir -p {to}", f"{copy} --exclude={banks} {folder} {to}"]
    if vocabulary:
        # The pieces and the options they are used with: neither is read without the other.
        stem = f"{source}/vocabulary/{vocabulary}"
        files = " ".join(shlex.quote(f"{stem}{suffix}") for suffix in (".model", ".json"))
        lines += [f"mkdir -p {place}/vocabulary", f"gcloud storage cp {files} {place}/vocabulary/"]
    return "\n".join(lines)


def mount(source: str, data_dir: str) -> str:
    """Mount a bucket's folder read-only; the first listing fills the cache of names."""
    bucket, folder = bucket_and_folder(source)
    place = _path(data_dir)
    only = f"--only-dir={shlex.quote(folder)} " if folder else ""
    return f"""set -e
mkdir -p {place}
if ! mountpoint -q {place}; then
  gcsfuse --implicit-dirs -o ro {only}{shlex.quote(bucket)} {place}
fi
ls -R {place} > /dev/null"""


def log_of(worker: str, lines: int) -> str:
    """Print the end of the log on the worker of that host name, nothing on others."""
    return f'[ "$(hostname)" != {shlex.quote(worker)} ] || {log(lines)}'


def read_status(output: str) -> list[tuple[str, str, int | None]]:
    """(worker, state, exit code or None) of each worker that answered `STATUS`."""
    matches = _STATUS.findall(output)
    return [(name, state, int(code) if code else None) for name, state, code in matches]


def _word(word: str) -> str:
    """One word of a call; --flag=~/folder is below the worker's home."""
    flag, tilde, folder = word.partition("=~/")
    return f"{shlex.quote(flag)}=$HOME/{shlex.quote(folder)}" if tilde else shlex.quote(word)


def _path(folder: str) -> str:
    """A folder for the shell; a leading ~ is the worker's home."""
    if folder.startswith("~/"):
        return f"~/{shlex.quote(folder[2:])}"
    return shlex.quote(folder)
