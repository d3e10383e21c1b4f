# SPDX-License-Identifier: Apache-2.0
"""Every known layout, and which of its kinds a module or a file is."""

from collections.abc import Collection

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.clip_transformer import ClipImage, ClipText
from medst_jax.models.encoders.hybrid_temporal_encoder import HybridTemporalEncoder
from medst_jax.models.encoders.hybrid_view_experts import HybridViewExperts
from medst_jax.models.encoders.mixture_of_view_experts import MixtureOfViewExperts
from medst_jax.models.encoders.resnet import ResNet
from medst_jax.models.encoders.swin import Swin
from medst_jax.models.encoders.vit import ViT
from medst_jax.models.weights.kinds import Kind, LayoutError, Within
from medst_jax.models.weights.layouts import (
    biomedclip,
    cxr_clip,
    dlilp,
    gloria,
    medclip,
    mgca,
    open_clip,
)
from medst_jax.models.weights.layouts.ark import Ark, LaterArk
from medst_jax.models.weights.layouts.biovil import BioVil, BioVilT, CxrBert, Hybrid
from medst_jax.models.weights.layouts.cxr_clip import CxrClip
from medst_jax.models.weights.layouts.dlilp import Dlilp
from medst_jax.models.weights.layouts.gloria import Gloria
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert
from medst_jax.models.weights.layouts.hf_clip import (
    ClipTextTower,
    ClipVisionTower,
    HuggingFaceClip,
)
from medst_jax.models.weights.layouts.hf_dinov2 import Dinov2
from medst_jax.models.weights.layouts.hf_dinov3 import Dinov3
from medst_jax.models.weights.layouts.hf_siglip import Siglip, SiglipLanguage, SiglipVision
from medst_jax.models.weights.layouts.hf_swin import HuggingFaceSwin
from medst_jax.models.weights.layouts.hybrid_experts import HybridExperts
from medst_jax.models.weights.layouts.masked_language import HuggingFaceMaskedLanguage
from medst_jax.models.weights.layouts.mgca import MedSt, Mgca, MgcaBert
from medst_jax.models.weights.layouts.open_clip import ClipLanguage, ClipVision, OpenClip
from medst_jax.models.weights.layouts.timm import Mrm, Timm
from medst_jax.models.weights.layouts.torchvision import Torchvision
from medst_jax.models.weights.layouts.view_experts import ViewExperts
from medst_jax.models.weights.names import common_start, marked

_RESNET, _BERT = Torchvision(), HuggingFaceBert()

# The first kind whose mark a file has is what `from_pretrained` builds; the others let one part
# of a checkpoint be loaded alone.
LAYOUTS: dict[str, tuple[Kind, ...]] = {
    "torchvision": (_RESNET,),
    "timm": (Timm(),),
    "hf-bert": (HuggingFaceMaskedLanguage(), _BERT),
    "hf-swin": (HuggingFaceSwin(),),
    "biovil": (BioVil(), CxrBert(), Within(_RESNET, "encoder.encoder."), Within(_BERT, "bert.")),
    "biovil-t": (
        BioVilT(),
        CxrBert(),
        Within(Hybrid(), "encoder."),
        Within(_RESNET, "encoder.encoder."),
        Within(_BERT, "bert."),
    ),
    "mgca": (
        Mgca(),
        Within(Timm(), mgca.IMAGE),
        Within(_RESNET, mgca.IMAGE),
        Within(MgcaBert(), mgca.TEXT),
    ),
    "medst": (
        MedSt(),
        HybridExperts(),
        ViewExperts(),
        Within(ViewExperts(), mgca.IMAGE),
        Within(MgcaBert(), mgca.TEXT),
    ),
    "gloria": (
        Gloria(),
        Within(_RESNET, gloria.IMAGE, Gloria.prefixes),
        Within(_BERT, gloria.TEXT, Gloria.prefixes),
    ),
    "dlilp": (Dlilp(), Within(_RESNET, dlilp.IMAGE), Within(_BERT, dlilp.TEXT)),
    "cxr-clip": (
        CxrClip(),
        *(Within(kind, prefix) for prefix, kind in cxr_clip.IMAGES),
        Within(_BERT, cxr_clip.TEXT),
    ),
    "open-clip": (
        OpenClip(),
        Within(ClipVision(), open_clip.IMAGE, OpenClip.prefixes),
        ClipLanguage(),
    ),
    "hf-siglip": (Siglip(), SiglipVision(), SiglipLanguage()),
    "hf-clip": (HuggingFaceClip(), ClipVisionTower(), ClipTextTower()),
    "hf-dinov2": (Dinov2(),),
    "hf-dinov3": (Dinov3(),),
    "biomedclip": biomedclip.kinds(),
    "medclip": medclip.kinds(),
    "mrm": (Mrm(),),
    "ark": (Ark(), LaterArk()),
}


# The names of an encoder's own library, under which it is exported and starts by default.
OWN_LAYOUT: dict[type[nnx.Module], str] = {
    ResNet: "torchvision",
    ViT: "timm",
    Bert: "hf-bert",
    Swin: "hf-swin",
    MixtureOfViewExperts: "medst",
    HybridViewExperts: "medst",
    HybridTemporalEncoder: "biovil-t",
    ClipImage: "open-clip",
    ClipText: "open-clip",
}


def own_layout(module: nnx.Module) -> str | None:
    """The layout of an encoder's own library, None where there is none.

    timm has no names for what DINOv2 and DINOv3 add to a ViT; those are Hugging Face's.
    """
    if type(module) is ViT and module.options.rotary:
        return "hf-dinov3"
    if type(module) is ViT and (module.options.layer_scale or module.options.registers):
        return "hf-dinov2"
    return OWN_LAYOUT.get(type(module))


def kinds_of(layout: str) -> tuple[Kind, ...]:
    """The kinds of a layout.

    Raises:
      LayoutError: no layout has that name.
    """
    if layout not in LAYOUTS:
        raise LayoutError(f"layout {layout!r} is unknown; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[layout]


def kind_of_module(layout: str, module: nnx.Module, names: Collection[str] = ()) -> Kind:
    """The kind of the layout that names this module's tensors.

    Args:
      layout: a key of `LAYOUTS`.
      module: the module.
      names: of a file, which decides between a bare module and one inside a larger checkpoint.

    Raises:
      LayoutError: an unknown layout, or one that has no names for such a module.
    """
    kinds = kinds_of(layout)
    fitting = [kind for kind in kinds if type(module) is kind.module]
    if not fitting:
        known = ", ".join(sorted({kind.module.__name__ for kind in kinds}))
        raise LayoutError(f"layout {layout!r} is for {known}, not {type(module).__name__}")
    with_mark = (k for k in fitting if any(p + k.mark in names for p in k.prefixes))
    return next(with_mark, fitting[0])


def kind_of_tensors(layout: str, names: Collection[str]) -> tuple[Kind, str]:
    """The kind that a file is of, and the prefix before its names.

    Raises:
      LayoutError: an unknown layout, or a file without the mark of any of its kinds.
    """
    kinds = kinds_of(layout)
    choice = marked(kinds, names)
    if choice is None:
        marks = " or ".join(kind.mark for kind in kinds)
        raise LayoutError(
            f"it has no tensor {marks} and is not of layout {layout!r}; its names start with "
            f"{common_start(names)}"
        )
    return choice
