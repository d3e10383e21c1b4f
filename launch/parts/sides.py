# SPDX-License-Identifier: Apache-2.0
"""What the words of `compare` name, and the evaluation of each, kept until suite or source change."""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from medst_jax import __version__, hub
from medst_jax.comparison.evaluated import Evaluated, read_evaluated
from medst_jax.files.reading import read_json
from medst_jax.files.writing import write_json

Kind = Literal["checkpoint", "weights", "features", "evaluation"]
_ROWS, _PREDICTIONS = "metrics.json", "predictions.npz"
_KEPT = "evaluated.json"  # of what the evaluation beside it is


@dataclasses.dataclass(frozen=True)
class Side:
    """One word of the command: NAME=PATH or PATH.

    Attributes:
      name: of the system on the page.
      path: as given; of a checkpoint, its workdir.
      kind: what lies there.
      step: of a checkpoint that was named itself; None for the newest.
    """

    name: str
    path: str
    kind: Kind
    step: int | None = None

    @property
    def folder(self) -> str:
        """A name for a folder of its own: the words of the name, and a digest that keeps names apart."""
        words = re.sub(r"[^A-Za-z0-9.-]+", "_", self.name).strip("._")[:40]
        return f"{words or 'system'}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


def parse_sides(words: Sequence[str]) -> list[Side]:
    """The systems of a comparison.

    Raises:
      ValueError: a path holds nothing that can be compared, or two systems have one name.
    """
    sides = [_side(word) for word in words]
    names = [side.name for side in sides]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two systems are named {twice[0]!r}; tell them apart by NAME=PATH")
    return sides


def _side(word: str) -> Side:
    named, equals, rest = word.partition("=")
    given = equals and not pathlib.Path(word).exists()
    name, path = (named.strip(), rest) if given else ("", word)
    if given and not (name and path):
        raise ValueError(f"{word!r} names no system; write NAME=PATH")
    if path.startswith(hub.PREFIX):
        return Side(name or path.removeprefix(hub.PREFIX).rpartition("/")[2], path, "weights")
    place = pathlib.Path(path)
    if not place.exists():
        raise ValueError(
            f"there is no {path}; give a training, an evaluation, a folder of weights, an .npz of "
            f"features, or {hub.PREFIX}owner/name"
        )
    called = name or _own_name(place)
    if (place / "checkpoints").is_dir():
        return Side(called, path, "checkpoint")
    if place.resolve().parent.name == "checkpoints" and place.name.isdecimal():
        workdir = place.resolve().parent.parent
        return Side(
            name or f"{workdir.name} {place.name}", str(workdir), "checkpoint", int(place.name)
        )
    if (place / _ROWS).is_file() and (place / _PREDICTIONS).is_file():
        return Side(called, path, "evaluation")
    if (place / _ROWS).is_file():
        raise ValueError(
            f"{path} has {_ROWS} and no {_PREDICTIONS}, of which pairs are made; evaluate again"
        )
    return Side(called, path, "features" if place.suffix == ".npz" else "weights")


def _own_name(place: pathlib.Path) -> str:
    """The file's or the folder's; of WORKDIR/evaluation the workdir's."""
    place = place.resolve()
    return (
        place.parent.name
        if place.name == "evaluation"
        else place.stem
        if place.is_file()
        else place.name
    )


def workdir_of(side: Side) -> pathlib.Path | None:
    """The folder of the training, where it is known."""
    if side.kind == "checkpoint":
        return pathlib.Path(side.path)
    above = pathlib.Path(side.path).resolve().parent
    trained = side.kind == "evaluation" and (above / "checkpoints").is_dir()
    return above if trained else None


def evaluation_of(
    side: Side,
    output: pathlib.Path,
    suite: Mapping[str, Any] | None,
    data_dir: str | None,
    evaluate: Callable[[Side, pathlib.Path], bool],
) -> Evaluated:
    """The side's evaluation: read where there is one, else made in a folder of `output`.

    Args:
      side: the system.
      output: of the comparison.
      suite: values of the suite; None where all sides are evaluations.
      data_dir: prepared data; None for those of each training.
      evaluate: evaluates a side into a folder; whether no task failed. Else it is asked again.

    Raises:
      ValueError: an evaluation is needed and no suite is given.
    """
    if side.kind == "evaluation":
        return read_evaluated(side.name, side.path, pathlib.Path(side.path), workdir_of(side))
    if suite is None:
        raise ValueError(f"{side.path} has not been evaluated: give --suite=FILE")
    if side.kind != "checkpoint" and data_dir is None:
        raise ValueError(f"{side.path} is of no training here: give --data_dir=FOLDER")
    folder = output / side.folder
    wanted = {
        "version": __version__,
        "suite": _digest(json.dumps(suite, sort_keys=True, default=str)),
        "source": _source(side),
        "data": _state(_data_of(side, data_dir), "*/*/*/dataset_info.json"),
    }
    kept = folder / _KEPT
    done = kept.is_file() and (folder / _ROWS).is_file() and (folder / _PREDICTIONS).is_file()
    if not (done and read_json(kept, "remove the file") == wanted):
        kept.unlink(missing_ok=True)
        if evaluate(side, folder):
            write_json(kept, wanted, durable=True)
    step = "" if side.step is None else f", step {side.step}"
    return read_evaluated(side.name, side.path + step, folder, workdir_of(side))


def _data_of(side: Side, data_dir: str | None) -> pathlib.Path:
    """The prepared data that an evaluation reads: those of the training where no others are given."""
    if data_dir is not None:
        return pathlib.Path(data_dir)
    config = read_json(
        pathlib.Path(side.path) / "config.json", "train again", fields={"data": dict}
    )
    return pathlib.Path(str(config["data"].get("data_dir", "data")))


def _source(side: Side) -> str:
    """Changes where the files of the source do."""
    place = pathlib.Path(str(hub.local(side.path)))
    if side.kind == "checkpoint":
        step = "*" if side.step is None else str(side.step)
        return _state(place, f"checkpoints/{step}/**/*", "config.json")
    return _state(place, "**/*") if place.is_dir() else _state(place.parent, place.name)


def _state(folder: pathlib.Path, *patterns: str) -> str:
    """Digest of names, sizes and times of the files of a folder."""
    files = sorted(
        {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    )
    stats = [(str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return _digest(json.dumps([str(folder.resolve()), stats]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
