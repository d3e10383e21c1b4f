# SPDX-License-Identifier: Apache-2.0
"""Independent float64 numpy readings of the losses, loops over rows, and numeric gradients."""

from collections.abc import Callable

import numpy as np


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def clip(image, text, scale, mask=None, negative_mask=None) -> float:
    rows = len(image)
    return contrastive(image, text, scale, np.eye(rows, dtype=bool), mask, negative_mask)


def unicl(image, text, scale, image_labels, text_labels, mask=None, negative_mask=None) -> float:
    rows = len(image)
    positives = np.eye(rows, dtype=bool)
    for i in range(rows):
        for j in range(rows):
            positives[i, j] |= bool(np.any((image_labels[i] > 0) & (text_labels[j] > 0)))
    return contrastive(image, text, scale, positives, mask, negative_mask)


def contrastive(image, text, scale, positives, mask, negative_mask) -> float:
    rows = [i for i in range(len(image)) if mask is None or mask[i]]
    if not rows:
        return 0.0
    total = 0.0
    for i in rows:
        for direction in (0, 1):
            logits, targets = [], []
            for j in rows:
                a, b = (i, j) if direction == 0 else (j, i)
                positive = positives[a, b]
                if positive or negative_mask is None or negative_mask[a, b]:
                    logits.append(scale * float(np.dot(image[a], text[b])))
                    targets.append(float(positive))
            log_normaliser = np.log(np.sum(np.exp(logits)))
            weights = np.array(targets) / np.sum(targets)
            total += log_normaliser - np.dot(weights, logits)
    return 0.5 * total / len(rows)


def masked_bce(logits, labels, label_mask) -> float:
    samples = []
    for row, targets, known in zip(logits, labels, label_mask, strict=True):
        if np.any(known):
            p = 1 / (1 + np.exp(-row[known]))
            y = targets[known]
            samples.append(np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p)))
    return float(np.mean(samples)) if samples else 0.0


def numeric_gradient(function: Callable[..., float], arguments: list, index: int) -> np.ndarray:
    """Central differences of `function(*arguments)` with respect to one float64 argument."""
    value = np.array(arguments[index], np.float64)
    gradient = np.zeros_like(value)
    for at in np.ndindex(value.shape):
        results = []
        for step in (1e-5, -1e-5):
            moved = value.copy()
            moved[at] += step
            results.append(function(*[*arguments[:index], moved, *arguments[index + 1 :]]))
        gradient[at] = (results[0] - results[1]) / 2e-5
    return gradient


def siglip(image, text, scale, bias, mask=None, negative_mask=None) -> float:
    rows = [i for i in range(len(image)) if mask is None or mask[i]]
    total = 0.0
    for i in rows:
        for j in rows:
            logit = scale * float(np.dot(image[i], text[j])) + bias
            if i == j:
                total += np.log1p(np.exp(-logit))
            elif negative_mask is None or negative_mask[i, j]:
                total += np.log1p(np.exp(logit))
    return total / max(len(rows), 1)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - np.max(values))
    return powers / np.sum(powers)


def soft_target_clip(image, text, scale, similarity, mask=None) -> float:
    rows = [i for i in range(len(image)) if mask is None or mask[i]]
    if not rows:
        return 0.0
    logits = scale * np.array([[np.dot(image[i], text[j]) for j in rows] for i in rows])
    wanted = similarity[np.ix_(rows, rows)]
    total = 0.0
    for a in range(len(rows)):
        total -= np.dot(softmax(wanted[a]), np.log(softmax(logits[a])))
        total -= np.dot(softmax(wanted[:, a]), np.log(softmax(logits[:, a])))
    return 0.5 * total / len(rows)


def convirt(image, text, temperature, image_weight, mask=None, negative_mask=None) -> float:
    rows = [i for i in range(len(image)) if mask is None or mask[i]]
    allowed = np.ones((len(image),) * 2, bool) if negative_mask is None else negative_mask
    total = 0.0
    for i in rows:
        texts = [i, *(j for j in rows if j != i and allowed[i, j])]
        images = [i, *(j for j in rows if j != i and allowed[j, i])]
        to_text = softmax(np.array([np.dot(image[i], text[j]) for j in texts]) / temperature)
        to_image = softmax(np.array([np.dot(image[j], text[i]) for j in images]) / temperature)
        total -= image_weight * np.log(to_text[0]) + (1 - image_weight) * np.log(to_image[0])
    return total / max(len(rows), 1)
