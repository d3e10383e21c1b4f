# SPDX-License-Identifier: Apache-2.0
"""Pickled checkpoints: a stand-in for PyTorch's reader, since PyTorch is no dependency of tests."""

import sys
import types
import zipfile

import ml_dtypes
import numpy as np
import pytest

from medst_jax.export.errors import ExportError
from medst_jax.export.pickled import read_pickled


class Tensor:
    """As much of torch.Tensor as the reader uses."""

    def __init__(self, array):
        self.array = np.asarray(array)
        self.dtype = self.array.dtype

    detach = cpu = contiguous = lambda self: self

    def float(self):
        return Tensor(self.array.astype(np.float32))

    def numpy(self):
        return self.array


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Writes a file whose `torch.load` gives the content; the safe mode is demanded."""
    contents = {}

    def load(path, map_location, weights_only):
        assert map_location == "cpu" and weights_only is True
        content = contents[str(path)]
        if isinstance(content, Exception):
            raise content
        return content

    fake = types.SimpleNamespace(load=load, Tensor=Tensor, bfloat16=np.dtype(ml_dtypes.bfloat16))
    monkeypatch.setitem(sys.modules, "torch", fake)

    def store(content):
        path = tmp_path / "model.ckpt"
        path.write_bytes(b"")
        contents[str(path)] = content
        return path

    return store


WEIGHT = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("wrap", "key"),
    [
        (lambda d: d, None),
        (lambda d: {"epoch": 3, "state_dict": d}, None),
        (lambda d: {"optimizer": {}, "model": d, "config": {"a": 1}}, None),
        (lambda d: {"ema": {"weights": d}}, "ema.weights"),
    ],
)
def test_the_state_dict_is_found(stored, wrap, key):
    half = Tensor(WEIGHT.astype(ml_dtypes.bfloat16))
    found = read_pickled(stored(wrap({"a.weight": Tensor(WEIGHT), "b": half, "n": 3})), key)
    assert found.keys() == {"a.weight", "b"}
    np.testing.assert_array_equal(found["a.weight"], WEIGHT)
    assert found["b"].dtype == np.float32
    np.testing.assert_array_equal(found["b"], WEIGHT)


def test_a_compiled_program_gives_its_weights(tmp_path, monkeypatch):
    # As OpenAI's CLIP files are: an archive of code, constants and half-precision tensors.
    def jit_load(path, map_location):
        assert map_location == "cpu"
        tensors = {"visual.proj": Tensor(WEIGHT.astype(np.float16)), "context_length": Tensor(77)}
        return types.SimpleNamespace(state_dict=lambda: tensors)

    fake = types.SimpleNamespace(
        jit=types.SimpleNamespace(load=jit_load), Tensor=Tensor, bfloat16=None
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    path = tmp_path / "ViT-B-32.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clip/constants.pkl", b"")
    tensors = read_pickled(path)
    np.testing.assert_array_equal(tensors["visual.proj"], WEIGHT.astype(np.float16))
    fake.jit.load = None
    with pytest.raises(ExportError, match="TorchScript file that PyTorch cannot load"):
        read_pickled(path)


def test_refusals(stored, tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="holds no state dict"):
        read_pickled(stored({"epoch": 3}))
    with pytest.raises(ExportError, match=r"has no 'ema.weights'; keys there: model"):
        read_pickled(stored({"model": {}}), "ema.weights")
    with pytest.raises(ExportError, match=r"\(Unpickler error: unsafe global os.system\)"):
        read_pickled(
            stored(RuntimeError("Load failed.\nUnpickler error: unsafe global os.system\nmore"))
        )
    with pytest.raises(ExportError, match="does not exist"):
        read_pickled(tmp_path / "absent.pth")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExportError, match=r"pip install medst_jax\[torch\]"):
        read_pickled(stored({}))
