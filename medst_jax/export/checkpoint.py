# SPDX-License-Identifier: Apache-2.0
"""A training run's checkpoint as a folder that other programs can use."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath
from flax import nnx

import medst_jax
from medst_jax.command_line import user_command
from medst_jax.export import card, load_exported, stablehlo, usage, weights
from medst_jax.export.errors import ExportError
from medst_jax.export.folder import CONFIG, MARK, staged
from medst_jax.export.foreign_config import foreign_config
from medst_jax.files.reading import read_json
from medst_jax.systems.system import System
from medst_jax.train.checkpoint import LoadedSystem
from medst_jax.train.workdir import write_json

TOKENIZER, LABELS, CARD = "tokenizer.model", "labels.json", "README.md"

FORMATS = ("safetensors", "stablehlo")


def export_checkpoint(
    loaded: LoadedSystem,
    format: str,
    output: epath.PathLike,
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    summary: Mapping[str, Any] | None = None,
) -> epath.Path:
    """Write and verify an export.

    Args:
      loaded: from `load_system`.
      format: "safetensors" (weights under the names of the encoder's own library) or
        "stablehlo" (image tower, text tower and zero-shot head, ready to compile).
      output: a new or empty folder, or an earlier export, which is replaced as a whole.
      rows: evaluation rows for the model card.
      summary: summary.json of the run, for the card's account of the compute.

    Returns:
      `output`.

    Raises:
      ExportError: an occupied folder, an encoder without foreign names, or files that do not
        give the system's own outputs; `output` is then as it was.
    """
    if format not in FORMATS:
        raise ExportError(f"format {format!r} is unknown; known: {', '.join(FORMATS)}")
    system, size = loaded.system, int(loaded.config["data"]["size"])
    encoder = _main_encoder(system)
    architecture = weights.architecture(encoder, named=format == "safetensors")
    length = loaded.config["data"].get("text_length")
    with staged(output) as folder:
        config = {
            **foreign_config(encoder, system.preprocess),
            MARK: {"version": medst_jax.__version__, "format": format},
            "system": loaded.name,
            "step": loaded.step,
            "encoder": architecture,
            "preprocess": system.preprocess.to_dict(),
            "stored_size": size,
            "text_length": length,
        }
        write_json(folder / CONFIG, config)
        if format == "safetensors":
            _write_weights(loaded, config, folder)
            text = usage.weights_usage(system, epath.Path(output).name)
        else:
            config["programs"] = stablehlo.write_programs(system, size, length, folder)
            write_json(folder / CONFIG, config)
            source = pathlib.Path(load_exported.__file__).read_text()
            (folder / "load_exported.py").write_text(source)
            text = usage.programs_usage(system, config["programs"], size)
        write_json(folder / LABELS, list(system.labels))
        if loaded.tokenizer is not None:
            loaded.tokenizer.save(folder / TOKENIZER)
        page = card.model_card(
            system=loaded.name,
            step=loaded.step,
            config=loaded.config,
            architecture=architecture,
            stamp=loaded.stamp,
            licence_of=card.licences(loaded.config),
            labels=system.labels,
            rows=rows,
            usage=text,
            summary=summary or {},
        )
        (folder / CARD).write_text(page)
    return epath.Path(output)


def read_rows(file: epath.PathLike) -> list[dict[str, Any]]:
    """Evaluation rows of a metrics.json.

    Raises:
      ExportError: it is missing or is not a list of rows.
      DamagedDataError: it is no JSON.
    """
    path = epath.Path(file)
    if not path.exists():
        raise ExportError(f"{path} does not exist; {user_command('evaluate')} writes it")
    rows = read_json(path, f"{user_command('evaluate')} writes it again", object)
    if isinstance(rows, dict):
        rows = rows.get("rows")
    if not isinstance(rows, list):
        raise ExportError(f"{path} is not a list of evaluation rows")
    return rows


def _main_encoder(system: System) -> nnx.Module:
    """The image encoder, or the text encoder of a system that has no other."""
    encoder: nnx.Module = getattr(system, "image_encoder" if system.has_image else "text_encoder")
    return encoder


def _write_weights(loaded: LoadedSystem, config: dict[str, Any], folder: epath.Path) -> None:
    system = loaded.system
    if system.has_image:
        weights.write_image_encoder(_main_encoder(system), system.preprocess.size, folder)
    config["heads"] = weights.write_heads(system, folder)
    write_json(folder / CONFIG, config)
    text = getattr(system, "text_encoder", None)
    if text is not None:
        weights.write_text_encoder(text, loaded.tokenizer, folder)
