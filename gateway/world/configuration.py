"""What a device of the virtual school is told: the CONFIG.json of a node or an actuator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.problem import Problem
from gateway.world.world import SECOND, World, wired

SPOOL, FLASH = 1 << 20, 1_310_720
"""Bytes of a node's spool and of its flash."""


class DeviceError(Problem):
    """A device can't be started."""


@dataclass(frozen=True, slots=True)
class Brokers:
    """Where devices publish, in the order in which they try: (host, port); user and password if it asks."""

    addresses: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = None


def configuration(
    world: World, device: str, brokers: Brokers, wiring: int, flash: Path | None
) -> dict[str, Any]:
    """The CONFIG.json of a node or an actuator of the world's network, as of the world's start."""
    own = _node(world, device) if device in world.network.nodes else _actuator(world, device)
    return own | {
        "id": device,
        "root": world.network.root,
        "brokers": [list(address) for address in brokers.addresses],
        "user": brokers.user,
        "password": brokers.password,
        "spool_bytes": SPOOL,
        "sim": {
            "wiring": ["127.0.0.1", wiring],
            "speed": max(round(world.speed), 1),
            "flash": str(flash) if flash else None,
            "flash_bytes": FLASH,
        },
    }


def _node(world: World, name: str) -> dict[str, Any]:
    node = world.network.nodes[name]
    place = world.network.placed(name, int(world.begun * SECOND))
    if place is None:
        raise DeviceError(
            f"node {name} stands nowhere at the world's start", advice="start later, or place it"
        )
    sensors = wired(world.network, name, world.begun)
    return {
        "kind": "node",
        "site": place.site,
        "sensors": [{"type": part.type, "serial": part.serial, "bus": part.bus} for part in sensors],
        "sample_s": node.sample_s,
        "batch_s": node.batch_s,
        "duty": node.duty,
    }


def _actuator(world: World, name: str) -> dict[str, Any]:
    actuator = world.network.actuators[name]
    room = world.network.nodes_in(actuator.site, actuator.room, int(world.begun * SECOND))
    return {
        "kind": "actuator",
        "site": actuator.site,
        "levels": len(actuator.levels),
        "safe_level": actuator.safe_occupied,
        "room_nodes": [[actuator.site, node.id] for node in room],
        "batch_s": max((node.batch_s for node in room), default=60),
    }


def everything(world: World) -> list[str]:
    """Every node that stands somewhere at the world's start, and every actuator that speaks Gongi."""
    nodes = [name for name in world.network.nodes if world.network.placed(name, int(world.begun * SECOND))]
    return nodes + [name for name, one in world.network.actuators.items() if one.dialect == "gongi"]
