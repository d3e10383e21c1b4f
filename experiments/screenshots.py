# SPDX-License-Identifier: Apache-2.0
"""Pictures of a report for the documents, taken by a browser from a run's own page.

    python -m experiments.screenshots --report=runs/quickstart/evaluation --output=docs

writes report.png (1,280 px, light) and report_phone.png (400 px, dark). Below the page stands of which
version and seed it is. Chromium or Chrome must be installed.
"""

import argparse
import html
import pathlib
import shutil
import subprocess
import tempfile

import cv2

from medst_jax import __version__
from medst_jax.data.records.studies import written_dir
from medst_jax.evaluate.statistics.rows import read_rows
from medst_jax.files.reading import read_json

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_CAPTION = 44  # px, two lines
# In a frame: a browser without a screen has no windows narrower than 500 px.
_FRAME = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; width: {width}px; font: 13px/20px sans-serif; color: {ink}; background: {paper} }}
iframe {{ display: block; border: 0 }} p {{ margin: 0; padding: 2px 12px }}
</style><iframe src="{page}" width="{width}" height="{height}" scrolling="no"></iframe><p>{text}</p>"""


def picture(
    page: pathlib.Path, file: pathlib.Path, text: str, *, width: int, height: int, dark: bool
) -> None:
    """Write the top of a page as a PNG of width x height pixels, and a caption below it.

    Raises:
      FileNotFoundError: no browser is installed.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise FileNotFoundError(f"none of {', '.join(BROWSERS)} is installed")
    ink, paper = ("#c9d1d9", "#0f1318") if dark else ("#3d4854", "#ffffff")
    with tempfile.TemporaryDirectory() as folder:
        frame = pathlib.Path(folder) / "frame.html"
        frame.write_text(
            _FRAME.format(
                page=html.escape(page.resolve().as_uri()),
                text=html.escape(text),
                width=width,
                height=height - _CAPTION,
                ink=ink,
                paper=paper,
            ),
            encoding="utf-8",
        )
        taken = pathlib.Path(folder) / "taken.png"
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            f"--user-data-dir={folder}/profile",
            f"--window-size={max(width, 500)},{height}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            f"--screenshot={taken}",
            frame.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        _cut(taken, file, width, height)


def _cut(source: pathlib.Path, target: pathlib.Path, width: int, height: int) -> None:
    """The left upper corner of a picture."""
    pixels = cv2.imread(str(source))
    assert pixels is not None
    cv2.imwrite(str(target), pixels[:height, :width], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def caption(report: pathlib.Path) -> str:
    """Version, seed and data of an evaluation."""
    rows = read_rows(report / "metrics.json")
    seeds = ", ".join(str(seed) for seed in sorted({row.seed for row in rows}))
    said = [f"medst_jax {__version__}", f"{rows[0].system}, training seed {seeds}"]
    config = report.resolve().parent / "config.json"
    if config.exists():
        data_dir = read_json(config, "train again", fields={"data": dict})["data"]["data_dir"]
        names = dict.fromkeys(row.dataset for row in rows)
        cards = [written_dir(data_dir, name) / "data_card.json" for name in names]
        versions = {
            read_json(card, "prepare the data again").get("generator_version")
            for card in cards
            if card.exists()
        }
        said += [f"simulated cohort {version}" for version in sorted(filter(None, versions))]
    return " · ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--report", type=pathlib.Path, required=True, help="folder of an evaluation"
    )
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("docs"))
    given = parser.parse_args()
    text, page = caption(given.report), given.report / "report.html"
    large, small = given.output / "report.png", given.output / "report_phone.png"
    picture(page, large, text, width=1280, height=1180, dark=False)
    picture(page, small, text, width=400, height=1180, dark=True)
    print(f"{text}\nwrote {large} and {small}")


if __name__ == "__main__":
    main()
