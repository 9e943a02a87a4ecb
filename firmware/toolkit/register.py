"""The register of what was flashed where, and the list of nodes that a batch works down: two CSV files."""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.problem import Problem
from edge.wire import ID
from firmware.toolkit.settings import Sensor

COLUMNS = ("at", "mac", "chip", "kind", "node", "site", "micropython", "application", "generation", "values")


# As spreadsheets save a table: Korean Excel's plain CSV is CP949, others part columns by semicolons.
ENCODINGS = ("utf-8-sig", "cp949")
DELIMITERS = ",;\t"


class BadList(Problem):
    """A line of a batch can't be right."""


class NotEntered(Problem):
    """The board is flashed, and the register doesn't have it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One node of a batch; without a site or sensors the network file says them."""

    node: str
    site: str = ""
    sensors: tuple[Sensor, ...] = ()


def enter(path: Path, outcome: Mapping[str, object]) -> None:
    """Append what was flashed; the file is made with its heading. Raises `NotEntered`."""
    row = {name: _text(outcome.get(name, "")) for name in COLUMNS}
    try:
        _append(path, row)
    except OSError as error:
        advice = "is it open in a spreadsheet? Close it and repeat the call: this entry alone is missing"
        raise NotEntered(f"{row['node']} can't be entered ({error.strerror})", str(path), advice) from error


def _append(path: Path, row: Mapping[str, str]) -> None:
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
    return [{name: value or "" for name, value in row.items()} for _, row in _rows(path)]


def newest(path: Path) -> dict[str, dict[str, str]]:
    """The newest entry of each device."""
    return {entry["node"]: entry for entry in entries(path)}


def wanted(path: Path) -> list[Wanted]:
    """The nodes of a batch: columns `node`, and where the network file lacks them `site` and `sensors`
    (TYPE:SERIAL, parted by spaces). Raises `BadList`."""
    rows = [_row(row, f"{path}:{line}") for line, row in _rows(path)]
    if not rows:
        raise BadList("no node stands in it", str(path), "each node is one line below the first")
    doubled = sorted({row.node for row in rows if [other.node for other in rows].count(row.node) > 1})
    if doubled:
        raise BadList(f"{', '.join(doubled)} stand in it twice", str(path), "each node is one line")
    return rows


def _rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """A table's rows with the numbers of their lines. Raises `BadList` where it has no column `node`."""
    text = _decoded(path)
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=head.count))
    if "node" not in (reader.fieldnames or ()):
        advice = "its first line is, for example: node,site,sensors"
        raise BadList("it has no column `node`", str(path), advice)
    return [(reader.line_num, row) for row in reader]


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise BadList("it is no text that we can read", str(path), "save it as CSV (UTF-8)")


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
