# SPDX-License-Identifier: Apache-2.0
"""A taught net where an encoder stands: what the claims' own protocols read of it.

It has no text encoder: texts are parsed. A text suits an image by its log likelihood, given what the
net reads, less its mean over reference images.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from experiments.taught.facts import NAMES, ZONES, Facts, region_of, said
from experiments.taught.net import TaughtNet, read_changes, read_images
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.protocols.parts.location_baseline import place
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.features_only import FeaturesOnly
from medst_jax.text.labeler import label_sentence
from medst_jax.text.sentences import split_sentences

_SURE = 3.0  # highest logit: reporters miss and invent
_LARGE = 0.4  # severity from which on a text would rather say "large"
_ELSEWHERE = 8.0  # logits that a place loses which the words exclude


class ImageReader(FeaturesOnly):
    """What the net reads of images as features.

    Args:
      net: taught.
      size: S of the images.
      pairs: whether both images of a pair are read at once, or each alone.
    """

    what = "a taught net"

    def __init__(self, net: TaughtNet, size: int, *, pairs: bool) -> None:
        super().__init__(size)
        self._net = net
        self.reads_priors = pairs  # type: ignore[misc]  # of this reader, not of the class

    def images(self, images: np.ndarray) -> Embeddings:
        """Readings [N, R] as `global_`, with the pooled features as `features`.

        Of a reader of pairs the rest of `global_`, that of the prior and of the change, is zero.
        """
        alone = self._embeddings(read_images(self._net, images[..., 0]))
        if not self.reads_priors:
            return alone
        missing = np.zeros((len(images), alone.global_.shape[1] + 3 * len(NAMES)), np.float32)
        return Embeddings(alone.features, np.concatenate([alone.global_, missing], axis=1))

    def pairs(self, images: np.ndarray, priors: np.ndarray, has_prior: np.ndarray) -> Embeddings:
        """Readings of both images and of the change between them."""
        after, before = (read_images(self._net, some[..., 0]) for some in (images, priors))
        change = read_changes(self._net, before["cells"], after["cells"])
        both = [self._embeddings(read).global_ for read in (after, before)]
        joined = np.concatenate([*both, change.reshape(len(change), -1)], axis=1)
        return Embeddings(joined, joined)

    def _embeddings(self, read: dict[str, np.ndarray]) -> Embeddings:
        readings = np.concatenate([read["present"], read["severity"], read["grade"]], axis=1)
        features = np.concatenate([readings, read["pooled"]], axis=1)
        return Embeddings(features.astype(np.float32), readings.astype(np.float32))


class TextReader(FeaturesOnly):
    """How well parsed texts suit what the net reads, as a whole and cell by cell.

    Args:
      net: taught.
      size: S of the images.
      reference: uint8 [M, S, S], over which the mean of a text's likelihood is taken.
    """

    what = "a taught net"
    has_text = True
    has_maps = True

    def __init__(self, net: TaughtNet, size: int, reference: np.ndarray) -> None:
        super().__init__(size)
        self._net, self._preprocess = net, Preprocess(size, channels=1)
        self._mean = _spoken(read_images(net, reference)).mean(0)

    def images(self, images: np.ndarray) -> Embeddings:
        """Log odds and log chances of the facts that a text may state."""
        vectors = _spoken(read_images(self._net, images[..., 0])) - self._mean
        return Embeddings(vectors, vectors)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """The facts that each text states; its product with an image is its log likelihood."""
        facts = said([[text[a:b] for a, b in split_sentences(text)] for text in texts])
        stated = _statements(facts)
        known = ~np.isnan(stated)
        vectors = np.concatenate([np.where(known, stated, 0.0), -known.astype(float)], axis=1)
        return Embeddings(vectors.astype(np.float32), vectors.astype(np.float32))

    def maps(self, images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """The map of the finding that each sentence affirms, where its words allow it, [N, P]."""
        maps = read_images(self._net, images[..., 0])["maps"]
        return np.stack([_asked(own, text) for own, text in zip(maps, texts, strict=True)])

    def box(self, box: Any, height: int, width: int) -> np.ndarray:
        """Boxes of a stored image in the square that the net takes."""
        return self._preprocess.seen_box(box, height, width, self.size)


def _asked(maps: np.ndarray, text: str) -> np.ndarray:
    codes = label_sentence(text)
    affirmed = ["Consolidation" if n == "Pneumonia" else n for n, c in codes.items() if c != 0]
    columns = [NAMES.index(name) for name in affirmed if name in NAMES]
    asked = maps[:, columns or range(len(NAMES))].max(1)
    allowed = region_of(*place("", text)[1:]).ravel()
    return (asked - _ELSEWHERE * ~allowed).astype(np.float32)


def _spoken(read: dict[str, np.ndarray]) -> np.ndarray:
    """Logits of the statements [N, K], clipped, and minus the log chances of their being false."""
    size = (read["severity"] - _LARGE) / 0.1
    zones = read["zones"].reshape(len(size), -1)
    logits = np.concatenate([read["present"], read["right"], size, zones], axis=1)
    clipped = np.clip(logits, -_SURE, _SURE)
    return np.concatenate([clipped, -np.log(expit(-clipped))], axis=1).astype(np.float32)


def _statements(facts: Facts) -> np.ndarray:
    """What is stated [N, K], NaN where nothing is, in the order of `_spoken`."""
    there = facts.present == 1
    large = np.where(there & ~np.isnan(facts.severity), facts.severity > _LARGE, np.nan)
    zone = facts.zone[..., None]
    zones = np.where(np.isnan(zone), np.nan, zone == np.arange(len(ZONES)))
    parts = [facts.present, facts.right, large, zones.reshape(len(there), -1)]
    return np.concatenate(parts, axis=1)
