# SPDX-License-Identifier: Apache-2.0
"""Names that a shell, gcloud, a mount or Kubernetes would read as more than names."""

import subprocess

import pytest
import yaml

from medst_jax.commands.pod import scripts
from medst_jax.commands.pod.bucket import bucket_and_folder
from medst_jax.commands.pod.manifest import Manifest
from medst_jax.commands.pod.slice import PodError, Slice

NAMES = (
    "two words",
    "$(touch hacked)",
    "`touch hacked`",
    "x; touch hacked",
    "x' ; touch hacked; '",
    'x" ; touch hacked; "',
    "x\ntouch hacked",
    "-rf",
    "~root",
    "&& touch hacked",
    "$HOME",
    "данные",
)
# Stand-ins that note their arguments, each ended by a zero byte.
_NOTE = """#!/bin/sh
printf '%s\\0' "$(basename "$0")" "$@" >> "$NOTES"; printf '\\n\\0' >> "$NOTES"
"""


def run(tmp_path, script: str) -> list[list[str]]:
    """The calls of gcloud and gcsfuse that a script makes in a real shell."""
    home, tools, notes = tmp_path / "home", tmp_path / "tools", tmp_path / "notes"
    for folder in (home, tools):
        folder.mkdir()
    for tool in ("gcloud", "gcsfuse"):
        (tools / tool).write_text(_NOTE)
        (tools / tool).chmod(0o755)
    (tools / "mountpoint").write_text("#!/bin/sh\nexit 1\n")
    (tools / "mountpoint").chmod(0o755)
    environment = {"HOME": str(home), "PATH": f"{tools}:/usr/bin:/bin", "NOTES": str(notes)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("hacked"))
    calls = notes.read_text().split("\0\n\0")[:-1]
    return [call.split("\0") for call in calls]


@pytest.mark.parametrize("name", NAMES)
def test_staging_takes_names_as_they_are(tmp_path, name) -> None:
    calls = run(tmp_path, scripts.stage("gs://b/d", f"~/{name}", [name], name))
    place = f"{tmp_path}/home/{name}"
    assert calls[0][-2:] == ["gs://b/d", place]
    assert calls[1][-2:] == [f"gs://b/d/{name}", f"{place}/{name}"]
    # A tokenizer is refused without either of its files.
    stem = f"gs://b/d/vocabulary/{name}"
    assert calls[2][-3:] == [f"{stem}.model", f"{stem}.json", f"{place}/vocabulary/"]
    assert (tmp_path / "home" / name / name).is_dir()


@pytest.mark.parametrize("name", [name for name in NAMES if "\n" not in name])
def test_mounting_takes_names_as_they_are(tmp_path, name) -> None:
    (call,) = run(tmp_path, scripts.mount(f"gs://b/{name}", f"~/{name}"))
    assert call[-3:] == [f"--only-dir={name}", "b", f"{tmp_path}/home/{name}"]


@pytest.mark.parametrize("name", NAMES)
def test_logs_are_of_the_worker_of_that_name(tmp_path, name) -> None:
    calls = run(tmp_path, f"gcloud; {scripts.log_of(name, 3)}")
    assert calls == [["gcloud"]], "no worker has it"


@pytest.mark.parametrize(
    "address",
    [
        "gs://b/d,o=rw",
        "gs://b/d\nx",
        "gs://b/d*",
        "gs://-rf/d",
        "gs://b c/d",
        "gs:///d",
        "/disk",
        "gs://B/d",
    ],
)
def test_addresses_that_say_more_are_refused(address) -> None:
    with pytest.raises(PodError, match="--data_from="):
        bucket_and_folder(address)
    with pytest.raises(PodError, match="--data_from="):
        manifest(data_from=address)


@pytest.mark.parametrize("name", ["--force", "a b", "A", "$(x)", "", "a" * 62, "a\nb"])
def test_slices_have_plain_names(name) -> None:
    with pytest.raises(PodError, match="--name="):
        Slice(name, "us-west4-a")
    with pytest.raises(PodError, match="--zone="):
        Slice("pod", name if name != "a" * 62 else "1")


def manifest(**changes):
    values = dict(
        name="medst", image="i", topology="v5e:4x4", program=("p.py",), data_from="gs://b/d"
    )
    return yaml.safe_load(Manifest(**values | changes).render())


@pytest.mark.parametrize("name", [*NAMES, "$(HOSTNAME)", "a$$b", "$$(X)", "${X}", "a: b #c", "{}"])
def test_kubernetes_gets_words_as_they_are(name) -> None:
    made = manifest(program=("train.py", f"--workdir={name}", name), image=name)
    pod = made["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [expanded(word) for word in container["command"][1:]] == [
        "train.py",
        f"--workdir={name}",
        name,
    ]
    assert container["image"] == name


def expanded(word: str) -> str:
    """What Kubernetes makes of a word of a command: third_party/forked/golang/expansion."""
    out, at = "", 0
    while at < len(word):
        following = word[at + 1 : at + 2]
        if word[at] != "$" or following not in ("$", "("):
            out, at = out + word[at], at + 1
        elif following == "$":
            out, at = out + "$", at + 2
        else:
            end = word.find(")", at)
            assert end < 0, f"{word[at : end + 1]} is taken for a variable"
            out, at = out + "$(", at + 2
    return out


@pytest.mark.parametrize("place", ["data", "/a:b", "/a\nb", "~/data"])
def test_pods_see_the_data_at_a_plain_path(place) -> None:
    with pytest.raises(PodError, match="--data_to="):
        manifest(data_to=place)


def test_dry_runs_refuse_and_quote(cloud) -> None:
    refused = cloud.run("stage", "--data_from=gs://b/d,o=rw", "--how=mount", "--dry_run")
    assert refused.returncode == 1 and "rename the folder" in refused.stderr
    refused = cloud.run(
        "stage", "--data_from=gs://b/d", "--how=mount", "--data_to=-rf", "--dry_run"
    )
    assert refused.returncode == 1 and "--data_to=-rf" in refused.stderr
    shown = cloud.run("stage", "--data_from=gs://b/$(x)", "--how=mount", "--dry_run")
    assert shown.returncode == 0 and "'$(x)'" in shown.stdout.replace("'\"'\"'", "'")
    assert cloud.calls() == []
