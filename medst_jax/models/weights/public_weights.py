# SPDX-License-Identifier: Apache-2.0
"""Weights that papers start from, by name: where they are, under which licence and which names.

`config.init.image` and `config.init.text` hold such a name; the files lie in
`DATA_DIR/weights/NAME`, where `prepare --weights` puts them.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from etils import epath

FOLDER, VOCABULARY, FILE = "weights", "vocabulary", "model.safetensors"


@dataclasses.dataclass(frozen=True)
class PublicWeights:
    """One entry of the table.

    Attributes:
      what: architecture and training, in a line.
      parts: "image", "text": which encoders can start from it.
      layout: names in the file, a key of `LAYOUTS`.
      licence: of the weights as their owner states it; read it before use.
      files: addresses of the same weights, tried in this order; none where no program may or can
        fetch them.
      beside: addresses of configuration and tokenizer, which must be there.
      optional: addresses of files that may be absent.
      digests: first hexadecimal digits of the SHA-256 of a file, by address, where published.
      by_hand: what to put into the folder where `files` is empty.
    """

    what: str
    parts: tuple[str, ...]
    layout: str
    licence: str
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)
    by_hand: str = ""

    @property
    def has_tokenizer(self) -> bool:
        """Whether its tokenizer comes with it; MGCA's is that of the BERT that it started from."""
        return self.parts == ("text",) or ("text" in self.parts and bool(self.beside))


def _hub(repository: str, *names: str) -> tuple[str, ...]:
    return tuple(f"https://huggingface.co/{repository}/resolve/main/{name}" for name in names)


def _bert(what: str, repository: str, licence: str, layout: str = "hf-bert") -> PublicWeights:
    return PublicWeights(
        what=what,
        parts=("text",),
        layout=layout,
        licence=licence,
        files=_hub(repository, FILE, "pytorch_model.bin"),
        beside=_hub(repository, "config.json", "vocab.txt"),
        optional=_hub(repository, "tokenizer_config.json"),
    )


def _image_net(
    what: str, layout: str, licence: str, repository: str, original: str
) -> PublicWeights:
    """A copy as safetensors, then the original, whose name ends in digits of its digest."""
    return PublicWeights(
        what=what,
        parts=("image",),
        layout=layout,
        licence=licence,
        files=(*_hub(repository, FILE), original),
        digests={original: original.rpartition("-")[2].partition(".")[0]},
    )


_TORCH, _DEIT = "https://download.pytorch.org/models", "https://dl.fbaipublicfiles.com/deit"
_MAE = "https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth"
# The address holds the digest.
_CLIP_DIGEST = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
_CLIP = f"https://openaipublic.azureedge.net/clip/models/{_CLIP_DIGEST}/ViT-B-32.pt"
_OWN = "trained by yourself"

