# SPDX-License-Identifier: Apache-2.0
"""What an evaluation reads features from: a checkpoint, weights, a table of features, pixels."""

import dataclasses
import datetime
import pathlib
from collections.abc import Mapping
from typing import Any

import jax

from medst_jax import hub
from medst_jax.data.images import Fit
from medst_jax.data.images.pixels import decode
from medst_jax.data.images.preprocess import Preprocess, Statistic
from medst_jax.data.images.released import exported_images, stated_images
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.evaluate.subjects.baselines import PixelEmbedder
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.subjects.feature_table import feature_table_context
from medst_jax.evaluate.subjects.images import Square
from medst_jax.evaluate.subjects.imported import import_system, read_length
from medst_jax.evaluate.subjects.known_training import Training, training_of
from medst_jax.models.weights.stated_layout import stated_layout
from medst_jax.options import parse
from medst_jax.train.checkpoint import LoadedSystem, load_system

Subject = tuple[EvaluationContext, SystemUnderTest, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Request:
    """The flags of `evaluate`: one of checkpoint, weights, features and baseline is given.

    Attributes:
      checkpoint: workdir of a training run.
      step, ema: which of its parameters.
      steps: several checkpoints in place of one, which are asked together.
      weights: file or folder of another project's weights, or `hf-hub:owner/name`.
      layout, channels, mean, std, text_length: what these are and take; None for what the files
        beside the weights say, else for 0.5 and 77 tokens.
      features: an .npz of image_id [N] and features [N, D].
      baseline: pixels as features.
      data_dir: prepared data; None for that of the training.
      size: image side, pixels; None for what the files beside the weights say, 64 elsewhere.
      crop_from: side of the square, pixels, of which weights take the centre; None for no crop.
      fit: how images become squares; None for what the files say, "pad" elsewhere.
      batch_size: images or texts per call.
      name: of the system in the rows; None for that of its source.
      trained_on: what the user knows of the training of weights or features, or of the weights
        that a checkpoint's training started from; see `training_of`.
    """

    checkpoint: str | None = None
    step: int | None = None
    steps: tuple[int, ...] = ()
    ema: bool = False
    weights: str | None = None
    layout: str | None = None
    channels: int = 3
    mean: Statistic | None = None
    std: Statistic | None = None
    text_length: int | None = None
    features: str | None = None
    baseline: str | None = None
    data_dir: str | None = None
    size: int | None = None
    crop_from: int | None = None
    fit: Fit | None = None
    batch_size: int = 64
    name: str | None = None
    trained_on: str = ""


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
    if request.weights:
        return _weights(request, request.weights, request.data_dir)
    # These were not trained here, and know no data folder.
    data = EvaluationData(request.data_dir, request.size or 64, request.fit or "pad")
    if request.features:
        name = request.name or pathlib.Path(request.features).stem
        context = feature_table_context(request.features, data)
        training = training_of(name, request.trained_on)
        return context, SystemUnderTest(name, training=training), {"features": request.features}
    assert request.baseline is not None
    pixels = EvaluationContext(PixelEmbedder(request.baseline, data.size), data)
    return pixels, SystemUnderTest(request.name or request.baseline), {"baseline": request.baseline}


def _checkpoint(request: Request, workdir: str) -> Subject:
    steps = request.steps or (request.step,)
    loaded, *others = (load_system(workdir, step=step, ema=request.ema) for step in steps)
    data = parse(DataOptions, loaded.config["data"], "config.data")
    evaluation_data = EvaluationData(
        request.data_dir or data.data_dir, data.size, data.fit, decode=data.decode
    )

    def context(one: LoadedSystem, *further: LoadedSystem) -> EvaluationContext:
        embedder = Embedder(
            one.system,
            one.tokenizer,
            data.size,
            data.text_length,
            request.batch_size,
            cleaned=data.cleans_reports,
        )
        return EvaluationContext(embedder, evaluation_data, further=tuple(map(context, further)))

    system = SystemUnderTest(
        name=request.name or loaded.name,
        seed=int(loaded.config["seed"]),
        stamp=loaded.stamp,
        trained={name: options.split for name, options in data.mixture.items()},
        starts=starts_of(loaded.config.get("init", {}), request.trained_on),
    )
    read = ", ".join(str(one.step) for one in (loaded, *others))
    return context(loaded, *others), system, {"checkpoint": workdir, "step": read}


def starts_of(init: Mapping[str, Any], told: str) -> tuple[Training, ...]:
    """What is known of the weights that a training started from.

    Raises:
      ValueError: something is told of a training that started from random weights.
    """
    named = dict.fromkeys(init[part] for part in ("image", "text") if init.get(part))
    if told and not named:
        raise ValueError(
            f"--trained_on is {told!r}, but this checkpoint's training started from random "
            "weights, and its own stamp says what it read; leave --trained_on out"
        )
    told = told or init.get("trained_on", "")
    return tuple(training_of(name, told) for name in named)


def _weights(request: Request, given: str, data_dir: str) -> Subject:
    path = str(hub.local(given))
    layout = request.layout or stated_layout(path)
    if layout is None:
        raise ValueError(f"the files of {path} do not say their layout; give --layout")
    preprocess, square = _images(request, path, layout)
    imported, tokenizer = import_system(path, layout, preprocess)
    data = EvaluationData(data_dir, preprocess.square, preprocess.fit, square=square)
    length = request.text_length or read_length(imported, path)
    embedder = Embedder(imported, tokenizer, data.size, length, request.batch_size)
    name = request.name or pathlib.Path(given).name
    facts = {"weights": given, "layout": layout, "images": _described(preprocess, square)}
    training = training_of(given, request.trained_on)
    return EvaluationContext(embedder, data), SystemUnderTest(name, training=training), facts


def _images(request: Request, path: str, layout: str) -> tuple[Preprocess, Square | None]:
    """What the encoder takes: by the flags, and where they say nothing by its own files."""
    export = exported_images(path)
    stated = None if export else stated_images(path, layout)
    geometry = (request.size, request.crop_from, request.fit)
    if export and all(value is None for value in (*geometry, request.mean, request.std)):
        return export[0], None
    if stated is None or any(value is not None for value in geometry):
        size = request.size or (stated.size if stated else None)
        if size is None:
            raise ValueError(
                f"the files of {path} do not say the size of its images; give --size, the image "
                "side that the encoder was trained at"
            )
        own = stated.preprocess if stated else Preprocess(size, channels=request.channels)
        mean, std = (
            given if given is not None else kept
            for given, kept in ((request.mean, own.mean), (request.std, own.std))
        )
        fit = request.fit or own.fit
        return Preprocess(size, fit, mean, std, request.channels, request.crop_from), None
    own = stated.preprocess
    mean = own.mean if request.mean is None else request.mean
    std = own.std if request.std is None else request.std
    released = stated.square
    return dataclasses.replace(own, mean=mean, std=std), lambda data: released(decode(data))


def _described(preprocess: Preprocess, square: Square | None) -> str:
    source = "the encoder's own release" if square else "flags"
    crop = f", centre of {preprocess.square}" if preprocess.crop_from else ""
    return f"{preprocess.size} px{crop}, {preprocess.fit}, by {source}"
