# SPDX-License-Identifier: Apache-2.0
"""Reading and writing safetensors: one file, a folder, or a folder of shards."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
from etils import epath

from medst_jax import hub
from medst_jax.command_line import user_command
from medst_jax.files.reading import DamagedDataError, read_json
from medst_jax.models.weights.kinds import OPEN_CLIP_CONFIG, TEXT_CONFIG, Kind

WEIGHTS, CONFIG = "model.safetensors", "config.json"
_INDEX = "model.safetensors.index.json"
FETCH = "fetch its folder again"

# safetensors' own numpy reader knows no bfloat16, in which many files are released.
_DTYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


class PretrainedError(ValueError):
    """A weights file that does not fit the module, named tensor by tensor."""


@dataclasses.dataclass(frozen=True, eq=False)
class Carried:
    """What a file has beyond the module built from it, so that it leaves as it came.

    Attributes:
      kind: of the layout that the file was read as.
      prefix: what stood before every name.
      tensors: classifiers, counters and buffers that the module does not have, by full name.
      dtypes: of the tensors that were not float32, by full name.
      original: names in the file of tensors that it names otherwise than the layout.
    """

    kind: Kind
    prefix: str
    tensors: Mapping[str, np.ndarray]
    dtypes: Mapping[str, np.dtype]
    original: Mapping[str, str] = dataclasses.field(default_factory=dict)


def find(path: epath.PathLike) -> epath.Path:
    """The weights file of a file, a folder or `hf-hub:owner/name`: model.safetensors, an index of shards, or the only one.

    Raises:
      PretrainedError: there is none, or several without an index.
    """
    try:
        file = hub.local(path)
    except hub.HubError as error:
        raise PretrainedError(str(error)) from None
    if file.is_dir():
        for name in (WEIGHTS, _INDEX):
            if (file / name).exists():
                return file / name
        files = sorted(p for p in file.iterdir() if p.suffix == ".safetensors")
        if len(files) != 1:
            names = ", ".join(p.name for p in files) or "no .safetensors file"
            pickled = [
                p.name for p in file.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".ckpt")
            ]
            if pickled and not files:
                raise PretrainedError(
                    f"{file} holds {names}, but {', '.join(sorted(pickled))}; turn it into one with "
                    f"{user_command('convert')} where PyTorch is installed"
                )
            raise PretrainedError(f"{file} holds {names}; name the weights file")
        return files[0]
    if not file.exists():
        raise PretrainedError(f"{file} does not exist")
    return file


def read(file: epath.Path) -> dict[str, np.ndarray]:
    """All tensors of a weights file or of the shards that an index names.

    Raises:
      PretrainedError: it is not readable as safetensors.
    """
    if file.name.endswith(".json"):
        shards = read_json(file, FETCH, fields={"weight_map": {str}})["weight_map"].values()
        for shard in shards:
            # An index that names an index, itself for one, has no end.
            if not shard.endswith(".safetensors") or "/" in shard:
                raise DamagedDataError(f"{file} names {shard!r}, which is no shard: {FETCH}")
        return {k: v for shard in sorted(set(shards)) for k, v in read(file.parent / shard).items()}
    try:
        content = safetensors.deserialize(file.read_bytes())
        return {name: _array(view) for name, view in content}
    except FileNotFoundError as error:
        raise PretrainedError(f"{file} does not exist: {FETCH}") from error
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise PretrainedError(
            f"{file} is not a readable safetensors file ({error}); pickled checkpoints are not "
            f"accepted, convert them with {user_command('convert')} where PyTorch is installed"
        ) from error


def _array(view: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(view["data"], _DTYPES[view["dtype"]]).reshape(view["shape"])


def settings(file: epath.Path, layout: str = "") -> dict[str, Any]:
    """The config beside a weights file; empty without one.

    A folder of open_clip has its own, open_clip_config.json; a config.json beside that one is of
    the text encoder alone.

    Args:
      file: the weights.
      layout: under which they are read.
    """
    own, open_clip = (_settings(file.parent / name) for name in (CONFIG, OPEN_CLIP_CONFIG))
    if layout == "biomedclip" and open_clip:
        return {**open_clip, TEXT_CONFIG: own}
    return (open_clip or own) if layout == "open-clip" else own


def _settings(file: epath.Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(file, FETCH) if file.exists() else {}
    return content


def write(file: epath.Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors with the metadata that PyTorch's readers ask for."""
    contiguous = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    file.write_bytes(safetensors.numpy.save(contiguous, {"format": "pt"}))


def as_carried(value: np.ndarray, dtype: np.dtype | None) -> np.ndarray:
    """`value` in the dtype it came in, if that loses nothing; else as it is."""
    if dtype is None:
        return value
    narrow = value.astype(dtype)
    return narrow if np.array_equal(narrow.astype(value.dtype), value) else value
