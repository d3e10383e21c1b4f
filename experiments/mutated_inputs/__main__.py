# SPDX-License-Identifier: Apache-2.0
"""Ten thousand mutated inputs over all readers: no uncaught error, none over 5 s or 1 GiB.

    python -m experiments.mutated_inputs [COUNT] [FIRST_SEED]

Prints, for each reader, inputs, refusals, the longest CPU time and the growth of memory. Ends with
an error and the seeds of the faults when there are any; `drive` with one seed shows a fault again.
"""

import json
import pathlib
import sys
import tempfile

from experiments.mutated_inputs.drive import drive
from experiments.mutated_inputs.readers import readers

EVIDENCE = pathlib.Path(__file__).resolve().parents[1] / "evidence" / "mutated_inputs.json"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        made = readers(pathlib.Path(folder))
        each = -(-count // len(made))
        outcomes = [drive(reader, range(first, first + each)) for reader in made]
    for one in outcomes:
        print(
            f"{one.name:28} {one.inputs:6} inputs, {one.refused:6} refused, {one.seconds:5.2f} s, {one.mebibytes:5.0f} MiB"
        )
        for fault in one.faults:
            print(f"  FAULT {fault}")
    total = sum(one.inputs for one in outcomes)
    faults = sum(len(one.faults) for one in outcomes)
    print(f"{total} inputs over {len(outcomes)} readers, {faults} faults")
    EVIDENCE.parent.mkdir(exist_ok=True)
    content = {"inputs": total, "faults": faults, "readers": [vars(one) for one in outcomes]}
    EVIDENCE.write_text(json.dumps(content, indent=1) + "\n")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
