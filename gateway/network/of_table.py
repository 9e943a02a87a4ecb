"""A network file out of a bare exchange table: a site per site or station, a node per device."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from edge.network import Network
from edge.readings import SECOND, Array
from gateway.network import FaultyNetwork, check
from gateway.table import Table, Words

MOST_SAMPLES = 60
DAY = 86_400
ASSUMED_VOLUME = 180.0
"""A table doesn't say how large its rooms are: a classroom's [m³]."""


def from_table(table: Table, tz: str = "Asia/Seoul", samples: int = MOST_SAMPLES) -> Network:
    """The network of a table; `samples` is how many a node puts in a batch. Raises `FaultyNetwork`."""
    network, mistakes = check({table.name: document(table, tz, samples)})
    if network is None:
        raise FaultyNetwork(table.name, [m for m in mistakes if not m.warning])
    return network


def document(table: Table, tz: str = "Asia/Seoul", samples: int = MOST_SAMPLES) -> dict[str, Any]:
    """The same as the content of a network file."""
    spans = _spans(table.device.code)
    devices = [
        (table.device.names[table.device.code[start]], table.take(np.arange(start, end)))
        for start, end in spans
    ]
    nodes = [_node(name, rows, samples) for name, rows in devices]
    rooms: dict[str, dict[str, None]] = {}
    for entry in (entry for node in nodes for entry in node["placed"]):
        rooms.setdefault(entry["site"], {}).update({entry["room"]: None} if "room" in entry else {})
    return {"site": [_site(site, inside, tz) for site, inside in rooms.items()], "node": nodes}


def _site(site: str, rooms: Mapping[str, None], tz: str) -> dict[str, Any]:
    inside = [{"id": room, "volume": ASSUMED_VOLUME} for room in rooms]
    return {"id": site, "tz": tz, **({"room": inside} if inside else {})}


def _spans(code: Array) -> Iterator[tuple[int, int]]:
    """First and behind-last row of each run of equal codes."""
    edges = [0, *(np.flatnonzero(np.diff(code)) + 1).tolist(), int(code.size)]
    return pairwise(edges) if code.size else iter(())


def step_of(time: Array) -> int:
    """The median step of sorted times [ns], in whole seconds of 1 to a day."""
    steps = np.diff(time // SECOND)
    return int(np.clip(np.median(steps[steps > 0]) if np.any(steps > 0) else 1, 1, DAY))


def _node(name: str, rows: Table, samples: int) -> dict[str, Any]:
    step = step_of(rows.time)
    return {"id": name, "sample_s": step, "batch_s": step * samples, "placed": list(_placed(name, rows))}


def _placed(name: str, rows: Table) -> Iterator[dict[str, Any]]:
    """A dated entry wherever the site, the room or the placement of a device changes."""
    site = _column(rows, "site", "station")
    room, placement = _column(rows, "room"), _column(rows, "placement")
    change = (
        np.flatnonzero(np.any([np.diff(column.code) != 0 for column in (site, room, placement)], axis=0)) + 1
    )
    for row in (0, *change.tolist()):
        stands = placement.names[placement.code[row]] or (
            "indoor" if room.names[room.code[row]] else "outdoor"
        )
        inside = {"room": room.names[room.code[row]] or name} if stands == "indoor" else {}
        since = datetime.fromtimestamp(int(rows.time[row]) // SECOND, UTC)
        where = site.names[site.code[row]] or rows.name
        yield {"since": since, "site": where, **inside, "placement": stands}


def _column(rows: Table, *names: str) -> Words:
    found = next((rows.words[name] for name in names if name in rows.words), None)
    return found or Words(("",), np.zeros(len(rows), np.int32))


def toml(content: Mapping[str, Any]) -> str:
    """A network document as TOML: a table per site, room and node, the rest inline."""
    lines = [f"{key} = {_inline(value)}" for key, value in content.items() if not _is_tables(key)]
    return "\n".join(lines + list(_tables(content, "")))


def _is_tables(key: str) -> bool:
    return key in ("site", "node", "actuator", "station", "calibration", "room", "maintenance")


def _tables(content: Mapping[str, Any], above: str) -> Iterator[str]:
    for key in filter(_is_tables, content):
        for entry in content[key]:
            yield f"\n[[{above}{key}]]"
            yield from (f"{name} = {_inline(value)}" for name, value in entry.items() if not _is_tables(name))
            yield from _tables(entry, f"{above}{key}.")


def _inline(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
