# SPDX-License-Identifier: Apache-2.0
"""KAD, first stage: a text encoder of medical knowledge, by pairs of texts about one concept.

Reference: Zhang et al., "Knowledge-enhanced visual-language pre-training on chest radiology images",
Nature Communications 2023, arXiv:2302.14042, and its release. Pairs are a name and a definition, or
two ends of a relation; texts of one concept fit one another. The targets of a text are a distribution
here, where the release divides them by their Euclidean norm.
"""

import dataclasses
from typing import Any, ClassVar

import jax
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.losses.concepts import concept_similarity
from medst_jax.losses.selection import in_form
from medst_jax.losses.soft_target import soft_target_clip_loss
from medst_jax.models.heads.contrastive import Temperature, unit_norm
from medst_jax.models.heads.projection_heads import KnowledgeHead
from medst_jax.options import options_of
from medst_jax.systems.parts.options import ENCODER, LossForm, check_chunk
from medst_jax.systems.parts.pairs import pair_metrics
from medst_jax.systems.parts.towers import text_encoder
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@dataclasses.dataclass(frozen=True)
class KadKnowledgeOptions:
    """text, preprocess: as `TextOptions`. joint: width of the vectors.

    temperature: initial, the learned log-scale starts at log(1 / temperature). loss_form, loss_chunk:
      as `ContrastiveOptions`.
    """

    text: dict[str, Any] = dataclasses.field(metadata=options_of(ENCODER))
    joint: int = 768
    temperature: float = 0.07
    loss_form: LossForm = "dense"
    loss_chunk: int | None = None
    preprocess: Preprocess = dataclasses.field(default_factory=lambda: Preprocess(size=224))
    labels: tuple[str, ...] = ()
    vocabulary_size: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_chunk("loss_chunk", self.loss_chunk, self.loss_form)


@register("kad_knowledge")
class KadKnowledge(System):
    """A BERT and KAD's head, under a contrastive loss whose targets share concepts."""

    has_image = False
    required_keys: ClassVar[tuple[str, ...]] = (
        "tokens",
        "token_mask",
        "pair_tokens",
        "pair_mask",
        "concept",
        "example",
    )
    Options: ClassVar[type] = KadKnowledgeOptions

    def __init__(self, options: Any):
        rngs = nnx.Rngs(options.seed)
        self.preprocess, self.labels = options.preprocess, options.labels
        self.text_encoder = text_encoder(options, rngs=rngs)
        self.text_head = KnowledgeHead(self.text_encoder.features, options.joint, rngs=rngs)
        self.scale = Temperature(1 / options.temperature)
        self.loss_form = options.loss_form
        self.pair_loss = in_form(soft_target_clip_loss, options.loss_form, options.loss_chunk)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        encoded = {}
        for name, side, purpose in (("one", "token", "text"), ("two", "pair", "pair")):
            tokens = batch["tokens" if side == "token" else "pair_tokens"]
            states = self.text_encoder(
                tokens, batch[f"{side}_mask"], keys=purpose_keys(keys, purpose)
            ).hidden_states[-1]
            encoded[name] = unit_norm(self.text_head(states[:, 0]))
        return encoded

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        one, two, similarity = encoded["one"], encoded["two"], concept_similarity(batch["concept"])
        loss = self.pair_loss(one, two, self.scale(), similarity)
        metrics: Metrics = {"scale": (self.scale(), 1.0)}
        if self.loss_form == "dense":
            hits = pair_metrics(one, two, batch["example"] >= 0)["image_to_text_accuracy"]
            metrics["pair_accuracy"] = hits
        return loss, metrics

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        local = unit_norm(self.text_head(states))
        return Embedding(local[:, 0], local, states[:, 0].astype(local.dtype))
