"""Reference values in the journal: blocks of their own kind, a later one is a revision of the earlier."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from gateway.block import Draft
from gateway.journal import Journal
from gateway.reference.observed import Observed, table
from gateway.table import Table

KIND = "reference"
MOST = 20_000
"""Values in one block."""


class Series(msgspec.Struct, frozen=True):
    """A station's values of one quantity in a block; `time` [ns UTC]; its lists have one length, but for
    `gone`: times at which the source took a value back, whose other quantities the block says again."""

    source: str
    station: str
    quantity: str
    time: list[int]
    value: list[float | None]
    flag: list[int]
    gone: list[int] = []


def references(journal: Journal, start: int, end: int, stations: Collection[str] | None = None) -> Table:
    """The reference values with time in [start, end) [ns UTC] of those stations (None: all), each in its
    newest revision, as an exchange table: `station`, `time`, `ref_pm25`, `ref_pm25_flag`, `temp` and so on;
    an hour's mean has the time of its beginning."""
    return table(_newest(journal, start, end, stations).values())


def drafts(journal: Journal, source: str, values: Iterable[Observed]) -> list[Draft]:
    """Blocks of what is new or differs from what is stored, none where nothing does; what a source no longer
    gives stays as it is, what it takes back has a block of its own."""
    said = {_key(one): one for one in values}
    if not said:
        return []
    times = [one.time for one in said.values()]
    stored = _newest(journal, min(times), max(times) + 1, {one.station for one in said.values()})
    fresh = {key: one for key, one in said.items() if not _same(one, stored.get(key))}
    valued = {key for key, one in stored.items() if not _missing(one)}
    gone = {key[:2] for key, one in fresh.items() if _missing(one) and key in valued}
    # Where a point is deleted in InfluxDB, all of its quantities go: they are said again.
    again = [one for key, one in {**stored, **said}.items() if key[:2] in gone]
    rest = [one for key, one in fresh.items() if key[:2] not in gone]
    drafts = [_draft(source, rest[low : low + MOST]) for low in range(0, len(rest), MOST)]
    return [*drafts, _draft(source, again, gone=True)] if again else drafts


def count(body: bytes) -> int:
    """How many values a block has."""
    return sum(len(one.time) for one in unpack(body))


def unpack(body: bytes) -> list[Series]:
    """A block's series. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(body, type=list[Series])


Key = tuple[str, int, str]


def _key(one: Observed) -> Key:
    return one.station, one.time, one.quantity


def _same(one: Observed, other: Observed | None) -> bool:
    if other is None or one.flag != other.flag:
        return False
    return one.value == other.value or (_missing(one) and _missing(other))


def _missing(one: Observed) -> bool:
    return one.value != one.value


def _newest(
    journal: Journal, start: int, end: int, stations: Collection[str] | None
) -> Mapping[Key, Observed]:
    found: dict[Key, Observed] = {}
    for body in journal.references(start, end):
        for series in unpack(body):
            if stations is None or series.station in stations:
                found |= {_key(one): one for one in _values(series) if start <= one.time < end}
    return found


def _values(series: Series) -> Iterable[Observed]:
    for time, value, flag in zip(series.time, series.value, series.flag, strict=True):
        number = float("nan") if value is None else value
        yield Observed(series.station, time, series.quantity, number, flag)


def _draft(source: str, values: Sequence[Observed], gone: bool = False) -> Draft:
    ordered = sorted(values, key=lambda one: (one.station, one.quantity, one.time))
    held = [
        _series(source, station, quantity, list(group), gone)
        for (station, quantity), group in groupby(ordered, key=lambda one: (one.station, one.quantity))
    ]
    times = [one.time for one in values]
    return Draft(KIND, msgspec.json.encode(held), source.encode(), min(times), max(times))


def _series(source: str, station: str, quantity: str, values: Sequence[Observed], gone: bool) -> Series:
    numbers = [None if _missing(one) else one.value for one in values]
    times, flags = [one.time for one in values], [int(one.flag) for one in values]
    return Series(source, station, quantity, times, numbers, flags, times if gone else [])
