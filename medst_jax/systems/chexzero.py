# SPDX-License-Identifier: Apache-2.0
"""CheXzero: OpenAI's CLIP trained further on radiographs and impressions.

Reference: Tiu et al., "Expert-level detection of pathologies from unannotated chest X-ray images via
self-supervised learning", Nature Biomedical Engineering 2022, Methods. Both transformers, their own
projections and the loss are CLIP's (arXiv:2103.00020); training starts from its weights. The release trains in half precision
without master weights; here bfloat16 activations stand over float32 parameters. Images of one study and
equal texts are no negatives here.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.options import OptionError
from medst_jax.systems.clip import Clip
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.registry import register


@register("chexzero")
class Chexzero(Clip):
    """CLIP's two transformers, whose own projections lead to the joint space."""

    Options = ContrastiveOptions

    def make_projections(self, options: ContrastiveOptions, rngs: nnx.Rngs) -> None:
        """Those of the encoders.

        Raises:
          OptionError: an encoder has none, or one to a joint space of another width.
        """
        for name in ("image", "text"):
            encoder = getattr(self, f"{name}_encoder")
            width = getattr(encoder.options, "joint", None)
            if width != options.joint:
                raise OptionError(
                    f"config.system.{name}.name is {getattr(options, name)['name']!r}, "
                    f"{'which has no projection of its own' if width is None else f'of joint {width}'}"
                    f"; chexzero needs CLIP's encoders (clip_b32, clip_text_b) of joint "
                    f"{options.joint}, as config.system.joint says"
                )

    def project_image(self, features: jax.Array) -> jax.Array:
        return _projected(features, self.image_encoder)

    def project_text(self, features: jax.Array) -> jax.Array:
        return _projected(features, self.text_encoder)


def _projected(features: jax.Array, encoder: Any) -> jax.Array:
    return unit_norm(features.astype(jnp.float32) @ encoder.projection[...])
