# SPDX-License-Identifier: Apache-2.0
"""Turn a released .pth, .pt, .ckpt or .bin checkpoint into safetensors, where PyTorch is installed.

    python launch/convert.py --input=chexpert_resnet50.ckpt --output=gloria/model.safetensors

The file is read with `torch.load(weights_only=True)`: a pickle that holds anything but tensors and
plain values is refused. Names stay as they are; `models.from_pretrained(FOLDER, LAYOUT)` knows
those of the released systems. With --layout the result is read back as that layout.
"""

import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags

_INPUT = flags.DEFINE_string("input", None, "The pickled checkpoint.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "A .safetensors file to write.", required=True)
_KEY = flags.DEFINE_string("key", None, "Where in the file the state dict is, e.g. model.ema.")
_LAYOUT = flags.DEFINE_string("layout", None, "Read the result back as this layout.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    # JAX only now: flags are parsed, and help printed, without it.
    from etils import epath

    from medst_jax.export.errors import ExportError
    from medst_jax.export.pickled import read_pickled
    from medst_jax.models.weights import weights_file
    from medst_jax.models.weights.pretrained import from_pretrained

    target = epath.Path(_OUTPUT.value)
    with user_errors():
        if target.suffix != ".safetensors":
            raise ExportError(f"--output is {target}; it must end in .safetensors")
        if target.exists():
            raise ExportError(f"{target} exists; choose another --output or remove it")
        tensors = read_pickled(_INPUT.value, _KEY.value)
        target.parent.mkdir(parents=True, exist_ok=True)
        weights_file.write(target, tensors)
        size = sum(tensor.nbytes for tensor in tensors.values())
        print(f"{target}: {len(tensors)} tensors, {size / 2**20:.1f} MiB")
        if _LAYOUT.value:
            module, tokenizer = from_pretrained(target, _LAYOUT.value)
            tokenizer_note = "its tokenizer" if tokenizer else "no tokenizer files beside it"
            print(f"read back as {_LAYOUT.value}: {type(module).__name__}, {tokenizer_note}")


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
