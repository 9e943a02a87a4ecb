"""The register of what was flashed where, and the list of nodes that a batch works down: two CSV files."""

import csv
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.problem import Problem
from edge.wire import ID
from firmware.toolkit.settings import Sensor

COLUMNS = ("at", "mac", "chip", "kind", "node", "site", "micropython", "application", "generation", "values")


class BadList(Problem):
    """A line of a batch can't be right."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One node of a batch; without a site or sensors the network file says them."""

    node: str
    site: str = ""
    sensors: tuple[Sensor, ...] = ()


def enter(path: Path, outcome: Mapping[str, object]) -> None:
    """Append what was flashed; the file is made with its heading."""
    row = {name: _text(outcome.get(name, "")) for name in COLUMNS}
    anew = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if anew:
            writer.writeheader()
        writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def entries(path: Path) -> list[dict[str, str]]:
    """Every entry of a register, the oldest first; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def newest(path: Path) -> dict[str, dict[str, str]]:
    """The newest entry of each device."""
    return {entry["node"]: entry for entry in entries(path)}


def wanted(path: Path) -> list[Wanted]:
    """The nodes of a batch: columns `node`, and where the network file lacks them `site` and `sensors`
    (TYPE:SERIAL, parted by spaces). Raises `BadList`."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "node" not in (reader.fieldnames or ()):
            raise BadList(
                "it has no column `node`", str(path), "its first line is, for example: node,site,sensors"
            )
        rows = [_row(row, f"{path}:{reader.line_num}") for row in reader]
    doubled = sorted({row.node for row in rows if [other.node for other in rows].count(row.node) > 1})
    if doubled:
        raise BadList(f"{', '.join(doubled)} stand in it twice", str(path), "each node is one line")
    return rows


def _row(row: Mapping[str, str | None], where: str) -> Wanted:
    texts = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    for name in ("node", "site"):
        if not re.fullmatch(ID, texts.get(name, "")) and (name == "node" or texts.get(name)):
            raise BadList(f"{name} {texts.get(name, '')!r}: 1 to 32 of a-z, 0-9 and - are wanted", where)
    return Wanted(texts["node"], texts.get("site", ""), sensors(texts.get("sensors", "").split(), where))


def sensors(texts: Iterable[str], where: str = "") -> tuple[Sensor, ...]:
    """Read TYPE:SERIAL or TYPE:SERIAL:BUS. Raises `BadList`."""
    found = []
    for text in texts:
        kind, _, rest = text.partition(":")
        serial, _, bus = rest.partition(":")
        if not kind or not serial:
            raise BadList(f"sensor {text!r}: TYPE:SERIAL is wanted", where, "for example pms5003:P-2601")
        found.append(Sensor(kind.lower(), serial, bus))
    return tuple(found)
