# SPDX-License-Identifier: Apache-2.0
"""Encoders of other projects as contestants: what a released checkpoint holds, behind the interface that
evaluation reads. They are not trained here and are no entry of the registry."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from etils import epath
from flax import nnx

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.clip_transformer import ClipOutput, ClipText
from medst_jax.models.encoders.text_transformer import TextTransformer
from medst_jax.models.encoders.towers import (
    ImageTextModel,
    ImageTower,
    TowerOutput,
    four_layers,
    summed_words,
    three_layers,
    three_layers_padded,
)
from medst_jax.models.heads.contrastive import lengths, unit_norm
from medst_jax.models.weights.pretrained import from_pretrained
from medst_jax.models.weights.stated_layout import stated_text_length
from medst_jax.systems.system import Embedding, System


class ImportedSystem(System):
    """An imported image encoder, alone or with its text tower; it has no training loss.

    Attributes:
      preprocess: what the encoder was trained on.
      has_text: whether there is a text tower.
      reads_words: whether the text tower sums the pieces of words, and so needs their numbers.
      joint_patches: whether patches have the width of texts, as `import_system` finds out.
    """

    required_keys: ClassVar[tuple[str, ...]] = ("frontal",)

    def __init__(self, module: nnx.Module, preprocess: Preprocess) -> None:
        """Of an encoder, an image tower or an `ImageTextModel`."""
        pair = module if isinstance(module, ImageTextModel) else None
        self.image: Any = pair.image if pair else module
        self.text: Any = pair.text if pair else None
        self.labels = ()
        self.has_text = pair is not None  # type: ignore[misc]  # of this file, not of the class
        self.reads_words = getattr(self.text, "pooling", None) in (summed_words, four_layers)
        self.preprocess = preprocess
        self.joint_patches = False

    @property
    def has_maps(self) -> bool:
        """Whether patches lie in the space of texts."""
        return self.joint_patches

    @property
    def image_encoder(self) -> Any:
        """The encoder itself, before any projection."""
        return self.image.encoder if isinstance(self.image, ImageTower) else self.image

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        """Embed uint8 images [B, S, S, 1]; an encoder without heads gives its features."""
        output: Any = self.image(self.preprocess(images))
        if isinstance(output, TowerOutput):
            return _embedding(output.global_, output.local, output.features)
        # CLIP projects its class token; a bare encoder projects nothing.
        global_ = output.global_ if isinstance(output, ClipOutput) else output.pooled
        return _embedding(global_, output.patches, output.pooled)

    def encode_text(
        self, tokens: jax.Array, token_mask: jax.Array, word_index: jax.Array | None = None
    ) -> Embedding:
        """Embed tokens int32 [B, L] with their mask bool [B, L].

        `word_index` int32 [B, L] numbers the words, -1 at specials and padding.
        """
        if isinstance(self.text, ClipText):
            clip = self.text(tokens, token_mask)
            return _embedding(clip.global_, clip.tokens, clip.pooled, lengths(clip.global_))
        continues = None
        if word_index is not None:
            before = jnp.pad(word_index[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
            continues = (word_index >= 0) & (word_index == before)
        output = self.text(tokens, token_mask, continues)
        return _embedding(output.global_, output.local, output.features, lengths(output.global_))


def import_system(
    path: epath.PathLike, layout: str, preprocess: Preprocess
) -> tuple[ImportedSystem, TextTokenizer | None]:
    """Read a checkpoint of another project.

    Args:
      path: as for `models.from_pretrained`.
      layout: a key of `models.LAYOUTS`.
      preprocess: size, crop, channels and normalisation of its images.

    Returns:
      (system, tokenizer); the tokenizer is None unless its files lie beside the weights.

    Raises:
      PretrainedError: the file is not of that layout.
      ValueError: it holds no image encoder.
    """
    module, tokenizer = from_pretrained(path, layout)
    system = ImportedSystem(module, preprocess)
    shape = (1, preprocess.square, preprocess.square, 1)
    try:
        image = nnx.eval_shape(lambda s: s.encode_image(jnp.zeros(shape, jnp.uint8)), system)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"{path} (layout {layout!r}) holds a {type(module).__name__}, which embeds no images "
            f"of {preprocess.channels} channels: {error}"
        ) from error
    if system.has_text:
        if getattr(system.text, "pooling", None) is three_layers_padded:
            # Texts are padded to one length here: their padding must not count.
            system.text.pooling = three_layers
        words = jnp.zeros((1, text_length(system) or 4), jnp.int32)
        text = nnx.eval_shape(lambda s: s.encode_text(words, words == 0, words), system)
        projected = isinstance(system.image, ImageTower) and system.image.local_head is not None
        system.joint_patches = projected and image.local.shape[-1] == text.global_.shape[-1]
    return system, tokenizer


def text_length(system: ImportedSystem) -> int | None:
    """Tokens that the text tower was trained with, where its positions tell; None of a Bert's."""
    encoder = getattr(system.text, "encoder", system.text)
    if isinstance(encoder, (ClipText, TextTransformer)):
        return encoder.options.max_length
    return None


def read_length(system: ImportedSystem, path: epath.PathLike) -> int:
    """Tokens of a text as the encoder reads it.

    What its positions or the config beside its weights tell; 77, CLIP's, of a Bert that tells
    nothing, and no more than it has positions for.
    """
    own = text_length(system)
    if own is not None:
        return own
    stated = stated_text_length(path) or 77
    encoder = getattr(system.text, "encoder", system.text)
    return min(stated, encoder.options.max_length) if isinstance(encoder, Bert) else stated


def _embedding(
    global_: jax.Array, local: jax.Array, features: jax.Array, length: jax.Array | None = None
) -> Embedding:
    as_float = jnp.float32
    return Embedding(
        unit_norm(global_.astype(as_float)),
        unit_norm(local.astype(as_float)),
        features.astype(as_float),
        length,
    )
