# SPDX-License-Identifier: Apache-2.0
"""How an export is loaded: the lines of Python on its model card.

Those of this package are run by a test for every system; those of PyTorch's libraries stand there only
where a constructor of theirs makes the net, see `experiments/exports_in_torch.py`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions
from medst_jax.models.weights.layout_registry import own_layout
from medst_jax.systems.system import System

_CODE = {
    "torchvision": """model = torchvision.models.resnet50()
model.fc = torch.nn.Identity()
model.load_state_dict(safetensors.torch.load_file("{folder}/model.safetensors"))
features = model.eval()(images)  # float [b, c, h, w], normalised""",
    "timm": """model = timm.create_model("local-dir:{folder}", pretrained=True)
tokens = model.eval().forward_features(images)  # float [b, c, h, w], normalised""",
    "hf-swin": """model = transformers.AutoModel.from_pretrained("{folder}")
features = model.eval()(images).pooler_output  # float [b, c, h, w], normalised""",
}
_TEXT_CODE = """
text = transformers.AutoModel.from_pretrained("{folder}/text_encoder", add_pooling_layer=False)
states = text.eval()(tokens, mask, output_hidden_states=True).hidden_states"""
_IMAGE = """encoder = medst_jax.load_encoder("{folder}")
features = encoder.images(["a.png"]).features  # float32 [1, D]; or uint8 images, or DICOM files
"""
_TEXT = """text_encoder, tokenizer = medst_jax.models.from_pretrained("{folder}/text_encoder", "{layout}")
"""
_PREPROCESS = (
    "Images: grey in [0, 1], resized, cropped and normalised as `preprocess` in config.json says."
)
_OTHERWISE = (
    "No constructor of {libraries} makes this net: programs without medst_jax take the same checkpoint "
    "exported with `--format=stablehlo`."
)
_STABLEHLO = """`NAME.jax_export`, weights and preprocessing inside, for cpu, cuda and tpu; \
`NAME.stablehlo` is the same as portable bytecode. `load_exported.py` needs jax and numpy alone.

{programs}

```python
from load_exported import load
{example}
```"""
_EXAMPLES = {
    "image": 'embedding = load(".", "encode_image")(images)["global_"]  # uint8 [b, {size}, {size}, 1]',
    "text": 'embedding = load(".", "encode_text")(tokens, mask)["global_"]  # int32, bool [b, L]',
}
# What changes how a ResNet is computed, and not what it is.
_FREE = ("convolution", "dtype", "remat", "norm")


def loading_lines(layout: str | None, folder: str) -> str:
    """The lines of PyTorch that load an exported image encoder, or the text encoder for None.

    Raises:
      KeyError: of a layout that PyTorch's libraries have no constructor for.
    """
    return (_TEXT_CODE if layout is None else _CODE[layout]).format(folder=folder)


def in_torch(encoder: nnx.Module) -> bool:
    """Whether `loading_lines` make a net of this encoder's sizes."""
    if isinstance(encoder, ResNet):
        sizes = dataclasses.asdict(encoder.options)
        usual = dataclasses.asdict(ResNetOptions.resnet50())
        return all(sizes[key] == usual[key] for key in sizes if key not in _FREE)
    return isinstance(encoder, Bert) or own_layout(encoder) in _CODE


def weights_usage(system: System, folder: str) -> str:
    """Markdown of an export of weights.

    Args:
      system: of the checkpoint.
      folder: name of the export's folder.
    """
    image = getattr(system, "image_encoder", None) if system.has_image else None
    text = getattr(system, "text_encoder", None)
    files, own, foreign, missing = [], "import medst_jax\n\n", "", []
    if image is not None:
        files.append(f"`model.safetensors`: the image encoder under {own_layout(image)} names")
        own += _IMAGE.format(folder=folder)
        if in_torch(image):
            foreign += loading_lines(own_layout(image), folder)
        else:
            missing.append("image")
    rest = "everything else but the text encoder" if image is not None else "its heads"
    files.append(f"`heads.safetensors`: {rest}")
    if text is not None:
        files.append(f"`text_encoder/`: the text encoder under {own_layout(text)} names")
        own += _TEXT.format(folder=folder, layout=own_layout(text))
        if in_torch(text):
            foreign += loading_lines(None, folder)
        else:
            missing.append("text")
    parts = [f"{'; '.join(files)}.", f"```python\n{own}```"]
    if foreign:
        parts.append(f"With PyTorch:\n\n```python\n{foreign.strip()}\n```")
    if missing:
        parts.append(_OTHERWISE.format(libraries="torchvision, timm or transformers"))
    if image is not None:
        parts.append(_PREPROCESS)
    return "\n\n".join(parts)


def programs_usage(system: System, programs: Mapping[str, Any], size: int) -> str:
    """Markdown of an export of programs, by name to what each computes."""
    example = _EXAMPLES["image" if system.has_image else "text"].format(size=size)
    described = "\n".join(f"- `{name}`: {what}" for name, what in programs.items())
    return _STABLEHLO.format(example=example, programs=described)
