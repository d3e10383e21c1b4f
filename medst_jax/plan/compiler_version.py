# SPDX-License-Identifier: Apache-2.0
"""Whether the installed compilers are those that the installed jax was released with."""

import importlib.metadata
from collections.abc import Sequence

from packaging.requirements import Requirement

from medst_jax.plan.gpu_topology import PLUGINS


def mismatch() -> str:
    """What to say about the installed libtpu; "" when it belongs to jax, or none is installed."""
    try:
        installed = importlib.metadata.version("libtpu")
    except importlib.metadata.PackageNotFoundError:
        return ""  # describing a topology says so
    jax = importlib.metadata.version("jax")
    return mismatch_of(importlib.metadata.requires("jax") or (), jax, installed)


def mismatch_of(requirements: Sequence[str], jax: str, libtpu: str) -> str:
    """The same for given versions.

    Args:
      requirements: of the package jax; those of its extra `tpu` name the compiler.
      jax: version.
      libtpu: version.

    >>> print(mismatch_of(['libtpu==0.0.42.*; extra == "tpu"'], "0.10.2", "0.0.52"))
    libtpu 0.0.52 is not the TPU compiler of jax 0.10.2, which asks for ==0.0.42.*: figures may \
differ from those of a run; pip install 'jax[tpu]==0.10.2' brings the right one
    >>> mismatch_of(['libtpu==0.0.42.*; extra == "tpu"'], "0.10.2", "0.0.42.1")
    ''
    """
    for text in requirements:
        wanted = Requirement(text)
        if (
            wanted.name == "libtpu"
            and (wanted.marker is None or wanted.marker.evaluate({"extra": "tpu"}))
            and not wanted.specifier.contains(libtpu, prereleases=True)
        ):
            return (
                f"libtpu {libtpu} is not the TPU compiler of jax {jax}, which asks for "
                f"{wanted.specifier}: figures may differ from those of a run; "
                f"pip install 'jax[tpu]=={jax}' brings the right one"
            )
    return ""


def plugin_mismatch() -> str:
    """What to say about the installed compiler for GPUs; "" when it belongs to jax, or none is."""
    jaxlib = importlib.metadata.version("jaxlib")
    for name in PLUGINS:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # describing a topology says so
        if installed != jaxlib:
            return (
                f"{name} {installed} is not that of jaxlib {jaxlib}, which cannot load it; "
                f"pip install {name}=={jaxlib}"
            )
    return ""
