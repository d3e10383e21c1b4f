# SPDX-License-Identifier: Apache-2.0
"""Figures of the report as inline SVG, and images as inline JPEG; nothing is read from or written to disk."""

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
import simplejpeg
from matplotlib.figure import Figure

from medst_jax.evaluate.report.colours import palette
from medst_jax.evaluate.statistics import calibration, metrics
from medst_jax.evaluate.statistics.outcome import Trajectory
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.pages.shown import short

# Replaced by the page's own colours, light or dark, once a figure is drawn.
_INK, _FAINT = "#28303a", "#d9dee5"
_PAGE_COLOURS = {_INK: "currentColor", _FAINT: "var(--line)"}
_ON_LIGHT = "#1f2933"
_METADATA = ("Date", "Creator", "Format", "Type")  # left out: they hold addresses and the time
# Beside the colour, for readers who tell few colours apart.
_LINES, _MARKED = ("-", "--", ":"), ("o-", "s--", "^:")
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # names are shown as they are written
    "font.size": 9,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "medst_jax",  # equal reports from equal runs
}


def roc_figure(predictions: Predictions) -> str:
    """One ROC curve per class (first repeat), with its area in the legend."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.9, 3.1), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1)
        colours = palette(len(predictions.classes))
        names = []
        for c, name in enumerate(predictions.classes):
            truth, scores = _one_class(predictions, c)
            if truth.all() or not truth.any():
                continue
            area = metrics.auroc(truth, scores, np.ones((1, len(truth))))[0]
            false, true = metrics.roc_curve(truth, scores)
            axes.plot(false, true, _LINES[c % 3], color=colours[c], linewidth=1.6)
            names.append(f"{short(name)}  {area:.2f}")
        axes.set(
            xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01)
        )
        axes.set_aspect("equal")
        _legend(figure, axes.lines[1:], names, title="area under the curve")
        return _svg(figure)


def precision_recall_figure(predictions: Predictions) -> str:
    """Precision against recall per class (first repeat); a dot marks the share of positives."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.9, 3.1), layout="constrained")
        axes = figure.add_subplot()
        colours = palette(len(predictions.classes))
        lines, names = [], []
        for c, name in enumerate(predictions.classes):
            truth, scores = _one_class(predictions, c)
            if not truth.any():
                continue
            recall, precision = metrics.precision_recall_curve(truth, scores)
            lines += axes.plot(recall, precision, _LINES[c % 3], color=colours[c], linewidth=1.4)
            names.append(short(name))
            axes.plot([1], [truth.mean()], "o", color=colours[c], markersize=4)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.set_aspect("equal")
        _legend(figure, lines, names)
        return _svg(figure)


def reliability_figure(predictions: Predictions) -> str:
    """Accuracy against confidence over all repeats, with the share of images in each bin.

    For predictions whose scores are log-probabilities.
    """
    pairs = [calibration.confidence(predictions, s) for s in range(len(predictions.scores))]
    confidences, right = (np.concatenate(column) for column in zip(*pairs, strict=True))
    member = calibration.one_hot_bins(confidences)
    count = member.sum(0)
    filled = count > 0
    accuracy, mean_confidence = (
        values @ member[:, filled] / count[filled] for values in (right, confidences)
    )
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.3, 3.1), layout="constrained")
        axes = figure.add_subplot()
        axes.bar(
            (np.arange(calibration.BINS) + 0.5) / calibration.BINS,
            count / count.sum(),
            width=0.9 / calibration.BINS,
            color=_FAINT,
            label="share of images",
        )
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1)
        axes.plot(
            mean_confidence, accuracy, "o-", color=palette(1)[0], markersize=4, label="accuracy"
        )
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.01))
        axes.set_aspect("equal")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        return _svg(figure)


def confusion_figure(predictions: Predictions) -> str:
    """Rows of true classes as shares of predicted ones, averaged over the repeats."""
    classes = len(predictions.classes)
    ones = np.ones((1, len(predictions.patients)))
    repeats = range(len(predictions.scores))
    matrix = np.mean(
        [
            metrics.confusion(predictions.targets, predictions.predicted(s), classes, ones)[0]
            for s in repeats
        ],
        axis=0,
    )
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    with matplotlib.rc_context(_STYLE):
        side = 1.7 + 0.36 * classes
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.add_subplot()
        axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="none")
        axes.invert_yaxis()
        axes.set_aspect("equal")
        for i in range(classes):
            for j in range(classes):
                ink = "white" if share[i, j] > 0.55 else _ON_LIGHT
                axes.text(
                    j + 0.5, i + 0.5, f"{share[i, j]:.0%}", ha="center", va="center", color=ink
                )
        names = [*map(short, predictions.classes)]
        axes.set_xticks(np.arange(classes) + 0.5, names, rotation=35, ha="right")
        axes.set_yticks(np.arange(classes) + 0.5, names)
        axes.set(xlabel="predicted", ylabel="true")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return _svg(figure)


