# SPDX-License-Identifier: Apache-2.0
"""How a command ends that cannot do what the user asked: one line, by the table of user errors."""

import contextlib
from collections.abc import Iterator

from medst_jax.user_errors import user_message


@contextlib.contextmanager
def user_errors(*also: type[Exception], prefix: str = "error") -> Iterator[None]:
    """Ends the command with one line for errors of the table, and of the classes `also`."""
    try:
        yield
    except Exception as error:
        message = user_message(error)
        if message is None and isinstance(error, also):
            message = str(error)
        if message is None:
            raise
        raise SystemExit(f"{prefix}: {message}") from None
