# SPDX-License-Identifier: Apache-2.0
"""The weights that a configuration starts from: fetched, converted, read back, with their tokenizer."""

import importlib.util
import json
from collections.abc import Iterator

from etils import epath

from medst_jax import config_flag
from medst_jax.commands.parts.download import DownloadError, NotThereError, download
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer
from medst_jax.files.reading import read_json
from medst_jax.models.weights.public_weights import (
    FILE,
    PUBLIC,
    PublicWeights,
    folder_of,
    vocabulary_of,
)

PICKLED = (".bin", ".pt", ".pth", ".ckpt")
CONFIG, RECORD = "config.json", "source.json"


class FetchError(Exception):
    """Weights that cannot be had by this command as things are; says what to do."""


def wanted(argument: str) -> dict[str, bool]:
    """Names that an argument asks for, and whether their weights are wanted or the tokenizer alone.

    Args:
      argument: NAME,NAME of `PUBLIC`, or FILE[:VARIANT] of a configuration: what its `init` and
        its vocabulary name.

    Raises:
      FetchError: it names neither.
    """
    names = argument.split(",")
    if all(name in PUBLIC for name in names):
        return dict.fromkeys(names, True)
    try:
        file, _, variant = config_flag.find(argument).partition(":")
    except ValueError as error:
        raise FetchError(f"--weights: {error}; weights: {', '.join(PUBLIC)}") from None
    spec = importlib.util.spec_from_file_location("configuration_of_weights", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        config = module.get_config(variant or None)
    except ValueError as error:
        raise FetchError(f"--weights={argument}: {error}") from None
    values = {config.data.vocabulary: False, config.init.image: True, config.init.text: True}
    return {name: weights for name, weights in values.items() if name in PUBLIC}


def described(name: str, data_dir: str, *, weights: bool) -> str:
    """What `fetch` would do, without doing it."""
    known, folder = PUBLIC[name], folder_of(name, data_dir)
    if (folder / FILE).exists() if weights else vocabulary_of(name, data_dir).exists():
        source = "there already"
    elif not weights and known.beside:
        source = f"its tokenizer, from {' and '.join(known.beside)}"
    elif known.files:
        source = f"from {' or '.join(known.files)}"
    else:
        source = f"by hand: {known.by_hand}"
    return f"{folder}: {known.what}; licence: {known.licence}; {source}"


def fetch(name: str, data_dir: str, *, weights: bool = True) -> Iterator[str]:
    """Put named weights, or their tokenizer alone, into the data folder; yields what was done.

    What is there already is read back and stays. A file that was put into the folder by hand is
    taken in place of a download, so a machine without a network needs no other command.

    Raises:
      FetchError: the weights are not to be had, or do not read back as what they should be.
    """
    known, folder = PUBLIC[name], folder_of(name, data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    if weights and not (folder / FILE).exists():
        yield f"{name}: {known.what}; licence: {known.licence}"
        _obtain(name, known, folder)
    by_hand = (folder / FILE).exists() and not (folder / RECORD).exists()
    for address in known.beside:
        _beside(name, address, folder)
    for address in known.optional if not by_hand else ():
        _beside(name, address, folder, needed=False)
    if weights:
        yield _read_back(name, known, folder)
    if known.has_tokenizer:
        yield _store_tokenizer(name, folder, data_dir)


def _obtain(name: str, known: PublicWeights, folder: epath.Path) -> None:
    """Leave model.safetensors in the folder."""
    source, fetched = _pickled(name, folder), None
    if source is None:
        if not known.files:
            raise FetchError(
                f"{name} cannot be fetched by a program; put into {folder}: {known.by_hand}; "
                "then run this command again"
            )
        fetched = _first(name, known, folder)
        record = {**fetched, "licence": known.licence}
        (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        source = folder / fetched["file"]
    if source.name == FILE:
        return
    _convert(name, source, folder / FILE)
    if fetched is not None:
        source.unlink()


def _pickled(name: str, folder: epath.Path) -> epath.Path | None:
    """The checkpoint that somebody put into the folder, None without one."""
    files = sorted(path for path in folder.iterdir() if path.suffix in PICKLED)
    if len(files) > 1:
        raise FetchError(
            f"{name}: {folder} holds {', '.join(path.name for path in files)}; leave one"
        )
    return files[0] if files else None


def _first(name: str, known: PublicWeights, folder: epath.Path) -> dict[str, str]:
    """Download the first file that there is; its address, name and SHA-256."""
    failures = []
    for address in known.files:
        file = address.rpartition("/")[2]
        try:
            digest = download(address, folder / file, known.digests.get(address, ""))
            return {"address": address, "file": file, "sha256": digest}
        except DownloadError as error:
            failures.append(str(error))
    raise FetchError(
        f"{name}: {'; '.join(failures)}. Put one of these files into {folder} by other means and "
        "run this command again"
    )


def _beside(name: str, address: str, folder: epath.Path, *, needed: bool = True) -> None:
    target = folder / address.rpartition("/")[2]
    if target.exists():
        return
    try:
        download(address, target)
    except DownloadError as error:
        if not needed and isinstance(error, NotThereError):
            return
        raise FetchError(
            f"{name}: {error}. Put {target.name} into {folder} by other means and run this "
            "command again"
        ) from None


def _convert(name: str, source: epath.Path, target: epath.Path) -> None:
    # PyTorch's restricted reader; nothing else unpickles.
    from medst_jax.export.errors import ExportError
    from medst_jax.export.pickled import read_pickled
    from medst_jax.models.weights import weights_file

    try:
        weights_file.write(target, read_pickled(source))
    except ExportError as error:
        raise FetchError(f"{name}: {error}") from None


def _read_back(name: str, known: PublicWeights, folder: epath.Path) -> str:
    """Check that the file is what its layout says."""
    from medst_jax.models.weights.pretrained import from_pretrained
    from medst_jax.models.weights.weights_file import PretrainedError

    try:
        module, _ = from_pretrained(folder, known.layout)
    except PretrainedError as error:
        raise FetchError(f"{name}: {error}; remove it and run this command again") from None
    return f"{folder / FILE} is {type(module).__name__} of layout {known.layout}"


def _store_tokenizer(name: str, folder: epath.Path, data_dir: str) -> str:
    """Store the tokenizer as a vocabulary of the data, under the name of the weights."""
    file = folder / CONFIG
    tokenizer = find_tokenizer(folder, read_json(file, "fetch it again") if file.exists() else {})
    if tokenizer is None:
        raise FetchError(f"{name}: {folder} holds no tokenizer files (vocab.txt)")
    tokenizer.save(vocabulary_of(name, data_dir))
    return f"{vocabulary_of(name, data_dir)} is its tokenizer of {tokenizer.size:,} pieces"
