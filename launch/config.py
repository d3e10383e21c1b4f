# SPDX-License-Identifier: Apache-2.0
"""Print every value of a configuration, or what differs between two.

python launch/config.py dlilp:smoke
python launch/config.py dlilp:smoke --diff=siglip_b16:smoke
python launch/config.py configs/clip.py --json
"""

import json
import pathlib
import sys

from absl import app, flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.config_flag import SUITES, load

_DIFF = flags.DEFINE_string("diff", None, "Another configuration; only what differs is printed.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON.")
_SUITE = flags.DEFINE_bool("suite", False, "The name is of an evaluation suite.")


def flat(values: object, prefix: str = "") -> dict[str, object]:
    """Leaves of nested mappings by their dotted keys; empty mappings are leaves."""
    if not isinstance(values, dict) or not values:
        return {prefix: values}
    leaves: dict[str, object] = {}
    for key, value in values.items():
        leaves |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise app.UsageError("name one configuration, such as dlilp:smoke")
    folder = {"folder": SUITES} if _SUITE.value else {}
    with user_errors(ValueError):
        first = flat(load(argv[1], **folder))
        if _DIFF.value is None:
            print(json.dumps(first, indent=2) if _JSON.value else _lines(first))
            return
        second = flat(load(_DIFF.value, **folder))
    missing = "(none)"
    changed = {
        key: (first.get(key, missing), second.get(key, missing))
        for key in {**first, **second}
        if first.get(key, missing) != second.get(key, missing)
    }
    if _JSON.value:
        print(json.dumps(changed, indent=2))
    else:
        print(f"{argv[1]} -> {_DIFF.value}: {len(changed)} values differ")
        print(_lines({key: f"{old!r} -> {new!r}" for key, (old, new) in changed.items()}, str))


def _lines(leaves: dict[str, object], show: type | None = None) -> str:
    return "\n".join(
        f"{key} = {show(value) if show else repr(value)}" for key, value in leaves.items()
    )


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
