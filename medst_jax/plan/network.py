# SPDX-License-Identifier: Apache-2.0
"""Seconds that collectives take on the links of a topology."""

from collections.abc import Sequence
from typing import Any

from medst_jax.plan.chips import Chip
from medst_jax.plan.collectives import DCN, ICI, Collective
from medst_jax.plan.gpus import Gpu
from medst_jax.plan.topology import Topology


def ici_seconds(
    collectives: Sequence[Collective], devices: Sequence[Any], topology: Topology
) -> float:
    """Time on the links within a slice or a node of GPUs, one collective after the other.

    Args:
      found: the collectives of a step.
      devices: in the mesh's order, which partition numbers count.
      topology: what they belong to.
    """
    if isinstance(topology.chip, Gpu):
        # Switches: a GPU has its whole bandwidth whatever the group.
        return _sent(collectives, ICI) / topology.chip.nvlink
    lengths, chip = _torus(topology), topology.chip
    return sum(
        collective.times
        * collective.bytes
        / group_bandwidth([devices[m] for m in collective.group], lengths, chip)
        for collective in collectives
        if collective.network == ICI
    )


def dcn_seconds(
    collectives: Sequence[Collective], devices: Sequence[Any], topology: Topology
) -> float:
    """Time on the network between slices or nodes.

    The TPUs of a host share its connection. A ring through several nodes enters and leaves each of
    them once, and NCCL makes as many rings as there are adapters: so the members of a node share
    their rails, and each of them sends over all.

    Args:
      collectives: of a step.
      devices: in the mesh's order.
      topology: what they belong to.
    """
    if isinstance(topology.chip, Gpu):
        return sum(
            collective.times
            * collective.bytes
            / (topology.chip.rail * _members_per_node(collective.group, devices))
            for collective in collectives
            if collective.network == DCN
        )
    per_host = len(topology.devices) / topology.hosts
    return _sent(collectives, DCN) * per_host / topology.chip.host_network


def _sent(collectives: Sequence[Collective], network: str) -> float:
    """Bytes that one device sends over a network in a step."""
    return sum(one.times * one.bytes for one in collectives if one.network == network)


def _members_per_node(group: Sequence[int], devices: Sequence[Any]) -> float:
    return len(group) / len({devices[member].process_index for member in group})


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
