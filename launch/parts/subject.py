# SPDX-License-Identifier: Apache-2.0
"""What an evaluation reads features from: a checkpoint, weights, a table of features, pixels."""

import dataclasses
import datetime
import pathlib

import jax

from medst_jax.data.images import Fit
from medst_jax.data.images.preprocess import Preprocess, Statistic
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.evaluate.subjects.baselines import PixelEmbedder
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.subjects.feature_table import feature_table_context
from medst_jax.evaluate.subjects.imported import import_system
from medst_jax.options import parse
from medst_jax.train.checkpoint import load_system

Subject = tuple[EvaluationContext, SystemUnderTest, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Request:
    """The flags of `evaluate`: one of checkpoint, weights, features and baseline is given.

    Attributes:
      checkpoint: workdir of a training run.
      step, ema: which of its parameters.
      weights: file or folder of another project's weights.
      layout, channels, mean, std, text_length: what these are and take.
      features: an .npz of image_id [N] and features [N, D].
      baseline: pixels as features.
      data_dir: prepared data; None for that of the training.
      size: image side, pixels; None for 64.
      crop_from: side of the square, pixels, of which weights take the centre; None for no crop.
      fit: how images become squares.
      batch_size: images or texts per call.
      name: of the system in the rows; None for that of its source.
    """

    checkpoint: str | None = None
    step: int | None = None
    ema: bool = False
    weights: str | None = None
    layout: str | None = None
    channels: int = 3
    mean: Statistic = 0.5
    std: Statistic = 0.5
    text_length: int = 77
    features: str | None = None
    baseline: str | None = None
    data_dir: str | None = None
    size: int | None = None
    crop_from: int | None = None
    fit: Fit = "pad"
    batch_size: int = 64
    name: str | None = None


def subject_of(request: Request) -> Subject:
    """The embedder with its data, the system under test, and facts for the report.

    Raises:
      CheckpointError: the workdir has no readable checkpoint.
      FileNotFoundError: data or weights are missing.
      ValueError: weights that the layout does not know.
    """
    context, system, facts = _subject(request)
    today, device = datetime.date.today().isoformat(), jax.devices()[0].device_kind
    return context, system, {**facts, "date": today, "jax": jax.__version__, "device": device}


def _subject(request: Request) -> Subject:
    if request.checkpoint:
        return _checkpoint(request, request.checkpoint)
    assert request.data_dir is not None
    # These were not trained here, and know no data folder.
    data = EvaluationData(request.data_dir, request.crop_from or request.size or 64, request.fit)
    if request.weights:
        return _weights(request, request.weights, data)
    if request.features:
        name = request.name or pathlib.Path(request.features).stem
        context = feature_table_context(request.features, data)
        return context, SystemUnderTest(name), {"features": request.features}
    assert request.baseline is not None
    pixels = EvaluationContext(PixelEmbedder(request.baseline, data.size), data)
    return pixels, SystemUnderTest(request.name or request.baseline), {"baseline": request.baseline}


def _checkpoint(request: Request, workdir: str) -> Subject:
    loaded = load_system(workdir, step=request.step, ema=request.ema)
    data = parse(DataOptions, loaded.config["data"], "config.data")
    embedder = Embedder(
        loaded.system,
        loaded.tokenizer,
        data.size,
        data.text_length,
        request.batch_size,
        cleaned=data.cleans_reports,
    )
    evaluation_data = EvaluationData(request.data_dir or data.data_dir, data.size, data.fit)
    system = SystemUnderTest(
        name=request.name or loaded.name,
        seed=int(loaded.config["seed"]),
        stamp=loaded.stamp,
        trained={name: options.split for name, options in data.mixture.items()},
    )
    return (
        EvaluationContext(embedder, evaluation_data),
        system,
        {"checkpoint": workdir, "step": str(loaded.step)},
    )


def _weights(request: Request, path: str, data: EvaluationData) -> Subject:
    assert request.layout is not None
    preprocess = Preprocess(
        request.size or data.size,
        request.fit,
        request.mean,
        request.std,
        request.channels,
        request.crop_from,
    )
    imported, tokenizer = import_system(path, request.layout, preprocess)
    embedder = Embedder(imported, tokenizer, data.size, request.text_length, request.batch_size)
    name = request.name or pathlib.Path(path).name
    return EvaluationContext(embedder, data), SystemUnderTest(name), {"weights": path}
