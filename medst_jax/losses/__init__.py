# SPDX-License-Identifier: Apache-2.0
"""Losses: pure functions of embeddings, logits and scores, float32 inside, masks everywhere."""

from medst_jax.losses.bce import masked_bce_loss as masked_bce_loss
from medst_jax.losses.clip import clip_loss as clip_loss
from medst_jax.losses.unicl import unicl_loss as unicl_loss
