# SPDX-License-Identifier: Apache-2.0
"""The optimizer of every configuration of paper size, written down anew, and its steps in numpy.

Nothing here reads a configuration or the project's optimizer. Rates, epochs and decays are those of
the papers and releases; where a paper leaves them open, what the configuration's text declares.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np

Arrays = dict[str, np.ndarray]
# (path, dimensions without a stack's layers) -> whether the parameter decays.
Decays = Callable[[str, int], bool]


def everything(path: str, dimensions: int) -> bool:
    """torch.optim.AdamW on `model.parameters()`."""
    return True


def no_bias_no_norm(path: str, dimensions: int) -> bool:
    """BERT's fine-tuning: neither biases nor the scales of norms."""
    return path.split("/")[-1] not in ("bias", "scale")


def kernels_by_name(path: str, dimensions: int) -> bool:
    """big_vision: `.*/kernel$`."""
    return path.endswith("/kernel")


def two_dimensions(path: str, dimensions: int) -> bool:
    """The small sizes: whatever is no vector and no scalar."""
    return dimensions >= 2


@dataclasses.dataclass(frozen=True)
class Adam:
    """One group of parameters; `decay_by` is "rate", "schedule" or "gradient"."""

    rate: float
    warmup: int = 0
    first: float = 0.0  # of the rate, at the first step of the warm-up
    after: str = "cosine"
    last: float = 0.0
    decay: float = 0.0
    decay_by: str = "rate"
    decays: Decays = everything
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    corrected: bool = True


