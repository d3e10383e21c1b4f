# SPDX-License-Identifier: Apache-2.0
"""An encoder to use from Python: a training of this package, an export, or another project's weights.

encoder = medst_jax.load_encoder("hf-hub:microsoft/rad-dino")
features = encoder.images(["a.png", "b.dcm"]).features  # [2, D]
"""

import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from medst_jax import hub
from medst_jax.data.images.pixels import fit_square
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.images.released import exported_images, stated_images
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data_pipelines import image_files, intensity
from medst_jax.data_pipelines.image_table.direct import square_of
from medst_jax.evaluate.subjects.embedder import Embedder, Embeddings
from medst_jax.evaluate.subjects.imported import import_system, read_length
from medst_jax.models.weights.stated_layout import stated_layout
from medst_jax.options import parse
from medst_jax.train.checkpoint import load_system
from medst_jax.train.workdir import SYSTEM_FILE

ImageSource = str | os.PathLike[str] | np.ndarray
_GREY_VALUES = (
    "voi_lut"  # 8-bit images as they are, DICOM by its window, other depths by their range
)


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Images, and texts where there is a text encoder, to vectors.

    Attributes:
      embedder: takes squares and texts; what evaluation uses.
      from_bytes: the bytes of an image file to the square that `embedder` takes.
      from_pixels: grey uint8 [height, width] to that square.
    """

    embedder: Embedder
    from_bytes: Callable[[bytes], np.ndarray]
    from_pixels: Callable[[np.ndarray], np.ndarray]

    @property
    def has_text(self) -> bool:
        """Whether `texts` can be used."""
        return self.embedder.has_text

    def images(self, images: Sequence[ImageSource]) -> Embeddings:
        """Embed images.

        Args:
          images: N of them: paths of JPEG, PNG (8 or 16 bit) or DICOM files, or grey arrays uint8
            [height, width] with bright bones.

        Returns:
          `features` float32 [N, D], before any projection, which probes read; `global_` float32
          [N, E], unit norm, in the space of `texts`.

        Raises:
          ValueError: an image that cannot be read; its place in `images` is in the message.
        """
        size = self.embedder.size
        squares = np.zeros((len(images), size, size, 1), np.uint8)
        for k, image in enumerate(images):
            try:
                squares[k] = self._square(image)
            except (OSError, ValueError) as error:
                raise ValueError(f"image {k} of {len(images)}: {error}") from error
        return self.embedder.images(squares)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts; `global_` float32 [N, E] has cosines with that of `images`.

        Raises:
          ValueError: there is no text encoder.
        """
        return self.embedder.texts(texts)

    def _square(self, image: ImageSource) -> np.ndarray:
        if not isinstance(image, np.ndarray):
            return self.from_bytes(epath.Path(image).read_bytes())
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ValueError(f"an array {image.dtype} {image.shape}; give uint8 [height, width]")
        return self.from_pixels(image)


def load_encoder(
    path: epath.PathLike,
    *,
    layout: str | None = None,
    preprocess: Preprocess | None = None,
    batch_size: int = 64,
) -> Encoder:
    """Read an encoder.

    Args:
      path: the workdir of a training, a folder or file of weights (of `export.py` or another
        project), or `hf-hub:owner/name`.
      layout: a key of `medst_jax.models.LAYOUTS`; None for what the files beside the weights say.
      preprocess: size and normalisation of its images; None for what those files say.
      batch_size: images or texts per call.

    Raises:
      CheckpointError: the workdir has no readable checkpoint.
      PretrainedError: the weights are not of that layout.
      HubError: the repository cannot be fetched.
      ValueError: the files do not say the layout, or what images must be like.
    """
    if not str(path).startswith(hub.PREFIX) and (epath.Path(path) / SYSTEM_FILE).exists():
        return _trained(path, batch_size)
    folder = str(hub.local(path))
    layout = layout or stated_layout(folder)
    if layout is None:
        raise ValueError(f"the files of {folder} do not say their layout; give layout=")
    if preprocess is None and (export := exported_images(folder)):
        return _squared(folder, layout, *export, batch_size)
    released = None if preprocess else stated_images(folder, layout)
    own = released.preprocess if released else preprocess
    if own is None:
        raise ValueError(
            f"the files of {folder} do not say the size of its images; give "
            "preprocess=Preprocess(size, mean=..., std=...)"
        )
    return _squared(
        folder, layout, own, own.square, batch_size, released.square if released else None
    )


def _squared(
    folder: str,
    layout: str,
    preprocess: Preprocess,
    side: int,
    batch_size: int,
    square: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Encoder:
    """An imported encoder of squares of so many pixels, made in the release's way or in this package's."""
    system, tokenizer = import_system(folder, layout, preprocess)
    length = read_length(system, folder)
    embedder = Embedder(system, tokenizer, side, length, batch_size)
    squared = square or (lambda grey: fit_square(grey, side, preprocess.fit))
    return Encoder(embedder, lambda data: squared(_grey(data)), squared)


def _trained(workdir: epath.PathLike, batch_size: int) -> Encoder:
    loaded = load_system(workdir)
    data = parse(DataOptions, loaded.config["data"], "config.data")
    embedder = Embedder(
        loaded.system,
        loaded.tokenizer,
        data.size,
        data.text_length,
        batch_size,
        cleaned=data.cleans_reports,
    )
    return Encoder(
        embedder,
        lambda file: square_of(file, data.size, data.fit, _GREY_VALUES, data.decode),
        lambda grey: fit_square(grey, data.size, data.fit),
    )


def _grey(data: bytes) -> np.ndarray:
    source = image_files.decode(data, voi_lut=True)
    return intensity.convert(source.pixels, _GREY_VALUES, "jpeg", windowed=source.windowed)
