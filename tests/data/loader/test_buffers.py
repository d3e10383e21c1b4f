# SPDX-License-Identifier: Apache-2.0
"""Memory of batches that is used again: never while anything still looks at it."""

import gc
import multiprocessing
import pickle

import jax
import numpy as np
import pytest

from medst_jax.data.loader.buffer_pool import BufferPool
from medst_jax.data.loader.shared_buffers import (
    SUPPORTED,
    SharedBatchReader,
    SharedBufferPool,
)

needs_linux = pytest.mark.skipif(not SUPPORTED, reason="memory without a name is a Linux feature")


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_comes_back_when_the_array_is_gone():
    allocate = BufferPool()
    first = allocate((4, 8, 8, 1))
    place = address(first)
    second = allocate((4, 8, 8, 1))
    assert address(second) != place and first.dtype == np.uint8
    del first
    assert address(allocate((4, 8, 8, 1))) == place
    assert allocate((2, 8, 8, 1)).shape == (2, 8, 8, 1)


@pytest.mark.parametrize("look", [lambda a: a[1:, 2:5], lambda a: a.reshape(-1).view(np.int8)])
def test_a_view_keeps_the_memory(look):
    allocate = BufferPool()
    array = allocate((4, 8, 8, 1))
    place, view = address(array), look(array)
    del array
    assert address(allocate((4, 8, 8, 1))) != place
    del view
    assert place in {address(a) for a in [allocate((4, 8, 8, 1)) for _ in range(3)]}


def test_a_device_array_keeps_its_values():
    """On a CPU a device array may be the very memory."""
    allocate = BufferPool()
    kept = []
    for value in range(20):
        array = allocate((64, 32, 32, 1))
        array[:] = value
        kept.append(jax.device_put(array))
        del array
    assert [int(array[5, 5, 5, 0]) for array in kept] == list(range(20))
    assert all((np.asarray(array) == value).all() for value, array in enumerate(kept))


def test_copies_start_empty():
    copy = pickle.loads(pickle.dumps(BufferPool()))
    assert copy((1, 2, 2, 1)).shape == (1, 2, 2, 1)


def _fill(queue, batches):
    allocate = SharedBufferPool()
    for value in range(batches):
        images = allocate((3, 4, 4, 1))
        images[:] = value
        queue.put(allocate.share({"frontal": images, "example": np.arange(3) + value}))
    queue.put(len(allocate._buffers))


@needs_linux
def test_batches_cross_processes_and_buffers_are_used_again():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue(2)
    process = context.Process(target=_fill, args=(queue, 30))
    process.start()
    reader, kept = SharedBatchReader(), []
    for value in range(30):
        rows = reader(queue.get(timeout=60))
        assert (rows["frontal"] == value).all() and rows["example"].tolist() == [
            value,
            value + 1,
            value + 2,
        ]
        if value % 10 == 0:
            kept.append(rows["frontal"][1:])
        del rows
        gc.collect()
    # Two wait in the queue, one is being filled, one was read, three are kept.
    assert queue.get(timeout=60) <= 8
    process.join()
    assert [int(images[0, 0, 0, 0]) for images in kept] == [0, 10, 20]


@needs_linux
def test_arrays_of_other_origin_go_as_they_are():
    allocate = SharedBufferPool()
    own = allocate((2, 2, 2, 1))
    batch = allocate.share({"own": own, "other": np.zeros((2, 2, 2, 1), np.uint8)})
    assert set(batch.shared) == {"own"} and set(batch.plain) == {"other"}
    own[:] = 7
    assert (SharedBatchReader()(batch)["own"] == 7).all()
