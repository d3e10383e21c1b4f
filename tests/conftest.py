# SPDX-License-Identifier: Apache-2.0
"""Shared test set-up: parsed flags for grain, the folder of shared data, and its skip reason."""

import os
import pathlib
from collections.abc import Iterator

from tests.jax_versions import xla_flags

os.environ.setdefault("XLA_FLAGS", xla_flags())
# A machine with the TPU compiler has no TPU, and several tests may load that compiler at once.
for name, value in {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}.items():
    os.environ.setdefault(name, value)

import jax
import jaxtyping
import pytest
from absl import flags

# Before anything imports them: the shapes in their signatures are checked at every call, traced
# ones too. Users, who install no beartype, run them without.
jaxtyping.install_import_hook(
    ["medst_jax.losses", "medst_jax.models.encoders"], "beartype.beartype"
)

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _parsed_flags() -> None:
    # grain's worker processes read absl flags, which only absl.app.run parses.
    flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A cache of compiled programs for this session: tests share many of them."""
    folder = tmp_path_factory.mktemp("compiled")
    values = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    previous = {name: getattr(jax.config, name) for name in values}
    for name, value in values.items():
        jax.config.update(name, value)
    yield folder
    for name, value in previous.items():
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of reference numbers and small real data sets, or a skip that says it is absent."""
    folder = pathlib.Path(os.environ.get("MEDST_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set MEDST_SHARED to the folder of reference data")
    return folder


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """Calls as users make them, who get an error from the function itself for a wrong shape."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
