# SPDX-License-Identifier: Apache-2.0
"""A system behind a numpy interface: images and texts in, embeddings out, one compilation each."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from medst_jax.text.cleaning import only_words

_LOG = logging.getLogger(__name__)
_BATCH_AXES = ("data", "fsdp")


class TextEncoder(Protocol):
    """The part of the tokenizer that evaluation needs."""

    def encode_batch(self, texts: Sequence[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens int32 [B, L] and their mask bool [B, L]."""

    def word_index(self, tokens: np.ndarray) -> np.ndarray:
        """The word that each of the tokens [L] is part of, int32 [L], -1 for none."""


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Embeddings of N images or texts, float32.

    Attributes:
      features: [N, D], before any projection (what probes read).
      global_: [N, E], unit norm, in the joint space.
      logits: [N, C] against the system's label prototypes, or None.
      lengths: [N], of what `global_` is the direction of; None where the system does not say.
    """

    features: np.ndarray
    global_: np.ndarray
    logits: np.ndarray | None = None
    lengths: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> "Embeddings":
        logits = None if self.logits is None else self.logits[rows]
        lengths = None if self.lengths is None else self.lengths[rows]
        return Embeddings(self.features[rows], self.global_[rows], logits, lengths)

    @classmethod
    def concatenate(cls, blocks: Sequence["Embeddings"]) -> "Embeddings":
        """One `Embeddings` of all blocks' rows; blocks of one embedder."""
        logits = [block.logits for block in blocks if block.logits is not None]
        return cls(
            np.concatenate([block.features for block in blocks]),
            np.concatenate([block.global_ for block in blocks]),
            np.concatenate(logits) if logits else None,
        )


