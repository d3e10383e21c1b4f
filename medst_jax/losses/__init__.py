# SPDX-License-Identifier: Apache-2.0
"""Losses: pure functions of embeddings, logits and scores, float32 inside, masks everywhere.

One readable file per loss; `forms/` holds how a loss over all pairs of a batch is computed: the
whole matrix at once, in chunks, or around a ring of devices. May import `medst_jax.parallel`;
systems, training and evaluation import this room.
"""

from typing import TYPE_CHECKING

from medst_jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from medst_jax.losses.bce import masked_bce_loss as masked_bce_loss
    from medst_jax.losses.clip import clip_loss as clip_loss
    from medst_jax.losses.concepts import concept_similarity as concept_similarity
    from medst_jax.losses.convirt import convirt_loss as convirt_loss
    from medst_jax.losses.gaussian import gaussian_kl as gaussian_kl
    from medst_jax.losses.gloria import gloria_local_loss as gloria_local_loss
    from medst_jax.losses.masked_language import masked_language_loss as masked_language_loss
    from medst_jax.losses.masked_patch import masked_patch_loss as masked_patch_loss
    from medst_jax.losses.mutual_information import donsker_varadhan_loss as donsker_varadhan_loss
    from medst_jax.losses.mutual_information import info_nce_loss as info_nce_loss
    from medst_jax.losses.mutual_information import (
        symmetric_info_nce_loss as symmetric_info_nce_loss,
    )
    from medst_jax.losses.orthogonality import orthogonality_loss as orthogonality_loss
    from medst_jax.losses.pairwise import Pairwise as Pairwise
    from medst_jax.losses.prototype import prototype_loss as prototype_loss
    from medst_jax.losses.query import place_loss as place_loss
    from medst_jax.losses.query import place_loss_all as place_loss_all
    from medst_jax.losses.query import query_loss as query_loss
    from medst_jax.losses.ranking import report_ranking_loss as report_ranking_loss
    from medst_jax.losses.region_contrast import region_contrast_loss as region_contrast_loss
    from medst_jax.losses.selection import select as select
    from medst_jax.losses.siglip import siglip_loss as siglip_loss
    from medst_jax.losses.soft_target import soft_target_clip_loss as soft_target_clip_loss
    from medst_jax.losses.temporal import cycle_consistency_loss as cycle_consistency_loss
    from medst_jax.losses.temporal import forward_mapping_loss as forward_mapping_loss
    from medst_jax.losses.temporal import reverse_mapping_loss as reverse_mapping_loss
    from medst_jax.losses.token_alignment import token_alignment_loss as token_alignment_loss
    from medst_jax.losses.triage import triage_loss as triage_loss
    from medst_jax.losses.unicl import unicl_loss as unicl_loss

__getattr__, __dir__, __all__ = names_on_demand(
    __name__,
    {
        "Pairwise": "pairwise",
        "clip_loss": "clip",
        "concept_similarity": "concepts",
        "convirt_loss": "convirt",
        "cycle_consistency_loss": "temporal",
        "donsker_varadhan_loss": "mutual_information",
        "forward_mapping_loss": "temporal",
        "gaussian_kl": "gaussian",
        "gloria_local_loss": "gloria",
        "info_nce_loss": "mutual_information",
        "masked_bce_loss": "bce",
        "masked_language_loss": "masked_language",
        "masked_patch_loss": "masked_patch",
        "orthogonality_loss": "orthogonality",
        "place_loss": "query",
        "place_loss_all": "query",
        "prototype_loss": "prototype",
        "query_loss": "query",
        "region_contrast_loss": "region_contrast",
        "report_ranking_loss": "ranking",
        "reverse_mapping_loss": "temporal",
        "select": "selection",
        "siglip_loss": "siglip",
        "soft_target_clip_loss": "soft_target",
        "symmetric_info_nce_loss": "mutual_information",
        "token_alignment_loss": "token_alignment",
        "triage_loss": "triage",
        "unicl_loss": "unicl",
    },
)
