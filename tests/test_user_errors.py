# SPDX-License-Identifier: Apache-2.0
"""The table of user errors: complete, true, and what commands answer with."""

import ast
import errno
import importlib
import pydoc

import pytest

from medst_jax.commands.parts.answers import user_errors
from medst_jax.train.run import USER_ERRORS
from medst_jax.user_errors import LISTED, is_listed, user_message
from tests.parallel.together import ROOT

# Never seen by who calls a command: caught where they are raised, or a fault of the code.
INTERNAL = {
    "UnknownTripCountError",
    "CellError",  # of a cell of a table; that of the reality check is listed
    "IntensityError",
}


def test_every_entry_is_an_error():
    for name in LISTED:
        found = pydoc.locate(name)
        assert isinstance(found, type) and issubclass(found, Exception), name


def test_every_error_of_the_project_is_in_the_table_or_internal():
    missing = []
    for folder in ("medst_jax", "data_pipelines", "launch"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if any(part.is_symlink() for part in path.parents):
                continue
            text = path.read_text()
            if "Error)" not in text and "Exception)" not in text:
                continue
            for node in ast.parse(text).body:
                bases = [ast.unparse(b) for b in getattr(node, "bases", ())]
                # Those that are caught where they are meant to be have other names: TooLarge.
                if not bases or not node.name.endswith("Error"):
                    continue
                parts = path.relative_to(ROOT).with_suffix("").parts
                parts = parts[1:] if parts[0] == "medst_jax" else parts
                parts = ("commands", *parts[1:]) if parts[0] == "launch" else parts
                module = importlib.import_module(".".join(("medst_jax", *parts)))
                if not is_listed(getattr(module, node.name)):
                    missing.append(node.name)
    assert set(missing) <= INTERNAL


def test_errors_of_a_training_are_in_the_table():
    assert all(is_listed(kind) for kind in USER_ERRORS)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/d/x"), "free space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/d/x"), "free space"),
        (PermissionError(errno.EACCES, "Permission denied", "/d/x"), "check who owns it"),
        (OSError(errno.EROFS, "Read-only file system", "/d/x"), "check who owns it"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/d/x"), "/d/x: No such"),
    ],
)
def test_disks_that_are_full_or_closed(error, line):
    message = user_message(error)
    assert message.startswith("/d/x: ") and line in message and "Errno" not in message


def test_a_command_ends_with_a_line_or_a_traceback():
    with pytest.raises(SystemExit, match="^prepare: not here$"), user_errors(prefix="prepare"):
        raise FileNotFoundError("not here")
    with pytest.raises(SystemExit, match="^error: there is not enough memory"), user_errors():
        raise MemoryError
    with pytest.raises(ZeroDivisionError), user_errors():
        raise ZeroDivisionError
    with pytest.raises(SystemExit, match="^error: odd$"), user_errors(ValueError):
        raise ValueError("odd")
    with pytest.raises(ValueError, match="odd"), user_errors():
        raise ValueError("odd")