class Embedder:
    """Embeds with a fixed batch (the last one is padded), sharded over the ambient mesh if any.

    Args:
      system: a `System`.
      tokenizer: of the checkpoint; None for systems without text.
      size: S, side of the images that `images` takes.
      text_length: L of every tokenised text.
      batch_size: rows per call; rounded up to a multiple of the mesh's batch shards. Where they do not fit
        the memory, half of them are taken from there on, and the log says so.
      cleaned: whether the system was trained on words alone, see `medst_jax.text.cleaning`.

    Attributes:
      window: first and last end of the rows, and columns, of those images that the encoder sees.
    """

    def __init__(
        self,
        system: Any,
        tokenizer: TextEncoder | None,
        size: int,
        text_length: int,
        batch_size: int = 64,
        *,
        cleaned: bool = False,
    ) -> None:
        self.size, self.text_length = size, text_length
        self.labels: tuple[str, ...] = tuple(system.labels) if system.has_prototypes else ()
        self.has_image: bool = system.has_image
        self.has_text: bool = system.has_text and tokenizer is not None
        self.has_maps: bool = system.has_maps and tokenizer is not None
        self.has_text_scores: bool = system.has_text_scores and tokenizer is not None
        restores: bool = getattr(system, "restores_reports", False)
        self.restores_reports: bool = restores and tokenizer is not None
        self.reads_priors: bool = "prior_frontal" in system.required_keys
        self.has_similarities: bool = system.has_similarities and tokenizer is not None
        self._reads_words: bool = getattr(system, "reads_words", False)
        self._preprocess = system.preprocess
        self.window: tuple[int, int] = system.preprocess.window(size)
        self._tokenizer, self._cleaned = tokenizer, cleaned
        self._graph, self._state = nnx.split(system)
        self._mesh = jax.sharding.get_mesh()
        self._shards = 1
        if not self._mesh.empty:
            self._shards = int(np.prod([self._mesh.shape.get(axis, 1) for axis in _BATCH_AXES]))
        self._batch_size = -(-batch_size // self._shards) * self._shards

    def images(self, images: np.ndarray) -> Embeddings:
        """Embed uint8 `images` [N, S, S, 1]; N may be zero."""
        self._check(images)
        return self._run(_embed_images, (images,))

    def pairs(self, images: np.ndarray, priors: np.ndarray, has_prior: np.ndarray) -> Embeddings:
        """Embed uint8 `images` together with uint8 `priors`, both [N, S, S, 1].

        Args:
          images: current ones.
          priors: earlier ones, read where `has_prior` bool [N] is true.
          has_prior: of each.

        Raises:
          ValueError: the system reads one image at a time (`reads_priors` says so).
        """
        if not self.reads_priors:
            raise ValueError("this system reads one image at a time; it takes no prior")
        self._check(images)
        self._check(priors)
        return self._run(_embed_pairs, (images, priors, has_prior))

    def patches(self, images: np.ndarray) -> np.ndarray:
        """Unit-norm patch embeddings float32 [N, P, E] of uint8 `images`, in row order.

        They cover `window`. A second view's patches are not among them.
        """
        self._check(images)
        return self._blocks(_embed_patches, (images,))[0]

    def box(self, box: Any, height: int, width: int) -> np.ndarray:
        """Boxes [..., 4] of a stored image of that size in the square that `images` takes.

        They are clipped to the part of it that the encoder sees, see `window`.
        """
        return self._preprocess.seen_box(box, height, width, self.size)

    def _check(self, images: np.ndarray) -> None:
        expected = (self.size, self.size, 1)
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise ValueError(
                f"images are {images.dtype} {images.shape}; they must be uint8 [N, S, S, 1] "
                f"with S = {self.size}, the size of the checkpoint"
            )

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed strings; longer ones are cut at the checkpoint's text length."""
        if not self.has_text:
            raise ValueError(
                "this system has no text encoder; use protocols that read its label prototypes "
                "or its image features"
            )
        features, global_, *rest = self._blocks(_embed_texts, self.tokens(texts))
        return Embeddings(features, global_, lengths=rest[0] if rest else None)

    def system(self) -> Any:
        """The system itself, for whoever trains it further."""
        return nnx.merge(self._graph, self._state)

    def prototypes(self) -> np.ndarray | None:
        """Directions of the labels float32 [C, E], unit norm; None where the logits are no cosines."""
        directions = self.system().label_directions()
        return None if directions is None else np.asarray(directions, np.float32)

    def maps(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """How well each region of `window` suits a sentence, float32 [N, P], in row order.

        Args:
          images: uint8 [N, S, S, 1].
          texts: N sentences, one for each image.

        Raises:
          ValueError: the system relates no sentence to regions (`has_maps` says so).
        """
        if not self.has_maps:
            raise ValueError("this system relates no sentence to the regions of an image")
        self._check(images)
        return self._blocks(_region_scores, (images, *self.tokens(texts)))[0]

    def text_scores(self, image: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """How well each of several texts suits one image, float32 [N].

        Args:
          image: uint8 [S, S, 1]; it is encoded once for every block of texts.
          texts: N of them.

        Raises:
          ValueError: the system scores no texts of an image (`has_text_scores` says so).
        """
        if not self.has_text_scores:
            raise ValueError("this system scores no texts of an image")
        self._check(image[None])
        shown = self._to_every_device(image[None])
        return self._blocks(functools.partial(_text_scores, shown), self.tokens(texts))[0]

    def similarities(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """How well each text suits each image by the system's own measure, float32 [N, K].

        Args:
          images: uint8 [N, S, S, 1].
          texts: K of them.
        """
        self._check(images)
        read = tuple(map(self._to_every_device, self.tokens(texts)))
        return self._blocks(functools.partial(_similarities, read), (images,))[0]

    def masked_report_errors(self, images: np.ndarray, reports: Sequence[str]) -> np.ndarray:
        """Cross-entropy of hidden words, float32 [N], nats per token; NaN where none is hidden.

        Report i hides the same words, whatever image it is given.

        Args:
          images: uint8 [N, S, S, 1].
          reports: N texts, one for each image; longer ones are cut.

        Raises:
          ValueError: the system restores no reports (`restores_reports` says so).
        """
        if not self.restores_reports or self._tokenizer is None:
            raise ValueError("this system restores no hidden words of reports")
        self._check(images)
        tokens, mask = self._tokenizer.encode_batch(reports, self.text_length)
        words = np.array([self._tokenizer.word_index(row) for row in tokens], np.int32)
        examples = np.arange(len(tokens), dtype=np.int32)
        return self._blocks(
            _masked_report_errors, (images, tokens, mask, words.reshape(tokens.shape), examples)
        )[0]

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, ...]:
        """What `encode_text` takes: int32 [N, L] and bool [N, L], with words int32 [N, L] if read."""
        if self._tokenizer is None:
            raise ValueError("without a tokenizer no text can be read")
        read = [only_words(text) for text in texts] if self._cleaned else texts
        tokens, mask = self._tokenizer.encode_batch(read, self.text_length)
        if not self._reads_words:
            return tokens, mask
        words = np.array([self._tokenizer.word_index(row) for row in tokens], np.int32)
        return tokens, mask, words.reshape(tokens.shape)

    def _run(self, function: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> Embeddings:
        return Embeddings(*self._blocks(function, arrays))

    def _blocks(
        self, function: Callable[..., Any], arrays: tuple[np.ndarray, ...]
    ) -> list[np.ndarray]:
        count, start, blocks = len(arrays[0]), 0, []
        while start < max(count, 1):
            rows = [_padded(a[start:], self._batch_size) for a in arrays]
            try:
                batch = [self._to_device(a) for a in rows]
                blocks.append(jax.device_get(function(self._graph, self._state, *batch)))
            except jax.errors.JaxRuntimeError as error:
                self._halve(error)
            else:
                start += len(rows[0])
            batch = []  # before the next one is put beside it
        return [np.concatenate(leaves)[:count] for leaves in zip(*blocks, strict=True)]

    def _halve(self, error: jax.errors.JaxRuntimeError) -> None:
        """Go on with half the batch where memory was the matter; else raise the error itself."""
        half = self._batch_size // (2 * self._shards) * self._shards
        # Of several processes the others may have had room: they would wait for this one for ever.
        if "RESOURCE_EXHAUSTED" not in str(error) or not half or jax.process_count() > 1:
            raise error
        _LOG.warning(
            "out of memory at %d rows per call; going on with %d (--batch_size=%d avoids the attempt)",
            self._batch_size,
            half,
            half,
        )
        self._batch_size = half

    def _to_device(self, batch: np.ndarray) -> jax.Array:
        if self._mesh.empty:
            return jax.device_put(batch)
        axes = tuple(axis for axis in _BATCH_AXES if axis in self._mesh.shape)
        sharding = NamedSharding(self._mesh, PartitionSpec(axes))
        # Every process holds the whole batch and hands over its own rows.
        return jax.make_array_from_callback(batch.shape, sharding, lambda index: batch[index])

    def _to_every_device(self, array: np.ndarray) -> jax.Array:
        if self._mesh.empty:
            return jax.device_put(array)
        sharding = NamedSharding(self._mesh, PartitionSpec())
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


@functools.partial(jax.jit, static_argnums=0)
def _embed_images(graph: Any, state: Any, images: jax.Array) -> tuple[jax.Array, ...]:
    system = nnx.merge(graph, state)
    embedding = system.encode_image(images)
    outputs = [embedding.features, embedding.global_]
    if system.has_prototypes:
        outputs.append(system.class_logits(images))
    return tuple(_replicated(output) for output in outputs)


@functools.partial(jax.jit, static_argnums=0)
def _embed_pairs(
    graph: Any, state: Any, images: jax.Array, priors: jax.Array, has_prior: jax.Array
) -> tuple[jax.Array, ...]:
    system = nnx.merge(graph, state)
    embedding = system.encode_image(images, prior_frontal=priors, has_prior=has_prior)
    return _replicated(embedding.features), _replicated(embedding.global_)


@functools.partial(jax.jit, static_argnums=0)
def _embed_patches(graph: Any, state: Any, images: jax.Array) -> tuple[jax.Array, ...]:
    return (_replicated(nnx.merge(graph, state).encode_image(images).local),)


@functools.partial(jax.jit, static_argnums=0)
def _region_scores(graph: Any, state: Any, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    return (_replicated(nnx.merge(graph, state).region_scores(*arrays)),)


@functools.partial(jax.jit, static_argnums=1)
def _text_scores(
    image: jax.Array, graph: Any, state: Any, *text: jax.Array
) -> tuple[jax.Array, ...]:
    return (_replicated(nnx.merge(graph, state).text_scores(image, *text)),)


@functools.partial(jax.jit, static_argnums=1)
def _similarities(
    texts: tuple[jax.Array, ...], graph: Any, state: Any, images: jax.Array
) -> tuple[jax.Array, ...]:
    return (_replicated(nnx.merge(graph, state).similarities(images, *texts)),)


@functools.partial(jax.jit, static_argnums=0)
def _masked_report_errors(graph: Any, state: Any, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    *inputs, examples = arrays
    keys = jax.vmap(lambda example: jax.random.fold_in(jax.random.key(0), example))(examples)
    return (_replicated(nnx.merge(graph, state).masked_report_errors(*inputs, keys)),)


@functools.partial(jax.jit, static_argnums=0)
def _embed_texts(
    graph: Any, state: Any, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
) -> tuple[jax.Array, ...]:
    embedding = nnx.merge(graph, state).encode_text(tokens, token_mask, *words)
    outputs = [embedding.features, embedding.global_]
    if embedding.length is not None:
        outputs.append(embedding.length)
    return tuple(_replicated(output) for output in outputs)


def _replicated(array: jax.Array) -> jax.Array:
    array = array.astype(jnp.float32)
    if jax.sharding.get_abstract_mesh().empty:
        return array
    return jax.lax.with_sharding_constraint(array, PartitionSpec())  # so that any process reads it


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    rows = rows[:size]
    if len(rows) == size:
        return rows
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
