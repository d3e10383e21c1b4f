# SPDX-License-Identifier: Apache-2.0
"""Scalars, in groups, and the configuration in a file that TensorBoard reads, written without importing TensorFlow.

tensorboard's own `EventFileWriter`, and all that is built on it, imports TensorFlow wherever it is
installed: 13 seconds of CPU and 480 MB. Its record format and its messages do not.
"""

import io
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from etils import epath
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.record_writer import RecordWriter

from medst_jax.train.workdir import append_to_file
from medst_jax.train.writers import grouped

_FORMAT = "brain.Event:2"  # first record of every event file


class EventFile:
    """A new event file of a run; it is complete after every `write`.

    Args:
      folder: where TensorBoard looks, made when missing; each part of a run adds a file.
    """

    def __init__(self, folder: epath.Path):
        folder.mkdir(parents=True, exist_ok=True)
        # By this name TensorBoard knows such a file; the time orders those of one folder.
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / name
        self._append(Event(wall_time=time.time(), file_version=_FORMAT))

    def begin(self, config: Mapping[str, Any]) -> None:
        """Add the configuration, as a text."""
        lines = json.dumps(config, indent=2).splitlines()
        # Four spaces before a line make it code in Markdown, as which TensorBoard shows a text.
        text = "\n".join(f"    {line}" for line in lines)
        plugin = SummaryMetadata.PluginData(plugin_name="text")
        value = Summary.Value(
            tag="config/text_summary",
            metadata=SummaryMetadata(plugin_data=plugin),
            tensor=TensorProto(dtype=DT_STRING, string_val=[text.encode()]),
        )
        self._append(Event(wall_time=time.time(), step=0, summary=Summary(value=[value])))

    def close(self) -> None:
        """The file is complete already."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of a step."""
        values = [
            Summary.Value(tag=grouped(name), simple_value=value) for name, value in scalars.items()
        ]
        self._append(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _append(self, event: Event) -> None:
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        append_to_file(self._path, record.getvalue())
