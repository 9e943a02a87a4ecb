"""Line protocol by column: what stands in a journal block as lines for InfluxDB."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import msgspec
import numpy as np

from edge.assign import placed
from edge.network import Network, Placement
from edge.readings import Array, Column, Flag, Readings
from edge.report import State
from gateway.pack import unpack
from gateway.reference.store import Series as References

SPREAD = 1_000_000
"""A sample's timestamp is its time + (seq mod SPREAD) ns: two batches of one second stay two points."""

_FLAGS = 10
_BREAK = "\0"
# What separates tags is escaped; InfluxDB can hold neither control characters nor a trailing backslash there.
_TAG = str.maketrans(
    {**{chr(code): "_" for code in (*range(32), 127)}, "\\": "_", ",": r"\,", "=": r"\=", " ": r"\ "}
)
_STRING = str.maketrans({"\\": r"\\", '"': r"\""})


class Unreadable(ValueError):
    """A block's body that isn't what its kind says."""


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
    heads, known = _heads(readings, network)
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


def _heads(readings: Readings, network: Network) -> tuple[Array, Array]:
    """Measurement and tags of each row, and whether its node stood anywhere then."""
    codes, placements = placed(readings, network)
    width = max(1, len(readings.nodes))
    pairs, row = np.unique(codes.astype(np.int64) * width + readings.node, return_inverse=True)
    words = [_head(placements[pair // width], readings.nodes[pair % width]) for pair in pairs.tolist()]
    return np.array(words, object)[row], np.array([word != "" for word in words], bool)[row]


def _head(place: Placement | None, node: str) -> str:
    if place is None:
        return ""
    return f"air{tags(node=node, placement=place.placement, room=place.room, site=place.site)} "


def _rows(readings: Readings, heads: Array) -> list[str]:
    if not len(readings):
        return []
    fields = [cells for name, column in readings.columns.items() for cells in _cells(name, column)]
    cals = np.array([f"cal={quoted(cal)} " for cal in readings.cals or ("",)], object)[readings.cal]
    stamps = _numbers(readings.time + readings.seq % SPREAD).split(",")
    return list(map("".join, zip(heads.tolist(), *fields, cals.tolist(), stamps, strict=True)))


def _cells(quantity: str, column: Column) -> Iterator[list[str]]:
    measured = (column.flag != Flag.MISSING) & (column.flag != Flag.ABSENT)
    for suffix, cells in (("", column.value), ("_raw", column.raw), ("_u", column.u)):
        written = cells if measured.all() else np.where(measured, cells, np.nan)
        if not np.isnan(written).all():
            yield _fields(quantity + suffix, written)
    yield _flags(quantity)[column.flag].tolist()


def _fields(name: str, cells: Array) -> list[str]:
    """`name=number,` of each cell, empty where it isn't finite; the column is one text, cut at the end."""
    column = f"{name}={_numbers(cells)},".replace(",", f",{_BREAK}{name}=", cells.size - 1)
    return column.replace(f"{name}=null,", "").split(_BREAK)


def _numbers(cells: Array) -> str:
    """The shortest texts that read back as the same numbers, with commas between; `null`: not finite."""
    return msgspec.json.encode(cells.tolist()).decode()[1:-1]


@cache
def _flags(quantity: str) -> Array:
    return np.array(["", *(f"{quantity}_flag={flag}i," for flag in range(1, _FLAGS))], object)


# -- forecasts ----------------------------------------------------------------------------------------


class Ahead(msgspec.Struct, frozen=True):
    """One horizon of a forecast; `target` [ns UTC]; its numbers are None where the model had none."""

    horizon_s: int
    target: int
    value: float | None
    lower: float | None
    upper: float | None


class Forecast(msgspec.Struct, frozen=True):
    """A node's forecasts of one quantity, issued at [ns UTC] by a model."""

    node: str
    quantity: str
    issued: int
    model: str
    horizons: list[Ahead]


def forecast(body: bytes, network: Network) -> Lines:
    """Forecasts as lines of `forecast`, stamped with their target time; tag `horizon` [s]."""
    return _each(body, Forecast, _horizons, network)


def _horizons(one: Forecast, network: Network) -> list[str] | None:
    place = network.placed(one.node, one.issued)
    if place is None:
        return None
    where = {"node": one.node, "placement": place.placement, "room": place.room, "site": place.site}
    said = f",issued={one.issued}i,model={quoted(one.model)}"
    return [
        f"forecast{tags(quantity=one.quantity, horizon=str(ahead.horizon_s), **where)} "
        f"value={ahead.value!r},lower={ahead.lower!r},upper={ahead.upper!r}{said} {ahead.target}"
        for ahead in one.horizons
        if None not in (ahead.value, ahead.lower, ahead.upper)
    ]


# -- actuators ----------------------------------------------------------------------------------------


class Report(msgspec.Struct, frozen=True):
    """An actuator's state, and when it came [ns UTC]."""

    at: int
    device: str
    site: str
    payload: State


def actuator(body: bytes, network: Network) -> Lines:
    """Reports as lines of `actuator`; `command` is the id of the last one obeyed, `filter_h` in hours."""
    return _each(body, Report, _report, network)


def _report(one: Report, network: Network) -> list[str] | None:
    device = network.actuators.get(one.device)
    if device is None:
        return None
    said = one.payload
    head = tags(actuator=one.device, kind=device.kind, room=device.room, site=one.site)
    hours = "" if said.filter_h is None else f",filter_h={said.filter_h!r}"
    fields = f"level={float(said.level)!r},cause={quoted(said.cause)},command={quoted(said.id or '')}{hours}"
    return [f"actuator{head} {fields} {one.at}"]


# -- reference stations ---------------------------------------------------------------------------------


def reference(body: bytes, network: Network) -> Lines:
    """Reference values as lines of `reference`: the field `q` where there is a value, `q_flag` always."""
    return _each(body, References, _reference, network)


def _reference(one: References, network: Network) -> list[str]:
    station = network.stations.get(one.station)
    kind, name = station.kind if station else "", one.quantity
    head = f"reference{tags(source=one.source, station=one.station, kind=kind)}"
    return [
        f"{head} {'' if value is None else f'{name}={float(value)!r},'}{name}_flag={flag}i {time}"
        for time, value, flag in zip(one.time, one.value, one.flag, strict=False)
    ]


# -- blocks -------------------------------------------------------------------------------------------

S = TypeVar("S", bound=msgspec.Struct)


def _each(
    body: bytes, kind: type[S], say: Callable[[S, Network], list[str] | None], network: Network
) -> Lines:
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Unreadable(f"not a JSON list: {error}") from None
    lines: list[str] = []
    left_out: Counter[str] = Counter()
    for item in items:
        try:
            said = say(msgspec.json.decode(item, type=kind), network)
        except msgspec.DecodeError:
            left_out["malformed"] += 1
            continue
        left_out["unplaced"] += said is None
        left_out["empty"] += said == []
        lines += said or []
    return Lines(lines, +left_out)


def _samples(body: bytes, network: Network) -> Lines:
    return air(unpack(body), network)


OF_KIND: Mapping[str, Callable[[bytes, Network], Lines]] = {
    "readings": _samples,
    "revision": _samples,
    "forecast": forecast,
    "state": actuator,
    "reference": reference,
}
"""How the body of each kind of block becomes lines."""
