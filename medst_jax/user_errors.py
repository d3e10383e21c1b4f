# SPDX-License-Identifier: Apache-2.0
"""The table of user errors: what a command answers in one line, without a traceback.

Everything else is a fault of this project and keeps its traceback. Errors are listed by the path of
their class, so that the table imports nothing; a derived class counts as the one it derives from.
"""

import errno

LISTED = (
    # What the user asked for.
    "medst_jax.options.OptionError",
    "medst_jax.hub.HubError",
    "medst_jax.parallel.mesh.MeshError",
    "medst_jax.plan.topology.TopologyError",
    "medst_jax.data_pipelines.registry.RequestError",
    "medst_jax.systems.system.UnsupportedError",
    # What lies on disk: missing, damaged, forbidden, full; `DamagedDataError` is one.
    "builtins.OSError",
    "medst_jax.train.workdir.WorkdirError",
    "medst_jax.train.checkpoint.CheckpointError",
    "medst_jax.files.locks.BusyError",
    "medst_jax.data.records.keys.SecretError",
    "medst_jax.models.weights.kinds.LayoutError",
    "medst_jax.models.weights.weights_file.PretrainedError",
    "medst_jax.export.errors.ExportError",
    "medst_jax.reality_check.record.CellError",
    # Raw data.
    "medst_jax.data_pipelines.listing.csv_table.TableError",
    "medst_jax.data_pipelines.listing.table_text.EncodingError",
    "medst_jax.data_pipelines.assemble.PatientSplitError",
    "medst_jax.data_pipelines.audit.run.LeakError",
    "medst_jax.data_pipelines.build.RejectedInputError",
    "medst_jax.data_pipelines.run_banks.WorkerError",
    "medst_jax.commands.parts.fetching.FetchError",
    "medst_jax.commands.parts.download.DownloadError",
    # What came of the computation, or of the machine.
    "medst_jax.train.loop.NonFiniteError",
    "medst_jax.commands.pod.slice.PodError",
    "builtins.MemoryError",
)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def user_message(error: BaseException) -> str | None:
    """What to tell the user of an error in place of a traceback; None where it is not in the table.

    >>> user_message(ZeroDivisionError("division by zero"))
    >>> user_message(FileNotFoundError("metrics.json is not here: evaluate first"))
    'metrics.json is not here: evaluate first'
    >>> user_message(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    '/data/x: No space left on device; free space, then run the same command again'
    """
    if not is_listed(type(error)):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        reason = error.strerror or str(error)
        said = f"{error.filename}: {reason}" if error.filename else reason
        if error.errno in _FULL:
            return f"{said}; free space, then run the same command again"
        if error.errno in _FORBIDDEN:
            return f"{said}; check who owns it and what they may do there"
        return said
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    return str(error) or repr(error)


def is_listed(kind: type) -> bool:
    """Whether an error of this class is in the table."""
    return any(f"{one.__module__}.{one.__qualname__}" in LISTED for one in kind.__mro__)
