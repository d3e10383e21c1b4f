# SPDX-License-Identifier: Apache-2.0
"""One command per action: the calls it makes, and what it says when they fail."""

import shlex
import time

import pytest

TRAIN = ("--", "launch/train.py", "--config=configs/dlilp.py", "--config.data.data_dir=~/data")


def succeeded(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def failed(done):
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("accelerator", "image"),
    [
        ("v4-32", "tpu-ubuntu2204-base"),
        ("v5litepod-16", "v2-alpha-tpuv5-lite"),
        ("v5p-32", "v2-alpha-tpuv5"),
        ("v6e-16", "v2-alpha-tpuv6e"),
    ],
)
def test_create_requests_a_slice_and_waits(cloud, accelerator, image):
    cloud.play(lives=[["WAITING_FOR_RESOURCES", "PROVISIONING", "ACTIVE"]])
    said = succeeded(cloud.run("create", f"--accelerator={accelerator}"))
    assert said.split("pod: ")[1:] == ["WAITING_FOR_RESOURCES\n", "PROVISIONING\n", "ACTIVE\n"]
    (call,) = cloud.calls("create")
    assert call == [
        *("compute", "tpus", "queued-resources", "create", "pod", "--node-id=pod"),
        *(f"--accelerator-type={accelerator}", f"--runtime-version={image}", "--zone=us-west4-a"),
    ]


def test_create_several_spot_slices(cloud):
    flags = ("--slices=2", "--spot", "--project=mine", "--valid_until_duration=6h", "--nowait")
    succeeded(cloud.run("create", "--accelerator=v6e-16", *flags))
    (call,) = cloud.calls("create")
    expected = {"--node-count=2", "--node-prefix=pod", "--spot", "--valid-until-duration=6h"}
    assert expected < set(call) and "--project=mine" in call and "--node-id=pod" not in call
    assert not cloud.calls("describe")


def test_dry_run_prints_the_calls_and_makes_none(cloud):
    create = succeeded(cloud.run("create", "--accelerator=v6e-16", "--spot", "--dry_run"))
    assert shlex.split(create)[:5] == ["gcloud", "compute", "tpus", "queued-resources", "create"]
    for command, arguments in {
        "install": (),
        "run": TRAIN,
        "stop": (),
        "log": (),
        "status": (),
        "delete": (),
        "stage": ("--config=configs/dlilp.py:smoke", "--data_from=gs://bucket/data"),
        "watch": ("--accelerator=v6e-16", *TRAIN),
    }.items():
        assert "gcloud compute tpus" in succeeded(cloud.run(command, "--dry_run", *arguments))
    assert cloud.calls() == []


def test_failures_are_told_in_the_services_words(cloud):
    cloud.play(refuse="ERROR: RESOURCE_EXHAUSTED: Quota 'TPUV6EPreemptible' exceeded. Limit: 0")
    message = failed(cloud.run("create", "--accelerator=v6e-16"))
    assert "Quota 'TPUV6EPreemptible' exceeded" in message and "queued-resources create" in message
    cloud.play(lives=[["WAITING_FOR_RESOURCES", "FAILED"]])
    assert "FAILED: no more capacity" in failed(cloud.run("create", "--accelerator=v6e-16"))
    assert "image with --runtime_version" in failed(cloud.run("create", "--accelerator=v9-8"))
    assert "jobset.py" in failed(cloud.run("create", "--accelerator=tpu7x-8"))
    assert "give --accelerator" in failed(cloud.run("create"))


def test_a_missing_gcloud_is_named(cloud):
    message = failed(cloud.run("create", "--accelerator=v6e-16", path="/nonexistent"))
    assert "gcloud is not installed" in message


def test_run_starts_on_all_workers_of_all_slices_and_outlives_the_connection(cloud):
    cloud.play(codes=[[-1]])
    succeeded(cloud.run("create", "--accelerator=v5litepod-8", "--slices=2"))
    succeeded(cloud.run("install", "--slices=2"))
    assert all((home / "medst_jax" / "launch" / "train.py").exists() for home in cloud.homes())
    succeeded(cloud.run("run", "--slices=2", *TRAIN))
    status = succeeded(cloud.run("status", "--slices=2"))
    hosts = ["pod-0-w0", "pod-0-w1", "pod-1-w0", "pod-1-w1"]
    assert [line for line in status.splitlines()[1:]] == [f"{host}: running" for host in hosts]
    assert "going on already" in failed(cloud.run("run", "--slices=2", *TRAIN))

    time.sleep(0.3)
    log = succeeded(cloud.run("log", "--slices=2", "--slice=1"))
    assert "worker pod-1-w0 runs launch/train.py" in log and "--distributed" in log
    assert f"--config.data.data_dir={cloud.homes()[2]}/data" in log

    succeeded(cloud.run("stop", "--slices=2"))
    time.sleep(0.5)
    status = succeeded(cloud.run("status", "--slices=2"))
    assert [line for line in status.splitlines()[1:]] == [
        f"{host}: ended with exit code 75" for host in hosts
    ]
    succeeded(cloud.run("delete"))
    assert "does not exist" in succeeded(cloud.run("delete"))
    assert "ABSENT" in succeeded(cloud.run("status"))


def test_stage_copies_what_the_configuration_reads(cloud):
    succeeded(cloud.run("create", "--accelerator=v5litepod-8"))
    arguments = ("--config=configs/dlilp.py:smoke", "--data_from=gs://bucket/data")
    succeeded(cloud.run("stage", *arguments))
    copied = [w for call in cloud.calls("storage") for w in call if w.startswith("gs://")]
    per_worker = [
        "gs://bucket/data",
        "gs://bucket/data/simulated_cxr_c",
        "gs://bucket/data/simulated_cxr_m",
        "gs://bucket/data/vocabulary/simulated_cxr.model",
        "gs://bucket/data/vocabulary/simulated_cxr.json",
    ]
    assert copied == per_worker * 2
    # Every list of patients to leave out, nothing else of other data sets, no image banks.
    everything = cloud.calls("storage", "--exclude")
    assert {call[-3] for call in everything} == {
        r"--exclude=^(?!.*/exclude\.json$).*$",
        "--exclude=^banks/.*",
    }
    assert all((home / "data" / "vocabulary").is_dir() for home in cloud.homes())


def test_stage_mounts_once(cloud):
    succeeded(cloud.run("create", "--accelerator=v5litepod-8"))
    printed = succeeded(
        cloud.run("stage", "--data_from=gs://bucket/some/data", "--how=mount", "--dry_run")
    )
    assert "gcsfuse --implicit-dirs -o ro --only-dir=some/data bucket ~/data" in printed
    assert "not a bucket" in failed(cloud.run("stage", "--data_from=/disk", "--how=mount"))
    assert "--data_from is not given" in failed(cloud.run("stage"))
