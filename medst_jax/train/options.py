# SPDX-License-Identifier: Apache-2.0
"""The sections `train`, `optimizer`, `mesh` and `init` of a configuration."""

import dataclasses
from typing import Literal

from medst_jax.options import OptionError, before


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """How long to train, what to write and when.

    Attributes:
      batch_size: global batch, over all processes and devices.
      micro_batches: into how many parts each batch is cut to encode it, exactly: the activations
        of one part at a time, for one more forward pass. 1 encodes the batch at once.
      steps: steps of the whole run; 0 writes the untrained state as checkpoint 0.
      log_every: steps per line of log.jsonl.
      checkpoint_every: steps between checkpoints; the last step is always written.
      keep: newest checkpoints to keep.
      keep_best: checkpoints to keep beside those, best by `best_metric`; 0 keeps none.
      best_metric: "<evaluator>/<metric>", higher is better.
      ema: decay of the moving average of the parameters; 0 keeps no average.
      watchdog_seconds: without a step for so long, the stacks of all threads go to stderr;
        0 switches the watchdog off.
      profile: first and last step of a profiler trace in WORKDIR/profile, or None.
      compilation_cache: folder of compiled programs shared by all runs; empty for none.
      tensorboard: whether scalars go to WORKDIR/tensorboard too, where tensorboard is installed.
    """

    batch_size: int
    steps: int
    log_every: int = 50
    checkpoint_every: int = 1000
    keep: int = 2
    keep_best: int = 0
    best_metric: str = ""
    ema: float = 0.0
    watchdog_seconds: float = 1800.0
    profile: tuple[int, int] | None = None
    compilation_cache: str = "~/.cache/medst_jax/xla"
    tensorboard: bool = True
    micro_batches: int = 1

    def __post_init__(self) -> None:
        least = {
            "batch_size": 1,
            "steps": 0,
            "log_every": 1,
            "checkpoint_every": 1,
            "keep": 1,
            "micro_batches": 1,
        }
        for name, minimum in least.items():
            value = getattr(self, name)
            if value < minimum:
                raise OptionError(f"config.train.{name} is {value}; it must be at least {minimum}")
        if not 0.0 <= self.ema < 1.0:
            raise OptionError(f"config.train.ema is {self.ema}; a decay lies in [0, 1)")
        if self.keep_best and not self.best_metric:
            raise OptionError("config.train.keep_best needs config.train.best_metric")


Schedule = Literal["cosine", "linear", "constant"]
DecayMask = Literal["all", "kernels", "weights", "named_kernels"]