PUBLIC: dict[str, PublicWeights] = {
    "resnet50_imagenet_v1": _image_net(
        "ResNet-50, ImageNet-1k, torchvision's first weights",
        "torchvision",
        "BSD-3-Clause; ImageNet's terms",
        "timm/resnet50.tv_in1k",
        f"{_TORCH}/resnet50-0676ba61.pth",
    ),
    "resnet50_imagenet_v2": _image_net(
        "ResNet-50, ImageNet-1k, torchvision's second weights",
        "torchvision",
        "BSD-3-Clause; ImageNet's terms",
        "timm/resnet50.tv2_in1k",
        f"{_TORCH}/resnet50-11ad3fa6.pth",
    ),
    "deit_b16_imagenet": _image_net(
        "DeiT-B/16 at 224 px, ImageNet-1k",
        "timm",
        "Apache-2.0",
        "timm/deit_base_patch16_224.fb_in1k",
        f"{_DEIT}/deit_base_patch16_224-b5f2ef4d.pth",
    ),
    "mae_vit_b16_imagenet": PublicWeights(
        what="ViT-B/16 at 224 px, masked autoencoder on ImageNet-1k (He et al. 2022)",
        parts=("image",),
        layout="timm",
        licence="CC-BY-NC-4.0; ImageNet's terms",
        files=(*_hub("timm/vit_base_patch16_224.mae", FILE), _MAE),
    ),
    "openai_clip_b32": PublicWeights(
        what="OpenAI's CLIP ViT-B/32 with its text transformer (Radford et al. 2021)",
        parts=("image", "text"),
        layout="open-clip",
        licence="MIT",
        files=(_CLIP,),
        beside=(
            "https://raw.githubusercontent.com/openai/CLIP/main/clip/bpe_simple_vocab_16e6.txt.gz",
        ),
        digests={_CLIP: _CLIP_DIGEST},
    ),
    "swin_tiny_imagenet": PublicWeights(
        what="Swin-T, patch 4, window 7, ImageNet-1k",
        parts=("image",),
        layout="hf-swin",
        licence="Apache-2.0",
        files=_hub("microsoft/swin-tiny-patch4-window7-224", FILE, "pytorch_model.bin"),
        beside=_hub("microsoft/swin-tiny-patch4-window7-224", "config.json"),
    ),
    "bio_clinical_bert": _bert(
        "BERT-base: BioBERT trained on all notes of MIMIC-III (Alsentzer et al. 2019)",
        "emilyalsentzer/Bio_ClinicalBERT",
        "MIT",
    ),
    "scibert": _bert(
        "BERT-base on scientific papers, uncased vocabulary (Beltagy et al. 2019)",
        "allenai/scibert_scivocab_uncased",
        "Apache-2.0",
    ),
    "cxr_bert_general": _bert(
        "CXR-BERT after phases I and II (Boecking et al. 2022)",
        "microsoft/BiomedVLP-CXR-BERT-general",
        "MIT",
        "biovil",
    ),
    "clinical_bert_all_notes": PublicWeights(
        what="BERT-base trained on all notes of MIMIC-III, without BioBERT (Alsentzer et al. 2019)",
        parts=("text",),
        layout="hf-bert",
        licence="MIT",
        by_hand=(
            "pytorch_model.bin, vocab.txt and bert_config.json (as config.json) of the folder "
            "bert_pretrain_output_all_notes_150000 of pretrained_bert_tf.tar.gz, which "
            "https://github.com/EmilyAlsentzer/clinicalBERT links to"
        ),
    ),
    "mgca_vit_b16": PublicWeights(
        what="MGCA's ViT-B/16 with its text encoder of six layers (Wang et al. 2022)",
        parts=("image", "text"),
        layout="mgca",
        licence="Apache-2.0; MIMIC-CXR's terms",
        by_hand=(
            "the ViT checkpoint (.ckpt) of the folder that "
            "https://github.com/HKU-MedAI/MGCA#pre-training links to"
        ),
    ),
    "mrm_vit_b16": PublicWeights(
        what="MRM's ViT-B/16 at 224 px, trained on MIMIC-CXR (Zhou et al. 2023)",
        parts=("image",),
        layout="mrm",
        licence="MIT; MIMIC-CXR's terms",
        by_hand=(
            "the checkpoint that https://github.com/RL4M/MRM-pytorch links to, or, under "
            "the layout timm, image_encoder/ of an export of your training of configs/mrm.py"
        ),
    ),
    "cxr_bert_phase1": PublicWeights(
        what="CXR-BERT after phase I",
        parts=("text",),
        layout="hf-bert",
        licence=_OWN,
        by_hand=(
            "what text_encoder/ and tokenizer.* of an export (--format=safetensors) of your training "
            "of configs/cxr_bert_general.py hold; nobody has released such weights"
        ),
    ),
    "cxr_bert_phase3": PublicWeights(
        what="CXR-BERT after phase III, before any image",
        parts=("text",),
        layout="hf-bert",
        licence=_OWN,
        by_hand=(
            "what text_encoder/ of an export (--format=safetensors) of your training of "
            "configs/cxr_bert.py holds; the released CXR-BERT-specialized has been trained with images"
        ),
    ),
}


def folder_of(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Where the named weights lie."""
    return epath.Path(data_dir) / FOLDER / name


def vocabulary_of(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Where the tokenizer of named weights lies, as that of any other vocabulary."""
    return epath.Path(data_dir) / VOCABULARY / f"{name}.model"


def absent(
    weights: Iterable[str], vocabularies: Iterable[str], data_dir: epath.PathLike
) -> list[str]:
    """Which of the named weights and tokenizers are not there; names of neither kind pass.

    Args:
      weights: values of `config.init`, names or paths.
      vocabularies: values of `config.data.vocabulary`.
      data_dir: of the configuration.
    """
    missing = [
        name
        for name in weights
        if name in PUBLIC and not (folder_of(name, data_dir) / FILE).exists()
    ]
    missing += [
        name
        for name in vocabularies
        if name in PUBLIC and not vocabulary_of(name, data_dir).exists()
    ]
    return list(dict.fromkeys(missing))