@dataclasses.dataclass(frozen=True)
class Sgd(Adam):
    """torch.optim.SGD; of Adam's values those of rate and decay."""

    momentum: float = 0.9


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A run: its groups by the beginnings of paths ("" for the rest), its clipping, its length.

    Attributes:
      frozen: beginnings of paths, and how many layers of a stack, or None for whole parameters.
      seen: examples of an epoch, epochs, and how many of them a step sees, where they are published.
    """

    batch: int
    steps: int
    groups: Mapping[tuple[str, ...], Adam]
    clip: float = 0.0
    moment: type = np.float32
    frozen: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    seen: tuple[int, int, int] | None = None


def one(batch: int, steps: int, adam: Adam, **others: object) -> Recipe:
    return Recipe(batch, steps, {("",): adam}, **others)  # type: ignore[arg-type]


def bert(steps: int) -> Adam:
    """Of the releases of Liao et al.: AdamW of pytorch_transformers, correct_bias=False."""
    return Adam(
        2e-5, steps // 10, after="linear", decay=0.1, decays=no_bias_no_norm, eps=1e-6,
        corrected=False,
    )  # fmt: skip


IMAGE_NET = Adam(5e-4, after="constant")  # torch.optim.Adam(lr=5e-4)
REALITY_CHECK = one(
    128, 81_000, Adam(1e-4, 2_699, first=1 / 2_700, decay=1e-5), clip=1.0, seen=(345_621, 30, 128)
)
INFORMATION = Recipe(
    8, 2_712_500, {("text_encoder/", "pooler/"): bert(2_712_500), ("",): IMAGE_NET},
    seen=(217_000, 100, 8),
)  # fmt: skip
BIOVIL = one(256, 45_000, Adam(2e-5, 1_350, decay=0.05), clip=1.0)

MGCA = one(
    144, 75_000, Adam(2e-5, 30_000, first=1e-8 / 2e-5, last=1e-8 / 2e-5, decay=0.05),
    seen=(217_000, 50, 144),
)  # fmt: skip

# Of ConVIRT, LoVT and SAT: the embeddings with their norm, and six layers.
HALF_OF_BERT = {
    "text_encoder/word_embeddings": None,
    "text_encoder/position_embeddings": None,
    "text_encoder/token_type_embeddings": None,
    "text_encoder/norm/": None,
    "text_encoder/layers/": 6,
}

RECIPES = {
    "biovil": BIOVIL,
    "biovil_l": BIOVIL,
    "biovil_t": one(
        240, 36_000, Adam(2e-5, 1_100, decay=0.05), clip=1.0, seen=(175_000, 50, 240)
    ),
    "carzero": one(
        256, 12_700, Adam(5e-5, b1=0.5, decay=1e-6, decay_by="gradient"), clip=0.25,
        seen=(217_000, 15, 256),
    ),
    "chexzero": one(16, 54_000, Sgd(1e-4, after="constant"), seen=(217_000, 4, 16)),
    "clip": REALITY_CHECK,
    "convirt": one(
        32,
        360_000,
        Adam(1e-4, decay=1e-6, decay_by="gradient"),
        frozen=HALF_OF_BERT,
        seen=(230_000, 50, 32),
    ),
    "cxr_bert": BIOVIL,
    "cxr_bert_clinical": one(512, 50_000, Adam(1e-4, 5_000, decay=0.05), clip=1.0),
    "cxr_bert_general": one(512, 100_000, Adam(2e-4, 5_000, decay=0.05), clip=1.0),
    "cxr_clip": one(512, 12_900, Adam(5e-5, 860, decay=1e-4), seen=(222_628 + 216_478, 15, 512)),
    "dlilp": REALITY_CHECK,
    "dlilp_open": one(64, 300, Adam(2e-3, 50, decay=1e-2, decays=two_dimensions), clip=1.0),
    "edema_vae": one(64, 126_000, IMAGE_NET, seen=(6_710, 300, 16)),
    "gloria": one(
        48, 226_000, Adam(5e-5, b1=0.5, decay=1e-6, decay_by="gradient"), clip=0.25,
        seen=(217_000, 50, 48),
    ),
    "image_only": one(64, 31_500, IMAGE_NET, seen=(6_710, 300, 64)),
    "joint_ranking": one(4, 2_013_000, bert(2_013_000), seen=(6_710, 300, 1)),
    "kad": one(
        64, 339_000, Adam(5e-5, 67_800, first=0.2, last=0.02, decay=0.02), seen=(217_000, 100, 64)
    ),
    "kad_knowledge": one(256, 200_000, Adam(5e-5, 10_000, decay=0.2)),
    "local_mutual_information": INFORMATION,
    "m_flag": one(
        2_048, 5_300, Adam(2e-5, last=1e-8 / 2e-5, decay=0.05), seen=(217_000, 50, 2_048)
    ),
    "medclip": one(
        100, 34_500, Adam(2e-5, 3_450, decay=1e-4, decays=no_bias_no_norm, eps=1e-6), clip=1.0,
        seen=(345_621, 10, 100),
    ),
    "medklip": one(
        48, 452_000, Adam(1e-4, 500, last=0.1, decay=0.02), seen=(217_000, 100, 48)
    ),
    "medst": one(
        80, 23_000, Adam(4e-5, 9_200, first=1e-8 / 4e-5, last=1e-8 / 4e-5, decay=0.05),
        seen=(230_000, 8, 80),
    ),
    "mgca": MGCA,
    "mgca_vit": MGCA,
    "lovt": one(
        512, 21_000, Adam(1e-4, decay=1e-6), frozen=HALF_OF_BERT, seen=(217_000, 50, 512)
    ),
    "mrm": one(
        256, 170_000, Adam(1.5e-4, 34_000, b2=0.95, decay=0.05, decays=no_bias_no_norm),
        seen=(217_000, 200, 256),
    ),
    "mutual_information": INFORMATION,
    "paired": one(512, 38_700, Adam(1e-4, 1_290, decay=1e-5), clip=1.0, seen=(660_389, 30, 512)),
    "sat": one(
        256,
        169_600,
        Adam(4e-4, 16_960, decay=1e-6, decays=no_bias_no_norm, eps=1e-6),
        clip=0.25,
        frozen=HALF_OF_BERT,
        seen=(217_000, 200, 256),
    ),
    "siglip_b16": one(
        2_048,
        20_000,
        Adam(1e-3, 1_000, b2=0.95, decay=1e-4, decay_by="schedule", decays=kernels_by_name),
        clip=1.0,
        moment=ml_dtypes.bfloat16,
    ),
    "unicl": REALITY_CHECK,
    "unimodal": REALITY_CHECK,
}  # fmt: skip


def part_of_rate(adam: Adam, step: int, steps: int) -> float:
    """The schedule, 1 at its peak, of the step that follows `step` updates."""
    if step < adam.warmup:
        return adam.first + (1 - adam.first) * step / adam.warmup
    done = min(1.0, (step - adam.warmup) / (steps - adam.warmup))
    if adam.after == "cosine":
        return adam.last + (1 - adam.last) * (1 + math.cos(math.pi * done)) / 2
    return 1.0 if adam.after == "constant" else 1.0 - done * (1.0 - adam.last)


class Reference:
    """A recipe's optimizer in float64, one parameter after the other."""

    def __init__(self, recipe: Recipe, parameters: Arrays, layers: Mapping[str, int | None]):
        """`layers`: the axis of a stack's layers by path, or None."""
        self.recipe, self.parameters, self.layers = recipe, parameters, layers
        self.first = {path: np.zeros(p.shape, recipe.moment) for path, p in parameters.items()}
        self.second = {path: np.zeros(p.shape) for path, p in parameters.items()}

    def updates(self, gradients: Arrays, step: int) -> Arrays:
        """What is added to the parameters by the step that follows `step` updates."""
        moving = {path: self._moving(path) for path in gradients}
        gradients = {path: g * moving[path] for path, g in gradients.items()}
        norm = math.sqrt(sum(float(np.sum(g * g)) for g in gradients.values()))
        shrink = min(1.0, self.recipe.clip / norm) if self.recipe.clip else 1.0
        return {
            path: moving[path] * self._update(path, shrink * g, step)
            for path, g in gradients.items()
        }

    def _update(self, path: str, gradient: np.ndarray, step: int) -> np.ndarray:
        adam = next(
            adam
            for starts, adam in self.recipe.groups.items()
            if any(path.startswith(start) for start in starts)
        )
        parameter = self.parameters[path]
        dimensions = parameter.ndim - (self.layers[path] is not None)
        decay = adam.decay * adam.decays(path, dimensions) * parameter
        if adam.decay_by == "gradient":
            gradient = gradient + decay
        move = adam.rate * self._direction(adam, path, gradient, step)
        if adam.decay_by == "rate":
            move = move + adam.rate * decay
        elif adam.decay_by == "schedule":
            move = move + decay
        return -part_of_rate(adam, step, self.recipe.steps) * move

    def _direction(self, adam: Adam, path: str, gradient: np.ndarray, step: int) -> np.ndarray:
        """What a rate of 1 would take away."""
        kept = self.first[path]
        if isinstance(adam, Sgd):
            self.first[path] = adam.momentum * kept + gradient
            return self.first[path]
        # A first moment that is kept in bfloat16 decays in bfloat16.
        kept = (kept.dtype.type(adam.b1) * kept) if kept.dtype.itemsize < 4 else adam.b1 * kept
        first = kept.astype(np.float64) + (1 - adam.b1) * gradient
        second = adam.b2 * self.second[path] + (1 - adam.b2) * gradient**2
        self.first[path], self.second[path] = first.astype(self.recipe.moment), second
        if adam.corrected:
            first = first / (1 - adam.b1 ** (step + 1))
            second = second / (1 - adam.b2 ** (step + 1))
        return first / (np.sqrt(second) + adam.eps)

    def _moving(self, path: str) -> np.ndarray:
        """1 where the parameter moves and 0 where it is frozen."""
        shape = self.parameters[path].shape
        moving = np.ones(shape)
        for start, layers in self.recipe.frozen.items():
            if path.startswith(start):
                number = np.indices(shape)[self.layers[path] or 0] if layers else 0
                moving = moving * (number >= layers if layers else 0.0)
        return moving
