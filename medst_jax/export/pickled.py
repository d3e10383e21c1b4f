# SPDX-License-Identifier: Apache-2.0
"""Pickled PyTorch checkpoints as flat tensors; PyTorch's restricted reader does the reading.

The only file that imports PyTorch, lazily: training and export never unpickle.
"""

import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from medst_jax.export.errors import ExportError

# Where trainers keep the state dict beside optimizer and configuration.
_HOLDERS = ("state_dict", "model", "model_state_dict", "image_encoder", "net", "module")


def read_pickled(file: epath.PathLike, key: str | None = None) -> dict[str, np.ndarray]:
    """All tensors of a .pth, .pt, .ckpt, .bin or .tar checkpoint, TorchScript (.pt) included.

    Args:
      file: the checkpoint.
      key: dotted path of the state dict in it; by default the file itself, or the first of the
        customary names that holds one.

    Returns:
      arrays by name; bfloat16 becomes float32, which loses nothing.

    Raises:
      ExportError: PyTorch is absent, the file holds more than tensors and plain values, or no
        tensors are found.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise ExportError(
            "reading a pickled checkpoint needs PyTorch, which is not installed: "
            "pip install medst_jax[torch]"
        ) from None
    path = epath.Path(file)
    if not path.exists():
        raise ExportError(f"{path} does not exist")
    content = _compiled(path, torch) if _is_torch_script(path) else _state(path, torch)
    holder = _holder(content, key, path)
    tensors = {str(n): t for n, t in holder.items() if isinstance(t, torch.Tensor)}
    return {name: _array(tensor, torch) for name, tensor in tensors.items()}


def _is_torch_script(path: epath.Path) -> bool:
    """Whether the file is a compiled program with its weights, as OpenAI released CLIP."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _compiled(path: epath.Path, torch: Any) -> Any:
    try:
        # Reads tensors and code; the code is compiled, nothing of it is run.
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    except Exception as error:
        raise ExportError(f"{path} is a TorchScript file that PyTorch cannot load") from error


def _state(path: epath.Path, torch: Any) -> Any:
    try:
        # weights_only refuses every pickled object but tensors and plain containers.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # PyTorch's first lines advise to switch the safe mode off; the cause comes later.
        lines = [line.strip() for line in str(error).strip().splitlines()]
        cause = next((line for line in lines if "Unpickler error" in line), lines[0])[:200]
        raise ExportError(
            f"{path} cannot be read with weights_only=True ({cause}); save its state dict alone, "
            "in the environment that wrote it: torch.save(model.state_dict(), FILE)"
        ) from error


def _holder(content: Any, key: str | None, path: epath.Path) -> Mapping[Any, Any]:
    if key is not None:
        for part in key.split("."):
            if not isinstance(content, Mapping) or part not in content:
                known = sorted(map(str, content)) if isinstance(content, Mapping) else []
                raise ExportError(f"{path} has no {key!r}; keys there: {', '.join(known[:20])}")
            content = content[part]
    elif isinstance(content, Mapping) and not _has_tensors(content):
        content = next(
            (content[name] for name in _HOLDERS if _has_tensors(content.get(name))), content
        )
    if not _has_tensors(content):
        keys = ", ".join(sorted(map(str, content))) if isinstance(content, Mapping) else "none"
        raise ExportError(f"{path} holds no state dict; name it with --key, of {keys}")
    return content


def _has_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(hasattr(item, "detach") for item in value.values())


def _array(tensor: Any, torch: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return np.array(tensor.contiguous().numpy())
