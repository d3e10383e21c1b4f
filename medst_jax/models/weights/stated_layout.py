# SPDX-License-Identifier: Apache-2.0
"""Which layout a folder's own files say it has."""

from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.files.reading import read_json, reading
from medst_jax.models.weights.kinds import OPEN_CLIP_CONFIG
from medst_jax.models.weights.weights_file import CONFIG, FETCH

_MODEL_TYPES = {
    "siglip": "hf-siglip",
    "siglip_vision_model": "hf-siglip",
    "clip": "hf-clip",
    "clip_vision_model": "hf-clip",
    "dinov2": "hf-dinov2",
    "dinov2_with_registers": "hf-dinov2",
    "dinov3_vit": "hf-dinov3",
    "bert": "hf-bert",
    "swin": "hf-swin",
}


def stated_layout(path: epath.PathLike) -> str | None:
    """The layout of a folder or of a weights file in it, by the config beside the weights.

    Known are exports of this package, open_clip's folders, Hugging Face's model types and timm's
    architectures; None where the config tells nothing.
    """
    place = epath.Path(path)
    place = place if place.is_dir() else place.parent
    if (place / OPEN_CLIP_CONFIG).exists():
        file = place / OPEN_CLIP_CONFIG
        with reading(file, "a configuration of open_clip", FETCH):
            model = _json(file).get("model_cfg", {})
            timm = (model.get("vision_cfg") or {}).get("timm_model_name")
            text = (model.get("text_cfg") or {}).get("hf_model_name")
        if bool(timm) != bool(text):
            return None
        return "biomedclip" if timm else "open-clip"
    if not (place / CONFIG).exists():
        return None
    config = _json(place / CONFIG)
    exported = config.get("encoder")
    if isinstance(exported, Mapping) and "layout" in exported:
        return str(exported["layout"])
    if "architecture" in config:
        return "timm" if str(config["architecture"]).startswith("vit") else None
    return _MODEL_TYPES.get(str(config.get("model_type")))


def stated_text_length(path: epath.PathLike) -> int | None:
    """Tokens of a text, special ones included, by open_clip's config beside the weights; else None."""
    place = epath.Path(path)
    file = (place if place.is_dir() else place.parent) / OPEN_CLIP_CONFIG
    if not file.exists():
        return None
    with reading(file, "a configuration of open_clip", FETCH):
        text = _json(file).get("model_cfg", {}).get("text_cfg") or {}
        return int(text["context_length"]) if "context_length" in text else None


def _json(file: epath.Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(file, FETCH)
    return content