@dataclasses.dataclass(frozen=True)
class PartOptions:
    """What differs for some of the parameters; None takes the value of all.

    Attributes:
      pattern: regular expression that is found in the paths of the part's parameters, such as
        "^text_encoder/".
      learning_rate: the others mean what they mean in `OptimizerOptions`.
    """

    pattern: str
    learning_rate: float | None = None
    warmup_steps: int | None = None
    schedule: Schedule | None = None
    eps: float | None = None
    bias_correction: bool | None = None
    weight_decay: float | None = None
    decay_mask: DecayMask | None = None


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
    """Adam, with one of three forms of decay, or SGD; under a schedule.

    Attributes:
      learning_rate: the peak, after warm-up.
      warmup_steps: linear rise to the peak.
      warmup_start: where the rise begins, as a fraction of the peak.
      schedule: what follows the warm-up.
      horizon_steps: where the cosine or the straight line ends, `train.steps` by default. Set it
        to train in parts: with a fixed horizon, `train.steps` may be raised on a resumed run.
      end_fraction: the end of both, as a fraction of the peak.
      bias_correction: whether Adam's moments are divided by the weight that they hold so far.
      moment_dtype: of Adam's first moment; bfloat16 halves its memory and traffic.
      momentum: of "sgd".
      clip_norm: global norm to which gradients are clipped; 0 clips nothing.
      weight_decay_form: "learning_rate" takes away weight_decay x learning rate of a parameter at
        each step (AdamW of PyTorch and optax); "schedule" weight_decay x schedule, 1 at the peak
        whatever the learning rate (big_vision); "gradient" adds weight_decay x parameter to the
        clipped gradient, before the moments (L2, Adam of PyTorch).
      decay_mask: "all" decays every parameter; "weights" leaves out those named bias or scale, of
        linear layers and norms (Hugging Face's rule for BERT); "named_kernels" decays those named
        kernel alone, so no embeddings (big_vision); "kernels" leaves out vectors and scalars,
        counted without a stacked layer dimension: biases that are cut into heads do decay.
      learning_rates: (pattern, factor) pairs: parameters in whose path the regular expression
        is found take the learning rate times the factor; the first pair that fits counts, and a
        factor of 0 freezes (no update, no decay, no share in the gradient norm). Paths look
        like "text_encoder/layers/mlp/fc1/kernel".
      frozen_layers: (pattern, number) pairs: of the stacked layers in whose path the regular
        expression is found, so many from the first on are frozen.
      parts: by name, parameters with values of their own; no parameter may be in two. Clipping
        is over all parts together, and the logged learning rate is that of the parameters in none.
    """

    learning_rate: float
    name: Literal["adamw", "sgd"] = "adamw"
    warmup_steps: int = 0
    schedule: Schedule = "cosine"
    horizon_steps: int | None = None
    end_fraction: float = 0.0
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    moment_dtype: Literal["float32", "bfloat16"] = "float32"
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    decay_mask: DecayMask = "kernels"
    learning_rates: tuple[tuple[str, float], ...] = ()
    warmup_start: float = dataclasses.field(default=0.0, metadata=before(0.0))
    bias_correction: bool = dataclasses.field(default=True, metadata=before(True))
    weight_decay_form: Literal["learning_rate", "schedule", "gradient"] = dataclasses.field(
        default="learning_rate", metadata=before("learning_rate")
    )
    frozen_layers: tuple[tuple[str, int], ...] = dataclasses.field(default=(), metadata=before(()))
    parts: dict[str, PartOptions] = dataclasses.field(default_factory=dict, metadata=before({}))


@dataclasses.dataclass(frozen=True)
class MeshOptions:
    """Sizes of the mesh axes; `data` -1 takes all devices that are left."""

    data: int = -1
    fsdp: int = 1
    tensor: int = 1


@dataclasses.dataclass(frozen=True)
class InitOptions:
    """Where the encoders' first weights come from; an empty path leaves an encoder random.

    Attributes:
      image: file or folder of safetensors for the image encoder, or the name of weights that
        `prepare --weights` fetches (models/weights/public_weights.py).
      text: the same for the text encoder.
      layout: names in files that are given by path, a key of `models.LAYOUTS`; by default those of the encoder's
        own library. A larger checkpoint such as "mgca" may serve for both. An encoder of two
        views can start from a ViT ("timm", "mgca"), whose MLPs become both experts.
      text_layout: of the text encoder's file where it differs.
      input_channels: "sum" lets a one-channel encoder start from a three-channel one.
      positions: "resize" fits position embeddings of another image size or text length.
      heads: `heads.safetensors` of an exported run, for heads that a system takes over from it.
      layers: "first" takes the first layers of a deeper file.
      trained_on: what you know of the training of `image` and `text`: "DATASET:SPLIT,...", "none"
        or a known encoder; by default what is known of encoders of their names. Nothing but the
        evaluation's rows depends on it.
    """

    image: str = ""
    text: str = ""
    layout: str = ""
    text_layout: str = ""
    input_channels: Literal["exact", "sum"] = "exact"
    positions: Literal["exact", "resize"] = "exact"
    layers: Literal["exact", "first"] = "exact"
    heads: str = dataclasses.field(default="", metadata=before(""))
    trained_on: str = dataclasses.field(default="", metadata=before(""))
