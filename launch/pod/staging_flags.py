# SPDX-License-Identifier: Apache-2.0
"""Flags that say where the data of a run lie and where workers want them."""

from absl import flags

from medst_jax.commands.pod import scripts
from medst_jax.commands.pod.bucket import bucket_and_folder
from medst_jax.commands.pod.slice import PodError
from medst_jax.commands.pod.staging import datasets_of, load_config

_CONFIG = flags.DEFINE_string("config", "", "Configuration whose data are staged, FILE[:VARIANT].")
_FROM = flags.DEFINE_string("data_from", "", "Folder of prepared data in a bucket, gs://...")
_TO = flags.DEFINE_string("data_to", "~/data", "The run's config.data.data_dir on the workers.")
_HOW = flags.DEFINE_enum("how", "copy", ["copy", "mount"], "Copy to disk, or mount by gcsfuse.")


def script() -> str:
    """The script that stages on a worker, empty when no data are named.

    Raises:
      PodError: a source that is no bucket, or no configuration to copy for.
    """
    source = _FROM.value.rstrip("/")
    if not source:
        return ""
    bucket_and_folder(source)
    if not _TO.value.startswith(("/", "~/")):
        raise PodError(f"--data_to={_TO.value}: give a folder from / or ~/")
    if _HOW.value == "mount":
        return scripts.mount(source, _TO.value)
    if not _CONFIG.value:
        raise PodError("--config is needed to know what to copy; or stage with --how=mount")
    config = load_config(_CONFIG.value)
    vocabulary = config["data"].get("vocabulary", "")
    return scripts.stage(source, _TO.value, datasets_of(config), vocabulary)
