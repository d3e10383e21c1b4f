# SPDX-License-Identifier: Apache-2.0
"""Seconds that collectives take on the links of a topology."""

from collections.abc import Sequence
from typing import Any

from medst_jax.plan.chips import Chip
from medst_jax.plan.collectives import DCN, ICI, Collective
from medst_jax.plan.topology import Topology


def ici_seconds(
    collectives: Sequence[Collective], devices: Sequence[Any], topology: Topology
) -> float:
    """Time on the links within a slice, one collective after the other.

    Args:
      found: the collectives of a step.
      devices: in the mesh's order, which partition numbers count.
      topology: what they belong to.
    """
    lengths = _torus(topology)
    return sum(
        collective.times
        * collective.bytes
        / group_bandwidth([devices[m] for m in collective.group], lengths, topology.chip)
        for collective in collectives
        if collective.network == ICI
    )


def dcn_seconds(collectives: Sequence[Collective], topology: Topology) -> float:
    """Time on the network between slices: the devices of a host share its connection."""
    per_host = len(topology.devices) / topology.hosts
    sent = sum(
        collective.times * collective.bytes
        for collective in collectives
        if collective.network == DCN
    )
    return sent * per_host / topology.chip.host_network


def group_bandwidth(group: Sequence[Any], lengths: Sequence[int], chip: Chip) -> float:
    """Bytes per second at which a device of the group can send.

    Every torus dimension along which the group extends adds a link; a dimension that the group
    fills and that closes into a ring adds both directions.
    """
    links = 0
    for dimension, length in enumerate(lengths):
        extent = len({device.coords[dimension] for device in group})
        if extent > 1:
            links += 2 if extent == length and length % chip.wraps_at == 0 else 1
    # Two cores of one chip exchange over its memory, faster than over any link.
    return max(links, 1) * chip.link_bandwidth / chip.devices_per_chip


def _torus(topology: Topology) -> list[int]:
    """Length of each dimension of the slice."""
    coordinates = [device.coords for device in topology.devices]
    return [len(set(values)) for values in zip(*coordinates, strict=True)]
