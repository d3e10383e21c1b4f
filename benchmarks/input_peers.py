# SPDX-License-Identifier: Apache-2.0
"""Inputs of other libraries over the same JPEGs, each in a process that waits to be asked."""

import contextlib
import dataclasses
import importlib.util
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

_WORKER = pathlib.Path(__file__).with_name("input_peer.py")
# Name and worker processes. A reading thread or process of its own is what all of them have.
OURS = (("tf_data_own", 0), ("grain_pil", 0), ("grain_simplejpeg", 0))
TORCH = (("torch_pil", 0), ("torch_pil", 1), ("torch_simplejpeg", 0), ("torch_simplejpeg", 1))


@dataclasses.dataclass
class Peer:
    """An input of another library.

    Attributes:
      name: of library and decoder, as `input_peer` knows them.
      workers: its worker processes.
    """

    name: str
    workers: int
    process: "subprocess.Popen[str]"

    @property
    def label(self) -> str:
        """Its key in a row of results."""
        return f"{self.name}_{self.workers}"

    def read(self, images: int) -> int:
        """Have it read at least so many images; returns how many it read.

        Raises:
          ValueError: the process ended.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{images}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise ValueError(f"the input {self.label} ended; run {_WORKER} by hand to see why")
        return int(answer)


@contextlib.contextmanager
def peers(
    encoded: Sequence[bytes], folder: str, *, size: int, batch: int, torch_python: str
) -> Iterator[list[Peer]]:
    """The other inputs over some JPEGs, running.

    Args:
      encoded: the JPEGs.
      folder: an empty one, to write them to as files.
      size: side of the batch's images.
      batch: rows of a batch.
      torch_python: an interpreter with torch, "" for none.
    """
    for number, data in enumerate(encoded):
        pathlib.Path(folder, f"{number:05d}.jpg").write_bytes(data)
    # TensorFlow is no requirement of this package.
    has_tensorflow = importlib.util.find_spec("tensorflow") is not None
    chosen = [(sys.executable, *peer) for peer in OURS if has_tensorflow or "tf_" not in peer[0]]
    if torch_python:
        chosen += [(torch_python, *peer) for peer in TORCH]
    with contextlib.ExitStack() as stack:
        running = []
        for python, name, workers in chosen:
            process = stack.enter_context(
                subprocess.Popen(
                    [python, str(_WORKER), name, folder, str(size), str(workers), str(batch)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
            # Before the process is waited for: a worker's parent that is killed takes it along.
            stack.callback(process.kill)
            running.append(Peer(name, workers, process))
        yield running