def shots_figure(curves: dict[str, list[tuple[float, float, float | None, float | None]]]) -> str:
    """Probe accuracy against training images per class.

    Args:
      curves: name to points (shots, value, low or None, high or None).
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, _height(len(curves))), layout="constrained")
        axes = figure.add_subplot()
        lines = []
        for k, (points, colour) in enumerate(
            zip(curves.values(), palette(len(curves)), strict=True)
        ):
            x, value, low, high = zip(*points, strict=True)
            lines += axes.plot(x, value, _MARKED[k % 3], color=colour, markersize=4, linewidth=1.6)
            if None not in low and None not in high:
                axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
        axes.set_xscale("log", base=2)
        ticks = sorted({point[0] for points in curves.values() for point in points})
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.set(xlabel="training images per class", ylabel="balanced accuracy")
        axes.grid(axis="y", color=_FAINT, linewidth=0.6)
        _legend(figure, lines, [*map(short, curves)])
        return _svg(figure)


def step_figure(curves: Mapping[str, Sequence[tuple[float, float]]], name: str) -> str:
    """A number of the training against the step.

    Args:
      curves: system to points (step, value); an empty name is shown nowhere.
      name: of the number.
    """
    with matplotlib.rc_context(_STYLE):
        height = 2.2 if len(curves) == 1 else _height(len(curves))
        figure = Figure(figsize=(5.6, height), layout="constrained")
        axes = figure.add_subplot()
        lines = []
        for k, (points, colour) in enumerate(
            zip(curves.values(), palette(len(curves)), strict=True)
        ):
            steps, values = zip(*points, strict=True)
            lines += axes.plot(steps, values, _LINES[k % 3], color=colour, linewidth=1.2)
        axes.set(xlabel="step", ylabel=short(name))
        axes.grid(axis="y", color=_FAINT, linewidth=0.6)
        _legend(figure, lines, [*map(short, curves)] if any(curves) else [])
        return _svg(figure)


def classes_figure(values: Mapping[str, Sequence[float]], classes: Sequence[str]) -> str:
    """The area under the ROC curve of each class, a dot for each system.

    Args:
      values: system to one number of each class, NaN where there is none.
      classes: their names, from the top.
    """
    with matplotlib.rc_context(_STYLE):
        height = max(0.7 + 0.26 * len(classes), _height(len(values)))
        figure = Figure(figsize=(6.4, height), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0.5, color=_FAINT, linewidth=1)
        places = np.arange(len(classes))
        lines = []
        for k, (numbers, colour) in enumerate(
            zip(values.values(), palette(len(values)), strict=True)
        ):
            marker = _MARKED[k % 3][0]
            lines += axes.plot(numbers, places, marker, color=colour, markersize=5, alpha=0.85)
        axes.set_yticks(places, [*map(short, classes)])
        axes.set(xlabel="area under the ROC curve", ylim=(len(classes) - 0.5, -0.5))
        axes.grid(axis="y", color=_FAINT, linewidth=0.6)
        _legend(figure, lines, [*map(short, values)])
        return _svg(figure)


def mixture_figure(curves: dict[str, dict[str, tuple[float, float, float]]]) -> str:
    """Value against what was trained on.

    Args:
      curves: system to mixture to (value, low, high).
    """
    mixtures = list(dict.fromkeys(name for points in curves.values() for name in points))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.0), layout="constrained")
        axes = figure.add_subplot()
        lines = []
        for k, (points, colour) in enumerate(
            zip(curves.values(), palette(len(curves)), strict=True)
        ):
            place = np.array([mixtures.index(m) for m in points]) + 0.06 * (k - len(curves) / 2)
            value, low, high = np.array(list(points.values())).T
            reach = np.stack([value - low, high - value])
            lines.append(
                axes.errorbar(
                    place,
                    value,
                    reach,
                    fmt=_MARKED[k % 3],
                    color=colour,
                    markersize=4,
                    linewidth=1.4,
                )
            )
        axes.set_xticks(range(len(mixtures)), [*map(short, mixtures)])
        axes.set(xlabel="trained on")
        axes.grid(axis="y", color=_FAINT, linewidth=0.6)
        _legend(figure, lines, [*map(short, curves)])
        return _svg(figure)


def mentions_figure(curves: dict[str, list[tuple[float, float]]]) -> str:
    """AUROC of findings against the share of reports that mention them.

    Args:
      curves: system to points (share in [0, 1], AUROC), by rising share.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.0), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.5, color=_FAINT, linewidth=1)
        lines = []
        for points, colour in zip(curves.values(), palette(len(curves)), strict=True):
            share, value = np.array(points).T
            lines += axes.plot(share, value, "o", color=colour, markersize=4, alpha=0.8)
        axes.set_xscale("symlog", linthresh=1e-4)
        axes.set_xticks([0, 1e-4, 1e-3, 1e-2, 1e-1, 1], ["0", ".01%", ".1%", "1%", "10%", "all"])
        axes.minorticks_off()
        axes.set(xlabel="share of reports", ylabel="area under the curve", xlim=(-2e-5, 1))
        _legend(figure, lines, [*map(short, curves)])
        return _svg(figure)


