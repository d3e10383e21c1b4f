# SPDX-License-Identifier: Apache-2.0
"""Compilers that recurse deeply get a stack that is deep enough."""

import ctypes
import threading

import pytest

from medst_jax.plan.compile import on_deep_stack

FRAME = 64 * 2**20  # bytes; a main thread usually has 8 MiB


def test_the_stack_is_deep_enough_for_what_a_main_thread_cannot_hold():
    libc = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(256)
    address, size = ctypes.c_void_p(), ctypes.c_size_t()

    def stack() -> int:
        libc.pthread_self.restype = ctypes.c_void_p
        this = ctypes.c_void_p(libc.pthread_self())
        assert libc.pthread_getattr_np(this, attributes) == 0
        assert (
            libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size)) == 0
        )
        return int(size.value)

    assert on_deep_stack(stack) > FRAME


def test_results_errors_and_the_usual_size_come_back():
    usual = threading.stack_size()
    assert on_deep_stack(lambda: 3) == 3
    with pytest.raises(ValueError, match="no room"):
        on_deep_stack(_fails)
    assert threading.stack_size() == usual


def _fails() -> None:
    raise ValueError("no room")
