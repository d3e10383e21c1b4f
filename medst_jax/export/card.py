# SPDX-License-Identifier: Apache-2.0
"""The model card of an export: what was trained, on what, how well, and for which use."""

from collections.abc import Mapping, Sequence
from typing import Any

from medst_jax.data.records.studies import MissingDataError, read_info

_USE = """## Intended use

Research only. These weights are not a medical device, have not been validated for any clinical
purpose, and must not inform the care of a patient. No clinical claim is made.
"""


def licences(config: Mapping[str, Any]) -> dict[str, str]:
    """Licence of each data set of the run's mixture; says so where the data is not at hand."""
    by_dataset = {}
    for name in config["data"]["mixture"]:
        try:
            info = read_info(config["data"]["data_dir"], name)
            by_dataset[name] = str(info.get("licence") or "not stated")
        except (MissingDataError, OSError, ValueError):
            by_dataset[name] = "unknown here (the data set was not at hand when exporting)"
    return by_dataset


def model_card(
    *,
    system: str,
    step: int,
    config: Mapping[str, Any],
    architecture: Mapping[str, Any],
    stamp: Mapping[str, Any],
    licence_of: Mapping[str, str],
    labels: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    usage: str,
    summary: Mapping[str, Any],
) -> str:
    """Markdown of the card, behind the metadata that the Hugging Face Hub reads.

    Args:
      system: its name.
      step: updates applied.
      config: of the run.
      architecture: of the image encoder, of the text encoder where there is no other.
      stamp: what the training input was made of.
      licence_of: licences by data set.
      labels: the label vocabulary.
      rows: evaluation rows.
      usage: how to load the files.
      summary: of the run, {} when it is not at hand.
    """
    lines = [
        *_metadata(system, architecture, tuple(stamp["fingerprints"])),
        f"# {system}: chest X-ray encoder",
        "",
        f"- system: `{system}`, {step} training steps of {stamp['global_batch']} examples",
        f"- encoder: `{architecture['class']}`{_names(architecture)}",
        f"- labels: {', '.join(labels) or 'none'}",
        f"- images: stored at {config['data'].get('size')} px, see `preprocess` in config.json",
        f"- compute: {_compute(step, stamp, summary)}",
        f"- seed: {config.get('seed', 'unknown')}",
        f"- patients kept out of training for evaluation: {stamp['excluded_patients']}",
        "",
        "## Training data",
        "",
        "| data set | fingerprint | intensity | licence |",
        "|---|---|---|---|",
    ]
    for name, fingerprint in stamp["fingerprints"].items():
        intensity = stamp["intensity"].get(name, "unknown")
        lines.append(
            f"| {name} | `{fingerprint[:16]}` | {intensity} | {licence_of.get(name, 'unknown')} |"
        )
    lines += ["", "The weights inherit the conditions of these licences.", "", "## Results", ""]
    lines += _results(rows)
    return "\n".join([*lines, "", "## Files", "", usage, "", _USE])


def _metadata(system: str, architecture: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Lines of YAML: the Hub's own keys, and the data sets of the training."""
    image = not architecture["class"].startswith("Bert")
    tags = ["chest-x-ray", "radiology", "medical", "jax", system, architecture["class"].lower()]
    return [
        "---",
        "library_name: medst_jax",
        "license: other",
        "license_name: conditions-of-the-training-data",
        "license_link: README.md",
        f"pipeline_tag: {'image-feature-extraction' if image else 'feature-extraction'}",
        "tags:",
        *(f"- {tag}" for tag in tags),
        "training_data:",
        *(f"- {name}" for name in sources),
        "---",
        "",
    ]


def _names(architecture: Mapping[str, Any]) -> str:
    return f" ({architecture['layout']} names)" if "layout" in architecture else ""


def _compute(step: int, stamp: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Image-steps, and chip-hours where the run's summary tells its speed."""
    images = step * stamp["global_batch"]
    rate = summary.get("examples_per_second")
    if not rate:
        return f"{images:,} image-steps; chip-hours unknown (no finished run's summary.json)"
    hours = images / rate * summary["devices"] / 3600
    return f"{images:,} image-steps, {hours:.3g} chip-hours on {summary['devices']} devices"


def _results(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["No evaluation was given to the export."]
    lines = ["| data set | task | protocol | metric | value | 95% interval | n |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        interval = f"{_number(row['low'])} to {_number(row['high'])}"
        cells = [row["dataset"], row["task"], row["protocol"], row["metric"]]
        cells += [_number(row["value"]), interval, row["n"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) else str(value)
