# SPDX-License-Identifier: Apache-2.0
"""A small batch of the full contract and the options of small systems, for tests."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

LABELS = ("Edema", "Fracture", "No Finding")
OPTIONS = dict(
    image=dict(name="resnet_small", widths=(6, 12), blocks=(1, 1), strides=(2, 2), stem_width=4),
    joint=16,
    preprocess=dict(size=32, mean=0.5, std=0.25, channels=1),
    augment=dict(probability=1.0, rotate=5.0, brightness=0.1),
    labels=LABELS,
    vocabulary_size=50,
)
TEXT = dict(text=dict(name="bert_small", width=16, heads=2, mlp=32, max_length=12))


def make_batch(rows: int = 6, seed: int = 0, size: int = 32, length: int = 12):
    """A batch in which row 1 repeats row 0's study and row 3 repeats row 2's text."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, length + 1, rows)
    mask = np.arange(length)[None, :] < lengths[:, None]
    study = np.arange(rows, dtype=np.int32)
    text = np.arange(rows, dtype=np.int32) + 100
    if rows > 3:
        study[1], text[3] = study[0], text[2]
    batch = {
        "frontal": rng.integers(0, 256, (rows, size, size, 1), dtype=np.uint8),
        "has_frontal": np.ones(rows, bool),
        "tokens": np.where(mask, rng.integers(5, 50, (rows, length)), 0).astype(np.int32),
        "token_mask": mask,
        "text_source": np.array([1, 2, 1, 1, 0, 1], np.int8)[np.arange(rows) % 6],
        "labels": (rng.random((rows, len(LABELS))) < 0.4).astype(np.float32),
        "label_mask": rng.random((rows, len(LABELS))) < 0.7,
        "text_labels": (rng.random((rows, len(LABELS))) < 0.4).astype(np.float32),
        "text_label_mask": rng.random((rows, len(LABELS))) < 0.7,
        "example": np.arange(rows, dtype=np.int32) + 40,
        "severity": np.array([0, -1, 3, 1, -1, 2], np.int8)[np.arange(rows) % 6],
        "sentence_index": np.where(mask, np.arange(length) // 4, -1).astype(np.int32),
        "study": study,
        "text": text,
    }
    return jax.tree.map(jnp.asarray, batch)


def call(system, method, *arguments, **options):
    """A method of a system as one compiled program; the system itself stays as it is."""
    graph, state = nnx.split(system)

    @jax.jit
    def run(state, arguments):
        return getattr(nnx.merge(graph, state, copy=True), method)(*arguments, **options)

    return run(state, arguments)
