# SPDX-License-Identifier: Apache-2.0
"""Independent float64 numpy readings of the word-region and prototype losses."""

import numpy as np

from tests.losses.reference import softmax, unit


def gloria_local(
    words, patches, word_mask, word_temperature, pool_temperature, scale, negatives=None
) -> float:
    """`negatives` [B, B]: whether image i and text j may be negatives of each other."""
    allowed = np.ones((len(words),) * 2, bool) if negatives is None else negatives
    rows = [i for i in range(len(words)) if np.any(word_mask[i])]
    logits = np.zeros((len(rows), len(rows)))
    for a, image in enumerate(rows):
        for b, text in enumerate(rows):
            kept = words[text][word_mask[text]]
            scores = kept @ patches[image].T
            over_words = np.stack([softmax(column) for column in scores.T], axis=1)
            total = 0.0
            for word, row in zip(kept, over_words, strict=True):
                context = softmax(word_temperature * row) @ patches[image]
                total += np.exp(pool_temperature * np.dot(unit(word), unit(context)))
            logits[a, b] = scale * np.log(total)
    loss = 0.0
    for a, row in enumerate(rows):
        texts = [b for b, other in enumerate(rows) if b == a or allowed[row, other]]
        images = [b for b, other in enumerate(rows) if b == a or allowed[other, row]]
        loss -= np.log(softmax(logits[a, texts])[texts.index(a)])
        loss -= np.log(softmax(logits[images, a])[images.index(a)])
    return loss / max(len(rows), 1)


def token_alignment(
    words, patches, word_mask, patch_mask, word_weights, patch_weights, tau, negatives=None
):
    """(word term, patch term); `negatives` [B, W, W] says which words of a text compete."""
    terms = []
    for b in range(len(words)):
        kept_words, kept_patches = words[b][word_mask[b]], patches[b][patch_mask[b]]
        if len(kept_words) and len(kept_patches):
            found = [unit(softmax(kept_patches @ w / tau) @ kept_patches) for w in kept_words]
            pairs = None if negatives is None else negatives[b][np.ix_(word_mask[b], word_mask[b])]
            word = _own(kept_words, np.array(found), word_weights[b][word_mask[b]], tau, pairs)
            found = [softmax(kept_words @ p / tau) @ kept_words for p in kept_patches]
            patch = _own(kept_patches, np.array(found), patch_weights[b][patch_mask[b]], tau)
            terms.append((word, patch))
    return tuple(np.mean(terms, axis=0)) if terms else (0.0, 0.0)


def _own(tokens, found, weights, tau, allowed=None) -> float:
    logits = tokens @ found.T / tau
    every = range(len(tokens))
    total = 0.0
    for t, weight in enumerate(weights):
        out = [u for u in every if u == t or allowed is None or allowed[t, u]]
        back = [u for u in every if u == t or allowed is None or allowed[u, t]]
        total -= 0.5 * weight * np.log(softmax(logits[t, out])[out.index(t)])
        total -= 0.5 * weight * np.log(softmax(logits[back, t])[back.index(t)])
    return total


def sinkhorn(scores, epsilon, iterations) -> np.ndarray:
    codes = np.exp(scores / epsilon)
    for _ in range(iterations):
        codes /= codes.sum(axis=0, keepdims=True) * codes.shape[1]
        codes /= codes.sum(axis=1, keepdims=True) * codes.shape[0]
    return codes * len(codes)


def prototype(image, text, prototypes, temperature, codes, mask) -> float:
    """`codes` (image's, text's) are given, for they carry no gradient."""
    directions = unit(prototypes)
    total = 0.0
    for i in np.flatnonzero(mask):
        for own, other in ((0, text), (1, image)):
            total -= np.dot(codes[own][i], np.log(softmax(directions @ other[i] / temperature)))
    return 0.5 * total / max(np.sum(mask), 1)
