# SPDX-License-Identifier: Apache-2.0
"""A watched run through what happens to slices: waits, preemptions, broken connections, failures."""

from tests.launch.pod.test_commands import TRAIN, failed, succeeded

WATCH = ("--accelerator=v5litepod-8", "--spot")


def started(cloud):
    """How often the program of each worker was started."""
    return {
        file.name.removeprefix("started-"): int(file.read_text())
        for file in cloud.folder.glob("started-*")
    }


def test_from_nothing_to_the_end(cloud):
    cloud.play(lives=[["WAITING_FOR_RESOURCES", "PROVISIONING", "ACTIVE"]])
    staged = ("--config=configs/dlilp.py:smoke", "--data_from=gs://bucket/data")
    said = succeeded(cloud.run("watch", *WATCH, *staged, *TRAIN))
    lines = said.splitlines()
    assert lines[0] == "pod: requesting v5litepod-8" and lines[-1] == "finished on all workers"
    assert started(cloud) == {"pod-w0": 1, "pod-w1": 1}
    assert len(cloud.calls("storage")) == 8 and len(cloud.calls("create")) == 1
    # A second watch finds the finished run.
    assert succeeded(cloud.run("watch", *WATCH, *TRAIN)) == "finished on all workers\n"


def test_exit_code_75_on_all_workers_starts_again(cloud):
    cloud.play(codes=[[75, 75, 0]])
    said = succeeded(cloud.run("watch", *WATCH, *TRAIN))
    assert "the run ended: 2 x exit code 75; restart 1 of 100" in said
    assert "restart 2 of 100" in said and "restart 3" not in said
    assert started(cloud) == {"pod-w0": 3, "pod-w1": 3}


def test_a_preempted_slice_is_deleted_and_made_anew(cloud):
    lost = ["ACTIVE"] * 4 + ["SUSPENDING", "SUSPENDED"]
    cloud.play(lives=[lost, ["PROVISIONING", "ACTIVE"]], codes=[[-1, 0]])
    said = succeeded(cloud.run("watch", *WATCH, *TRAIN))
    assert "pod: SUSPENDED, deleting what is left" in said
    assert "pod is gone; restart 1 of 100" in said and said.endswith("finished on all workers\n")
    assert len(cloud.calls("create")) == 2 and len(cloud.calls("delete")) == 1
    assert all("--spot" in call for call in cloud.calls("create"))
    assert len(cloud.calls("scp")) == 2


def test_failed_after_it_was_active_is_a_preemption_too(cloud):
    cloud.play(lives=[["ACTIVE", "ACTIVE", "FAILED"], ["ACTIVE"]], codes=[[-1, 0]])
    assert "FAILED, deleting" in succeeded(cloud.run("watch", *WATCH, *TRAIN))


def test_failed_before_it_was_active_ends_the_watch(cloud):
    cloud.play(lives=[["WAITING_FOR_RESOURCES", "FAILED"]])
    assert "pod is FAILED: no more capacity" in failed(cloud.run("watch", *WATCH, *TRAIN))


def test_no_quota_ends_the_watch_at_once(cloud):
    cloud.play(refuse="ERROR: Quota exceeded")
    assert "Quota exceeded" in failed(cloud.run("watch", *WATCH, *TRAIN))
    assert len(cloud.calls("create")) == 1


def test_a_connection_that_fails_once_does_no_harm(cloud):
    # One of each kind: a look, an installation, a start that reaches nobody, a look.
    for broken in (1, 2, 4, 5):
        cloud.play(broken=[broken], codes=[[75, 0]])
        said = succeeded(cloud.run("watch", *WATCH, *TRAIN))
        assert "Connection refused (failure 1 of 5 in a row)" in said
        assert said.endswith("finished on all workers\n")
        succeeded(cloud.run("delete"))
        for file in cloud.folder.glob("started-*"):
            file.unlink()
        (cloud.folder / "state.json").unlink()


def test_a_start_that_reached_one_slice_alone_is_completed(cloud):
    # Calls 1-2 look, 3-4 install, 5-6 say ready, 7 starts slice 0, 8 would start slice 1.
    cloud.play(broken=[8], codes=[[0]])
    said = succeeded(cloud.run("watch", *WATCH, "--slices=2", *TRAIN))
    assert said.count("starting on all workers") == 2
    assert set(started(cloud)) == {"pod-0-w0", "pod-0-w1", "pod-1-w0", "pod-1-w1"}


def test_workers_that_never_answer_end_the_watch(cloud):
    cloud.play(broken=list(range(1, 50)))
    message = failed(cloud.run("watch", *WATCH, *TRAIN))
    assert "Connection refused" in message


def test_a_failing_program_stops_the_run_and_shows_its_log(cloud):
    cloud.play(codes=[[-1], [1]])
    message = failed(cloud.run("watch", *WATCH, *TRAIN))
    assert "exit code 1 on pod-w1" in message and "it ends with 1" in message
    assert "worker pod-w0 runs" not in message  # the log of the worker that failed
    assert started(cloud) == {"pod-w0": 1, "pod-w1": 1}
    assert len(cloud.calls("delete")) == 0


def test_restarts_are_limited(cloud):
    cloud.play(codes=[[75] * 5])
    message = failed(cloud.run("watch", *WATCH, "--max_restarts=2", *TRAIN))
    assert "that was restart 2, the last allowed" in message
    assert started(cloud) == {"pod-w0": 3, "pod-w1": 3}
