"""Line protocol by column: samples as lines for InfluxDB."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import msgspec
import numpy as np

from edge.assign import placed
from edge.network import Network, Placement
from edge.readings import Array, Column, Flag, Readings

SPREAD = 1_000_000
"""A sample's timestamp is its time + (seq mod SPREAD) ns: two batches of one second stay two points."""

_FLAGS = 10
_BREAK = "\0"
# What separates tags is escaped; InfluxDB can hold neither control characters nor a trailing backslash there.
_TAG = str.maketrans(
    {**{chr(code): "_" for code in (*range(32), 127)}, "\\": "_", ",": r"\,", "=": r"\=", " ": r"\ "}
)
_STRING = str.maketrans({"\\": r"\\", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a block, and how many rows were left out by reason: `untimed`, `unplaced`, `empty`
    (says nothing), `malformed`."""

    lines: list[str]
    left_out: Mapping[str, int] = field(default_factory=dict)


def tags(**words: str) -> str:
    """Tags as they follow a measurement, sorted by key; an empty one is left out."""
    return "".join(f",{key}={words[key].translate(_TAG)}" for key in sorted(words) if words[key])


def quoted(text: str) -> str:
    """A string field's value."""
    return f'"{text.translate(_STRING)}"'


# -- samples ------------------------------------------------------------------------------------------


def air(readings: Readings, network: Network) -> Lines:
    """The samples as lines of `air`, each with the tags of where its node stood at the sample's time.

    Fields per quantity: `q` calibrated, `q_raw`, `q_u` in its unit, where finite and not missing; `q_flag`
    wherever the node measures it; `cal` always, so that a revision without one overwrites it.
    """
    where, places = standing(readings, network)
    heads = np.array([head("air", place) for place in places] or [""], object)[where]
    known = np.array([place is not None for place in places] or [False], bool)[where]
    timed = readings.timed()
    flags = [column.flag != Flag.ABSENT for column in readings.columns.values()]
    full = np.logical_or.reduce(flags) if flags else np.zeros(len(readings), bool)
    left_out = {
        "untimed": int(np.count_nonzero(~timed)),
        "unplaced": int(np.count_nonzero(timed & ~known)),
        "empty": int(np.count_nonzero(timed & known & ~full)),
    }
    keep = timed & known & full
    if not keep.all():
        readings, heads = readings.take(keep), heads[keep]
    return Lines(_rows(readings, heads), {why: rows for why, rows in left_out.items() if rows})


@dataclass(frozen=True, slots=True)
class Standing:
    """A node where it stood: what the tags of its points say; `room` is empty outdoors."""

    node: str
    site: str
    room: str
    placement: str


def standing(readings: Readings, network: Network) -> tuple[Array, list[Standing | None]]:
    """Where each row's node stood at its time: a code per row, and what each code means (None: nowhere)."""
    codes, placements = placed(readings, network)
    width = max(1, len(readings.nodes))
    pairs, row = np.unique(codes.astype(np.int64) * width + readings.node, return_inverse=True)
    found: dict[Standing | None, int] = {}
    # A new calibration is a code of its own in the network; the tags stay.
    merged = [
        found.setdefault(_standing(readings.nodes[pair % width], placements[pair // width]), len(found))
        for pair in pairs.tolist()
    ]
    return np.array(merged or [0], np.int64)[row], list(found)


def _standing(node: str, place: Placement | None) -> Standing | None:
    return None if place is None else Standing(node, place.site, place.room, place.placement)


def head(measurement: str, at: Standing | None) -> str:
    """Measurement and tags of a node's points; empty for one that stands nowhere."""
    if at is None:
        return ""
    return f"{measurement}{tags(node=at.node, placement=at.placement, room=at.room, site=at.site)} "


def _rows(readings: Readings, heads: Array) -> list[str]:
    if not len(readings):
        return []
    said = [cells for name, column in readings.columns.items() for cells in _cells(name, column)]
    cals = np.array([f"cal={quoted(cal)} " for cal in readings.cals or ("",)], object)[readings.cal]
    stamps = numbers(readings.time + readings.seq % SPREAD).split(",")
    return list(map("".join, zip(heads.tolist(), *said, cals.tolist(), stamps, strict=True)))


def _cells(quantity: str, column: Column) -> Iterator[list[str]]:
    measured = (column.flag != Flag.MISSING) & (column.flag != Flag.ABSENT)
    for suffix, cells in (("", column.value), ("_raw", column.raw), ("_u", column.u)):
        written = cells if measured.all() else np.where(measured, cells, np.nan)
        if not np.isnan(written).all():
            yield fields(quantity + suffix, written)
    yield _flags(quantity)[column.flag].tolist()


def fields(name: str, cells: Array) -> list[str]:
    """`name=number,` of each cell, empty where it isn't finite; the column is one text, cut at the end."""
    column = f"{name}={numbers(cells)},".replace(",", f",{_BREAK}{name}=", cells.size - 1)
    return column.replace(f"{name}=null,", "").split(_BREAK)


def numbers(cells: Array) -> str:
    """The shortest texts that read back as the same numbers, with commas between; `null`: not finite."""
    return msgspec.json.encode(cells.tolist()).decode()[1:-1]


@cache
def _flags(quantity: str) -> Array:
    return np.array(["", *(f"{quantity}_flag={flag}i," for flag in range(1, _FLAGS))], object)
