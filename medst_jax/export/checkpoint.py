# SPDX-License-Identifier: Apache-2.0
"""A training run's checkpoint as a folder that other programs can use."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath
from flax import nnx

import medst_jax
from medst_jax.command_line import user_command
from medst_jax.export import card, load_exported, stablehlo, weights
from medst_jax.export.errors import ExportError
from medst_jax.export.folder import CONFIG, MARK, staged
from medst_jax.export.foreign_config import foreign_config
from medst_jax.files.reading import read_json
from medst_jax.systems.system import System
from medst_jax.train.checkpoint import LoadedSystem
from medst_jax.train.workdir import write_json

TOKENIZER, LABELS, CARD = "tokenizer.model", "labels.json", "README.md"

_USAGE = {
    "safetensors": """`model.safetensors`: the image encoder under {layout} names; \
`heads.safetensors`: everything else but the text encoder; `text_encoder/`: the text encoder \
under Hugging Face's names, where the system has one.

{code}
Images: grey in [0, 1], resized, cropped and normalised as `preprocess` in config.json says.""",
    "stablehlo": """`NAME.jax_export`, weights and preprocessing inside, for cpu, cuda and tpu; \
`NAME.stablehlo` is the same as portable bytecode. `load_exported.py` needs jax and numpy alone.

{programs}

```python
from load_exported import load
{example}
```""",
}
_CODE = {
    "torchvision": """model = torchvision.models.resnet50()  # or the size that config.json says
model.fc = torch.nn.Identity()
model.load_state_dict(safetensors.torch.load_file("{folder}/model.safetensors"))
features = model.eval()(images)  # float [b, c, h, w], normalised""",
    "timm": """model = timm.create_model("local-dir:{folder}", pretrained=True)
tokens = model.eval().forward_features(images)  # float [b, c, h, w], normalised""",
    "hf-swin": """model = transformers.AutoModel.from_pretrained("{folder}")
features = model.eval()(images).pooler_output  # float [b, c, h, w], normalised""",
}
_TEXT_CODE = """
text = transformers.AutoModel.from_pretrained("{folder}/text_encoder", add_pooling_layer=False)
states = text.eval()(tokens, mask, output_hidden_states=True).hidden_states"""
_TEXT_USAGE = """`text_encoder/`: the text encoder under Hugging Face's names; \
`heads.safetensors`: its heads.

{code}"""
_OWN_CODE = """encoder, tokenizer = medst_jax.models.from_pretrained("{folder}", "{layout}")"""
_EXAMPLES = {
    "image": 'embedding = load(".", "encode_image")(images)["global_"]  # uint8 [b, {size}, {size}, 1]',
    "text": 'embedding = load(".", "encode_text")(tokens, mask)["global_"]  # int32, bool [b, L]',
}
FORMATS = tuple(_USAGE)


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
    architecture = weights.architecture(encoder)
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
            usage = _weights_usage(loaded, epath.Path(output).name, architecture["layout"])
        else:
            config["programs"] = stablehlo.write_programs(system, size, length, folder)
            write_json(folder / CONFIG, config)
            source = pathlib.Path(load_exported.__file__).read_text()
            (folder / "load_exported.py").write_text(source)
            described = [f"- `{name}`: {what}" for name, what in config["programs"].items()]
            example = _EXAMPLES["image" if system.has_image else "text"].format(size=size)
            usage = _USAGE[format].format(example=example, programs="\n".join(described))
        write_json(folder / LABELS, list(system.labels))
        if loaded.tokenizer is not None:
            loaded.tokenizer.save(folder / TOKENIZER)
        text = card.model_card(
            system=loaded.name,
            step=loaded.step,
            config=loaded.config,
            architecture=architecture,
            stamp=loaded.stamp,
            licence_of=card.licences(loaded.config),
            labels=system.labels,
            rows=rows,
            usage=usage,
            summary=summary or {},
        )
        (folder / CARD).write_text(text)
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


def loading_lines(layout: str | None, folder: str) -> str:
    """The lines of Python that load an exported image encoder, or the text encoder for None."""
    code = _TEXT_CODE if layout is None else _CODE.get(layout, _OWN_CODE)
    return code.format(folder=folder, layout=layout)


def _weights_usage(loaded: LoadedSystem, folder: str, layout: str) -> str:
    lines = loading_lines(None, folder)
    if not loaded.system.has_image:
        return _TEXT_USAGE.format(code=f"```python{lines}\n```")
    code = loading_lines(layout, folder)
    if getattr(loaded.system, "text_encoder", None) is not None:
        code += lines
    return _USAGE["safetensors"].format(layout=layout, code=f"```python\n{code}\n```")