def trajectory_figure(trajectories: Sequence[Trajectory]) -> str:
    """A panel per patient: predicted severity with its standard deviation, and the grades."""
    seen, told = palette(2)
    columns = min(3, len(trajectories))
    lines = -(-len(trajectories) // columns)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(2.7 * columns, 1.9 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for axes, one in zip(panels, trajectories, strict=False):
            low, high = one.expected - one.deviation, one.expected + one.deviation
            axes.fill_between(one.days, low, high, color=seen, alpha=0.15, linewidth=0)
            axes.plot(one.days, one.expected, "-", color=seen, label="predicted")
            axes.plot(one.days, one.grades, "o", color=told, markersize=5, label="grade")
            axes.set(ylim=(-0.3, 3.3), yticks=range(4), xlabel="days")
        for axes in panels[len(trajectories) :]:
            axes.set_visible(False)
        panels[0].legend(frameon=False, fontsize=7)
        return _svg(figure)


def image_data(image: np.ndarray, side: int = 144) -> str:
    """uint8 [S, S, 1] as a `data:` address of a JPEG of the given side."""
    return _jpeg(_scaled(image, side)[..., None], "GRAY")


def overlay_data(
    image: np.ndarray, heat: np.ndarray, box: np.ndarray | None = None, side: int = 144
) -> str:
    """An image uint8 [S, S, 1] under a map float [S, S], its lowest value clear, its highest red.

    Where the map is NaN the image stays clear; the edge of `box` bool [S, S] is drawn in blue.
    """
    low, high = float(np.nanmin(heat)), float(np.nanmax(heat))
    share = (np.nan_to_num(heat, nan=low) - low) / max(high - low, 1e-9)
    share = _scaled(share, side)[..., None]
    grey = np.repeat(_scaled(image, side)[..., None], 3, axis=2)
    red = np.array([214, 60, 40])
    mixed = grey * (1 - 0.6 * share) + red * 0.6 * share
    if box is not None:
        inside = cv2.resize(box.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        edge = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        mixed[edge > 0] = (37, 99, 168)
    return _jpeg(np.clip(np.round(mixed), 0, 255).astype(np.uint8), "RGB")


def _scaled(image: np.ndarray, side: int) -> np.ndarray:
    interpolation = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    return cv2.resize(np.squeeze(image), (side, side), interpolation=interpolation)


def _jpeg(pixels: np.ndarray, space: str) -> str:
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85, colorspace=space)
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()


def _height(curves: int) -> float:
    """Inches that a legend of so many curves beside the axes needs."""
    return max(2.9, 0.4 + 0.19 * curves)


def _legend(figure: Figure, lines: Sequence[Any], names: Sequence[str], title: str = "") -> None:
    """Beside the axes. Names come last: matplotlib leaves out labels that begin with "_"."""
    if not names:
        return
    legend = figure.legend(
        lines,
        [str(k) for k in range(len(names))],
        loc="outside right upper",
        frameon=False,
        title=title or None,
        fontsize=8,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def _one_class(p: Predictions, column: int) -> tuple[np.ndarray, np.ndarray]:
    scores = p.scores[0, :, column]
    if p.kind == "single":
        return p.targets == column, scores
    known = p.targets[:, column] >= 0
    return p.targets[known, column] == 1, scores[known]


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The page's reader has the letters that the measuring font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            pad_inches=0.08,
            metadata=dict.fromkeys(_METADATA),
        )
    text = buffer.getvalue()
    for drawn, shown in _PAGE_COLOURS.items():
        text = text.replace(f": {drawn}", f": {shown}")
    return text[text.index("<svg") :]
