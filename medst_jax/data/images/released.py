# SPDX-License-Identifier: Apache-2.0
"""How a released encoder's own files say that an image becomes its input; host side, by Pillow."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from PIL import Image

from medst_jax.data.images import Fit
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.files.reading import read_json, reading
from medst_jax.options import OptionError, parse

HUGGING_FACE, OPEN_CLIP, CONFIG = (
    "preprocessor_config.json",
    "open_clip_config.json",
    "config.json",
)
_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}  # Pillow's numbers


@dataclasses.dataclass(frozen=True)
class ReleasedImages:
    """Resize in uint8, cut the centre out, replicate grey, normalise.

    Attributes:
      size: side of the encoder's input, pixels.
      resize: side that the resize aims at: both sides for fit "stretch", the shorter one for "crop".
      fit: "stretch" loses the aspect, "crop" cuts the centre out; "pad" pads to a square with
        zeros before the resize.
      resample: Pillow's number of the filter.
      mean, std: of pixels in [0, 1], for each channel.
      rounds: whether an odd pixel of the crop is rounded (torchvision) or lies behind (Hugging Face).
    """

    size: int
    resize: int
    fit: Fit
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rounds: bool = False

    def __post_init__(self) -> None:
        if self.resize < self.size:
            raise OptionError(
                f"images are resized to {self.resize} and cut to {self.size}, which is larger; the "
                "border of zeros that this means is not made here"
            )

    @property
    def preprocess(self) -> Preprocess:
        """What remains to be done with `square`, inside jit."""
        crop = self.resize if self.resize > self.size else None
        return Preprocess(self.size, self.fit, self.mean, self.std, len(self.mean), crop)

    def square(self, pixels: np.ndarray) -> np.ndarray:
        """A grey image uint8 [h, w] as uint8 [resize, resize, 1], of which the centre is read."""
        height, width = pixels.shape
        if self.fit == "pad":
            side = max(height, width)
            padded = np.zeros((side, side), np.uint8)
            top, left = (side - height) // 2, (side - width) // 2
            padded[top : top + height, left : left + width] = pixels
            pixels, height, width = padded, side, side
        target = (self.resize, self.resize)
        if self.fit == "crop":
            short = min(height, width)
            # The longer side is cut down to a whole number, as in the libraries.
            target = (self.resize * height // short, self.resize * width // short)
        image = Image.fromarray(pixels).resize(target[::-1], Image.Resampling(self.resample))
        top, left = (self._begin(side) for side in target)
        square = np.asarray(image)[top : top + self.resize, left : left + self.resize]
        return np.ascontiguousarray(square)[..., None]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """A grey image uint8 [h, w] as float32 [size, size, c], normalised."""
        begin = (self.resize - self.size) // 2
        cut = self.square(pixels)[begin : begin + self.size, begin : begin + self.size]
        mean, std = np.asarray(self.mean), np.asarray(self.std)
        return ((cut / 255.0 - mean) / std).astype(np.float32)

    def _begin(self, side: int) -> int:
        """Where the square begins, so that its own centre is that of the whole side."""
        free = (side - self.size) / 2
        inner = (self.resize - self.size) // 2
        whole = round(free) if self.rounds else math.floor(free)
        return min(max(whole - inner, 0), side - self.resize)


_FETCH = "fetch its folder again"
# Releases without such a file whose code says it, by layout.
_CODE = {
    "medclip": ReleasedImages(224, 224, "pad", 3, (0.5862785803,) * 3, (0.2795008897,) * 3),
}


def stated_images(folder: epath.PathLike, layout: str = "") -> ReleasedImages | None:
    """What the files of a folder say, or the code of a release of that layout; else None.

    Read are Hugging Face's preprocessor_config.json, open_clip's open_clip_config.json and the
    `pretrained_cfg` of timm's config.json, the first that is there.

    Raises:
      OptionError: they ask for what is not computed here.
    """
    place = epath.Path(folder)
    place = place if place.is_dir() else place.parent
    if (place / HUGGING_FACE).exists():
        with reading(place / HUGGING_FACE, "what is done to images", _FETCH):
            return _hugging_face(_json(place / HUGGING_FACE))
    if (place / OPEN_CLIP).exists():
        with reading(place / OPEN_CLIP, "what is done to images", _FETCH):
            return _open_clip(_json(place / OPEN_CLIP))
    config = _json(place / CONFIG) if (place / CONFIG).exists() else {}
    timm = config.get("pretrained_cfg")
    if isinstance(timm, Mapping) and "input_size" in timm:
        with reading(place / CONFIG, "what is done to images", _FETCH):
            return _timm(timm)
    return _CODE.get(layout)


def exported_images(folder: epath.PathLike) -> tuple[Preprocess, int] | None:
    """Of an export of this package: what its encoder does with squares, and their side in training.

    None for a folder of another kind.
    """
    place = epath.Path(folder)
    file = (place if place.is_dir() else place.parent) / CONFIG
    config = _json(file) if file.exists() else {}
    if not {"encoder", "preprocess", "stored_size"} <= config.keys():
        return None
    with reading(file, "what is done to images", _FETCH):
        return parse(Preprocess, config["preprocess"], "preprocess"), int(config["stored_size"])


def _json(file: epath.Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(file, _FETCH)
    return content


def _hugging_face(config: Mapping[str, Any]) -> ReleasedImages:
    if not config.get("do_resize", True):
        raise OptionError("preprocessor_config.json resizes nothing; give size and fit yourself")
    size = config.get("size", 224)
    siglip = "Siglip" in str(config.get("image_processor_type", ""))
    if isinstance(size, int):  # files of before 2023
        size = {"height": size, "width": size} if siglip else {"shortest_edge": size}
    if "shortest_edge" in size and "longest_edge" not in size:
        resize, fit = int(size["shortest_edge"]), "crop"
    elif size.get("height", 0) == size.get("width"):
        resize, fit = int(size["height"]), "stretch"
    else:
        raise OptionError(f"preprocessor_config.json has size {size}; squares are made here")
    cut: Any = config.get("crop_size", resize) if config.get("do_center_crop") else resize
    cut = cut if isinstance(cut, Mapping) else {"height": cut, "width": cut}
    if cut["height"] != cut["width"]:
        raise OptionError(f"preprocessor_config.json has crop_size {cut}; squares are made here")
    normal = config.get("do_normalize", True)
    mean, std = config.get("image_mean"), config.get("image_std")
    if normal and (mean is None or std is None):
        raise OptionError("preprocessor_config.json has no image_mean and image_std; give them")
    return ReleasedImages(
        size=int(cut["height"]),
        resize=resize,
        fit=fit,  # type: ignore[arg-type]
        resample=int(config.get("resample", 3)),
        mean=tuple(map(float, mean)) if normal and mean else (0.0,) * 3,
        std=tuple(map(float, std)) if normal and std else (1.0,) * 3,
    )


def _open_clip(config: Mapping[str, Any]) -> ReleasedImages | None:
    images = config.get("preprocess_cfg") or {}
    size = images.get("size") or config["model_cfg"]["vision_cfg"].get("image_size", 224)
    size = size[-1] if isinstance(size, (list, tuple)) else size
    mode = images.get("resize_mode", "shortest")
    fits: dict[str, Fit] = {"shortest": "crop", "squash": "stretch"}
    if mode not in fits:
        raise OptionError(f"{OPEN_CLIP} has resize_mode {mode!r}; known: {', '.join(fits)}")
    return ReleasedImages(
        size=int(size),
        resize=int(size),
        fit=fits[mode],
        resample=_FILTERS[images.get("interpolation", "bicubic")],
        # OpenAI's, which open_clip takes where nothing is said.
        mean=tuple(images.get("mean", (0.48145466, 0.4578275, 0.40821073))),
        std=tuple(images.get("std", (0.26862954, 0.26130258, 0.27577711))),
        rounds=True,
    )


def _timm(config: Mapping[str, Any]) -> ReleasedImages:
    size = int(config["input_size"][-1])
    mode = config.get("crop_mode") or "center"
    fits: dict[str, Fit] = {"center": "crop", "squash": "stretch"}
    if mode not in fits:
        raise OptionError(f"pretrained_cfg has crop_mode {mode!r}; known: {', '.join(fits)}")
    return ReleasedImages(
        size=size,
        resize=math.floor(size / float(config.get("crop_pct") or 0.875)),
        fit=fits[mode],
        resample=_FILTERS[config.get("interpolation") or "bicubic"],
        mean=tuple(config.get("mean") or (0.485, 0.456, 0.406)),
        std=tuple(config.get("std") or (0.229, 0.224, 0.225)),
        rounds=True,
    )
