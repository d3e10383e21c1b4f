# SPDX-License-Identifier: Apache-2.0
"""A training run's checkpoint as a folder that other programs can use."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

import medst_jax
from medst_jax.export import card, stablehlo, weights
from medst_jax.export.errors import ExportError
from medst_jax.export.folder import CONFIG, MARK, staged
from medst_jax.train.checkpoint import LoadedSystem
from medst_jax.train.workdir import write_json

TOKENIZER, LABELS, CARD = "tokenizer.model", "labels.json", "README.md"

_USAGE = {
    "safetensors": """`model.safetensors`: the image encoder; `heads.safetensors`: everything \
else but the text encoder; `text_encoder/`: the text encoder, where the system has one.

```python
from medst_jax import models
encoder, _ = models.from_pretrained("{folder}", "{layout}")
# or in PyTorch: model.load_state_dict(safetensors.torch.load_file(...), strict=False)
```
Images: grey in [0, 1], resized and normalised as `preprocess` in config.json says.""",
    "stablehlo": """`encode_image.jax_export`: uint8 grey images [b, {size}, {size}, 1] to \
embeddings, preprocessing and weights inside; `encode_image.stablehlo` is the same as portable \
bytecode.

```python
from jax import export
program = export.deserialize(bytearray(open("encode_image.jax_export", "rb").read()))
program.call(images)["global_"]
```""",
}
FORMATS = tuple(_USAGE)


def export_checkpoint(
    loaded: LoadedSystem,
    format: str,
    output: epath.PathLike,
    *,
    rows: Sequence[Mapping[str, Any]] = (),
) -> epath.Path:
    """Write and verify an export.

    Args:
      loaded: from `load_system`.
      format: "safetensors" (weights under torchvision, timm or Hugging Face names) or
        "stablehlo" (the compiled-ready `encode_image`).
      output: a new or empty folder, or an earlier export, which is replaced as a whole.
      rows: evaluation rows for the model card.

    Returns:
      `output`.

    Raises:
      ExportError: an occupied folder, an encoder without foreign names, or files that do not
        give the system's own outputs; `output` is then as it was.
    """
    if format not in FORMATS:
        raise ExportError(f"format {format!r} is unknown; known: {', '.join(FORMATS)}")
    system, size = loaded.system, int(loaded.config["data"]["size"])
    encoder = system.image_encoder  # type: ignore[attr-defined]
    architecture = weights.architecture(encoder)
    with staged(output) as folder:
        config = {
            MARK: {"version": medst_jax.__version__, "format": format},
            "system": loaded.name,
            "step": loaded.step,
            "architecture": architecture,
            "preprocess": system.preprocess.to_dict(),
            "image_size": size,
            "text_length": loaded.config["data"].get("text_length"),
        }
        write_json(folder / CONFIG, config)
        if format == "safetensors":
            _write_weights(loaded, config, folder)
        else:
            stablehlo.write_program(system, size, folder)
        write_json(folder / LABELS, list(system.labels))
        if loaded.tokenizer is not None:
            loaded.tokenizer.save(folder / TOKENIZER)
        usage = _USAGE[format].format(
            folder=epath.Path(output).name, layout=architecture["layout"], size=size
        )
        text = card.model_card(
            system=loaded.name,
            step=loaded.step,
            architecture=architecture,
            stamp=loaded.stamp,
            licence_of=card.licences(loaded.config),
            labels=system.labels,
            rows=rows,
            usage=usage,
        )
        (folder / CARD).write_text(text)
    return epath.Path(output)


def read_rows(file: epath.PathLike) -> list[dict[str, Any]]:
    """Evaluation rows of a metrics.json.

    Raises:
      ExportError: it is missing or is not a list of rows.
    """
    path = epath.Path(file)
    if not path.exists():
        raise ExportError(f"{path} does not exist; launch/evaluate.py writes it")
    rows = json.loads(path.read_text())
    if isinstance(rows, dict):
        rows = rows.get("rows")
    if not isinstance(rows, list):
        raise ExportError(f"{path} is not a list of evaluation rows")
    return rows


def _write_weights(loaded: LoadedSystem, config: dict[str, Any], folder: epath.Path) -> None:
    system = loaded.system
    encoder = system.image_encoder  # type: ignore[attr-defined]
    weights.write_image_encoder(encoder, system.preprocess.size, folder)
    config["heads"] = weights.write_heads(system, folder)
    write_json(folder / CONFIG, config)
    text = getattr(system, "text_encoder", None)
    if text is not None:
        weights.write_text_encoder(text, folder)
