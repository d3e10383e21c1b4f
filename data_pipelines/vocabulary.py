# SPDX-License-Identifier: Apache-2.0
"""Train the tokenizer on the text of prepared data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etils import epath
from tqdm import tqdm

from medst_jax.data.mixture.prompts import all_prompts
from medst_jax.data.records.studies import Studies, open_studies, read_info
from medst_jax.data.tokenize.tokenizer import Tokenizer, train_tokenizer
from medst_jax.data_pipelines.dataset_locks import locked_datasets

TRAINING_SPLIT = "train"


def train_vocabulary(
    data_dir: epath.PathLike,
    names: Sequence[str],
    output_name: str,
    size: int,
    *,
    lower: bool = True,
) -> epath.Path:
    """Train a sentencepiece model and write `data_dir/vocabulary/<output_name>.{model,json}`.

    It sees every sentence of the train splits (of other splits nothing, so that no evaluation
    text shapes it) and every prompt of the data sets' labels. The same data gives the same file.

    Args:
      data_dir: the folder given to `prepare.py`.
      names: data sets; one without a train split gives its prompts alone.
      output_name: of the tokenizer, `config.data.vocabulary`.
      size: ids wanted; a small corpus gives fewer.

    Returns:
      The path of the model file.

    Raises:
      MissingDataError: a data set is not prepared.
      ValueError: `size` is too small for the characters of the text.
    """
    texts = [text for name in names for text in _texts(data_dir, name)]
    tokenizer = train_tokenizer(texts, size, lower=lower)
    path = epath.Path(data_dir) / "vocabulary" / f"{output_name}.model"
    with locked_datasets(data_dir, [f"vocabulary-{output_name}"]):
        tokenizer.save(path)  # two files that belong together
    print(_summary(path, tokenizer, size, len(texts)), flush=True)
    return path


def _texts(data_dir: epath.PathLike, name: str) -> Iterator[str]:
    info = read_info(data_dir, name)
    if TRAINING_SPLIT in info["splits"]:
        studies = open_studies(data_dir, name, TRAINING_SPLIT)
        for i in tqdm(range(len(studies)), desc=f"text of {name}", unit=" studies"):
            yield from _sentences(studies, i)
    yield from all_prompts(info["labels"])


def _sentences(studies: Studies, i: int) -> Iterator[str]:
    study = studies[i]
    if study.sentences:
        yield from (study.sentence_text(k) for k in range(len(study.sentences)))
    else:
        for _, text in study.sections:
            yield from text.splitlines()


def _summary(path: epath.Path, tokenizer: Tokenizer, size: int, texts: int) -> str:
    smaller = "" if tokenizer.size == size else f" (asked for {size}: the text supports no more)"
    return f"vocabulary {path}: {tokenizer.size} ids{smaller} from {texts} texts"
