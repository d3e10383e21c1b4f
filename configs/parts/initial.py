# SPDX-License-Identifier: Apache-2.0
"""The weights that a paper starts from, named by its configuration; the variant `scratch`."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.parts import common
from medst_jax.data.mixture.data_options import DataSetOptions

GetConfig = Callable[..., ConfigDict]


def starts(
    image: str = "", text: str = "", *, vocabulary: str = "", layers: str = "exact"
) -> Callable[[GetConfig], GetConfig]:
    """For a `get_config`: what its paper-size configuration starts from.

    A new training of it needs these weights (`prepare --weights=CONFIG`). FILE:scratch is the same
    configuration from random weights, FILE:scratch,DATASETS on other data sets. The small variants
    start from random weights as they are.

    Args:
      image: name of `models/weights/public_weights.PUBLIC` for the image encoder; "" where the
        paper starts from random weights, or has no such encoder.
      text: the same for the text encoder.
      vocabulary: of the texts; by default the text encoder's own.
      layers: as `InitOptions.layers`.
    """

    def decorate(get_config: GetConfig) -> GetConfig:
        @functools.wraps(get_config)
        def with_weights(arg: str | None = None) -> ConfigDict:
            variant, _, datasets = (arg or "").partition(",")
            if variant in common.SMALL:
                return get_config(arg)
            config = get_config(None if variant in ("", "scratch") else variant)
            config.init = common.initial()
            if variant != "scratch":
                config.init.update(image=image, text=text, layers=layers)
            if vocabulary or text:
                config.data.vocabulary = vocabulary or text
            if datasets:
                config.data.mixture = _of(config.data.mixture, datasets.split("+"))
            return config

        return with_weights

    return decorate


def _of(mixture: ConfigDict, datasets: list[str]) -> ConfigDict:
    """A mixture of other data sets.

    One entry is read alike in each of them; several entries of one data set are those of the one
    that is named; else each is read by default.

    Raises:
      ValueError: several data sets for a mixture of parts of one.
    """
    entries = dict(mixture.items())
    sources = {options.dataset or name for name, options in entries.items()}
    if len(entries) == 1:
        (only,) = entries.values()
        return common.mixture(**{name: _options(only, "") for name in datasets})
    if len(sources) > 1:
        return common.mixture(**{name: DataSetOptions() for name in datasets})
    if len(datasets) > 1:
        raise ValueError(
            f"the data sets {'+'.join(datasets)!r} are named after the variant, which reads "
            f"{' and '.join(entries)} studies of one; name one and set config.data.mixture"
        )
    return common.mixture(**{k: _options(v, datasets[0]) for k, v in entries.items()})


def _options(entry: ConfigDict, dataset: str) -> DataSetOptions:
    values: dict[str, Any] = {
        field.name: entry[field.name] for field in dataclasses.fields(DataSetOptions)
    }
    return DataSetOptions(**{**values, "dataset": dataset})
