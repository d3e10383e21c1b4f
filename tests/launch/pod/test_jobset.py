# SPDX-License-Identifier: Apache-2.0
"""The GKE manifest: valid YAML that says what the flags say."""

import subprocess
import sys

import pytest
import yaml

from medst_jax.commands.pod.manifest import Manifest
from medst_jax.commands.pod.slice import PodError
from tests.parallel.together import ROOT

PROGRAM = ("launch/train.py", "--config=configs/dlilp.py", "--workdir=gs://b/runs: 1")
VALUES = dict(
    name="medst",
    image="registry/image:1",
    topology="v5e:4x4",
    program=PROGRAM,
    data_from="gs://b/d",
)


def test_command_prints_one_job_per_slice_with_one_pod_per_host():
    flags = [f"--{key}={value}" for key, value in VALUES.items() if key != "program"]
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "launch/pod/jobset.py"), *flags),
            *("--slices=2", "--spot", "--", *PROGRAM),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    manifest = yaml.safe_load(done.stdout)
    assert (manifest["kind"], manifest["metadata"]["name"]) == ("JobSet", "medst")
    (jobs,) = manifest["spec"]["replicatedJobs"]
    job = jobs["template"]["spec"]
    assert (jobs["replicas"], job["parallelism"], job["completions"]) == (2, 4, 4)
    pod = job["template"]["spec"]
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
        "cloud.google.com/gke-spot": "true",
    }
    (container,) = pod["containers"]
    assert container["command"] == ["python", *PROGRAM, "--distributed"]
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    attributes = pod["volumes"][0]["csi"]["volumeAttributes"]
    assert attributes == {"bucketName": "b", "mountOptions": "implicit-dirs,only-dir=d"}


def test_only_exit_codes_that_no_restart_mends_fail_the_jobset():
    manifest = yaml.safe_load(Manifest(**VALUES).render())
    policy = manifest["spec"]["failurePolicy"]
    assert policy["rules"] == [
        {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    ]
    job = manifest["spec"]["replicatedJobs"][0]["template"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob" and rule["onExitCodes"]["operator"] == "NotIn"
    assert 75 in rule["onExitCodes"]["values"] and 1 not in rule["onExitCodes"]["values"]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never" and job["backoffLimit"] == 0
    assert "cloud.google.com/gke-spot" not in pod["nodeSelector"]


@pytest.mark.parametrize(
    ("topology", "hosts", "chips"), [("v5e:1x1", 1, 1), ("v5p:2x2x4", 4, 4), ("tpu7x:2x2x1", 1, 4)]
)
def test_hosts_and_chips(topology, hosts, chips):
    manifest = yaml.safe_load(Manifest(**VALUES | {"topology": topology}).render())
    job = manifest["spec"]["replicatedJobs"][0]["template"]["spec"]
    container = job["template"]["spec"]["containers"][0]
    assert job["parallelism"] == hosts
    assert container["resources"]["requests"] == {"google.com/tpu": chips}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Med_ST"}, "lower case"),
        ({"topology": "v5e"}, "GENERATION:CHIPS"),
        ({"data_from": "/data"}, "not a bucket"),
        ({"program": ()}, "program are required"),
    ],
)
def test_what_cannot_be_run_is_refused(changes, message):
    with pytest.raises(PodError, match=message):
        Manifest(**VALUES | changes).render()
