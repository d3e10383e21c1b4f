# SPDX-License-Identifier: Apache-2.0
"""The last lines of a training, and a key that a configuration lacks."""

import pathlib

import pytest

from medst_jax.commands.parts.parse import missing_key
from medst_jax.commands.parts.what_next import after_training


def test_the_checkpoint_and_the_next_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = str(tmp_path / "mine.py")
    done, following = after_training("runs/my run", config, 40, preempted=False)
    assert done == "done: checkpoint runs/my run/checkpoints/40"
    assert "evaluate" in following and "smoke" in following
    pathlib.Path("mine_suite.py").touch()
    (_, following) = after_training("runs/one", f"{config}:paper", 40, preempted=False)
    shown = "--checkpoint=runs/one --suite=mine_suite.py --output=runs/one/evaluation"
    assert following.endswith(shown)


def test_a_stopped_training_goes_on(tmp_path):
    stopped, following = after_training("w", "clip.py", 7, preempted=True)
    assert stopped == "stopped: checkpoint w/checkpoints/7" and "same command" in following


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            '\'lr\'\nDid you mean "learning_rate" instead of "lr"?',
            "--config.optimizer.lr: the configuration has no key 'lr'; did you mean 'learning_rate'?",
        ),
        (
            str(KeyError('\'lr\'\nDid you mean "learning_rate" instead of "lr"?')),
            "--config.optimizer.lr: the configuration has no key 'lr'; did you mean 'learning_rate'?",
        ),
        ("'colour'", "the configuration has no key 'colour'; `config` prints all keys"),
        ("odd\nwords", "the configuration has no key odd words"),
    ],
)
def test_a_key_that_is_not_there(said, message):
    assert missing_key(["train", "--config=clip", "--config.optimizer.lr=1"], said) == message
