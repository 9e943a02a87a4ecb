"""Two schools, their nodes and samples for the forecast's tests."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from edge.network import Actuator, Level, Network, Node, Placement, Room, Site, Timetable
from edge.readings import KEYS, SECOND, Array, Column, Readings

START = 1_763_769_600
"""A Saturday, 2025-11-22, 00:00 UTC [s]."""


def _node(name: str, site: str, room: str) -> Node:
    return Node(name, (Placement(0, site, room, "wall"),))


def _site(name: str, tz: str) -> Site:
    return Site(name, name, name, tz, {r: Room(r, r, r, 170.0, Timetable()) for r in ("r1", "r2")})


NETWORK = Network(
    "gongi/v1",
    {"hana": _site("hana", "Asia/Seoul"), "dul": _site("dul", "Asia/Kathmandu")},
    {
        name: _node(name, site, room)
        for name, site, room in (
            ("a", "hana", "r1"),
            ("b", "hana", "r2"),
            ("out", "hana", ""),
            ("c", "dul", "r1"),
        )
    },
    {"p": Actuator("p", "purifier", "hana", "r1", (Level(), Level(340.0), Level(680.0)))},
)
NODES = ("a", "b", "out", "c")


def block(rows: Iterable[tuple[str, int, float, int]], nodes: tuple[str, ...] = NODES) -> Readings:
    """Samples as (node, second, pm25, flag)."""
    node, second, value, flag = (list(column) for column in zip(*rows, strict=True))
    size = len(node)
    keys = {name: np.zeros(size, kind) for name, kind in KEYS.items()}
    keys["node"] = np.array([nodes.index(name) for name in node], np.int32)
    keys["time"] = np.array(second, np.int64) * SECOND
    keys["dt"] = np.full(size, 10, np.int64)
    pm25 = np.array(value, float)
    column = replace(Column.of_raw(pm25), flag=np.array(flag, np.uint8))
    return Readings(nodes=nodes, cals=("",), columns={"pm25": column}, **keys)


def ns(second: int) -> int:
    """Seconds as the clock's nanoseconds."""
    return second * SECOND


def day_of(
    nodes: Iterable[str], seconds: int, step: int = 10, seed: int = 1
) -> list[tuple[str, int, float, int]]:
    """Smooth, noisy rooms that follow the time of day."""
    rng = np.random.default_rng(seed)
    second = np.arange(0, seconds, step)
    rows = []
    for number, node in enumerate(nodes):
        wave: Array = 20 + 12 * np.sin(second / 5400 + number) + rng.normal(0, 1, second.size)
        rows += [(node, START + int(s), max(float(v), 0.0), 1) for s, v in zip(second, wave, strict=True)]
    return rows
