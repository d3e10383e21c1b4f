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
ENTITIES, PLACES = ("edema", "fracture", "nodule"), ("right lung", "left lung", "heart", "spine")
# Of systems that ask about entities.
ASKED = dict(
    decoder=dict(width=16, heads=2, depth=2, mlp=24),
    hidden=20,
    entities=ENTITIES,
    places=PLACES,
    entity_tokens=((2, 7, 8, 3), (2, 9, 3), (2, 11, 12, 13, 3)),
    place_tokens=((2, 20, 3), (2, 21, 3), (2, 22, 3), (2, 23, 24, 3)),
)
# Of single systems.
OWN: dict[str, dict] = {
    "edema_vae": dict(image=dict(name="variational_small")),
    "medst": dict(
        image=dict(name="view_experts_small", patch=16, width=16, depth=1, heads=2), hidden=24
    ),
    "convirt": dict(hidden=24),
    "sat": dict(high=0.9, low=0.6),
    "m_flag": dict(hidden=24),
    "mgca": dict(hidden=24, prototypes=8),
    "chexzero": dict(
        image=dict(name="clip_small", patch=8, width=16, depth=1, heads=2, joint=16),
        text=dict(
            name="clip_text_small", width=16, depth=1, heads=2, mlp=32, max_length=12, joint=16
        ),
    ),
    "lovt": dict(hidden=24, heads=2, sentences=3),
    "mrm": dict(
        image=dict(name="vit_sincos_small", patch=8, width=16, depth=1, heads=2),
        decoder=dict(width=16, depth=1, heads=2),
    ),
    "carzero": dict(
        image=dict(name="vit_small", patch=8, width=16, depth=1, heads=2),
        decoder=dict(heads=2, depth=2, mlp=24, hidden=(12, 8), chunk=4),
    ),
    "biovil_t": dict(pooler=dict(width=16, depth=1, heads=2)),
    "medklip": dict(**ASKED, choices=3),
    "kad": {**ASKED, "decoder": {**ASKED["decoder"], "shared_norm": True}},
}


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
        "lateral": rng.integers(0, 256, (rows, size, size, 1), dtype=np.uint8),
        "has_lateral": np.arange(rows) % 3 != 1,
        "prior_frontal": rng.integers(0, 256, (rows, size, size, 1), dtype=np.uint8),
        "has_prior": np.arange(rows) % 2 == 1,
        "word_index": np.where(mask, np.arange(length) // 2, -1).astype(np.int32),
        "findings_tokens": np.where(mask, rng.integers(5, 50, (rows, length)), 0).astype(np.int32),
        "findings_mask": mask,
        "impression_tokens": rng.integers(5, 50, (rows, length), dtype=np.int32),
        "impression_mask": np.broadcast_to(np.arange(rows)[:, None] != 2, mask.shape),
        "findings_text": np.arange(rows, dtype=np.int32) + 200,
        "impression_text": np.arange(rows, dtype=np.int32) + 300,
        "second_tokens": np.where(mask, rng.integers(5, 50, (rows, length)), 0).astype(np.int32),
        "second_mask": mask,
        "second_text": np.arange(rows, dtype=np.int32) + 400,
        "second_labels": (rng.random((rows, len(LABELS))) < 0.4).astype(np.float32),
        "second_label_mask": rng.random((rows, len(LABELS))) < 0.7,
        **_entities(rng, rows),
        "pair_tokens": rng.integers(5, 50, (rows, length), dtype=np.int32),
        "pair_mask": np.ones((rows, length), bool),
        "concept": np.array([0, 1, 0, -1, -1, 2], np.int32)[np.arange(rows) % 6],
        "sequence_rows": _sequences(rows),
        "study_days": np.where(_sequences(rows) >= 0, [[0.0, 9.0, 30.0]], np.nan).astype(
            np.float32
        ),
    }
    return jax.tree.map(jnp.asarray, batch)


def _entities(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Codes of every kind, and one or two true places of what is present."""
    codes = rng.choice([1, 1, 0, -1, -2], (rows, len(ENTITIES))).astype(np.int8)
    place = np.where(codes == 1, rng.integers(0, len(PLACES), codes.shape), -1).astype(np.int16)
    places = (np.arange(len(PLACES)) == place[..., None]) | (rng.random((*codes.shape, 4)) < 0.2)
    return {
        "entities": codes,
        "entity_place": place,
        "entity_places": places & (codes == 1)[..., None],
    }


def _sequences(rows: int) -> np.ndarray:
    """Sequences of the rows 2 to 4 and of the last two, as far as there are so many."""
    sequences = np.full((max(rows // 2, 1), 3), -1, np.int32)
    for n, chosen in enumerate(((2, 3, 4), (rows - 2, rows - 1))):
        if rows > 3 and max(chosen) < rows and n < len(sequences):
            sequences[n, : len(chosen)] = chosen
    return sequences


def call(system, method, *arguments, **options):
    """A method of a system as one compiled program; the system itself stays as it is."""
    graph, state = nnx.split(system)

    @jax.jit
    def run(state, arguments):
        return getattr(nnx.merge(graph, state, copy=True), method)(*arguments, **options)

    return run(state, arguments)
