"""Indices of a table's or the history's places: hours by the 75 % rule, our indices and those of plug-ins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

import numpy as np

from edge.index import INDICES, Hours, Index
from edge.mean import means
from edge.problem import Problem
from edge.readings import SECOND, Array
from gateway.table import HOUR, Table, Words, usual_step

GROUP = "gongi.index"
"""Entry points of this group name an `edge.index.Index`; docs: examples/extend/README.md."""


class NoIndex(Problem):
    """An index is unknown, or a plug-in doesn't hold one."""


@dataclass(frozen=True, slots=True)
class Course:
    """An index of one place hour by hour: `time` [ns UTC, each hour's end], `value` and `band` (NaN where
    they can't be said)."""

    place: str
    index: Index
    time: Array
    value: Array
    band: Array


def indices() -> dict[str, Index]:
    """Our indices and those that installed packages bring; raises `NoIndex` for a bad plug-in."""
    found = dict(INDICES)
    for entry in entry_points(group=GROUP):
        index = entry.load()
        if not isinstance(index, Index):
            raise NoIndex(f"{entry.value} is no edge.index.Index", f"entry point {entry.name}")
        if index.id in found:
            raise NoIndex(f'"{index.id}" is the name of two indices', f"entry point {entry.name}")
        found[index.id] = index
    return found


def wanted(names: tuple[str, ...]) -> list[Index]:
    """The indices of these names, all without any; raises `NoIndex`."""
    known = indices()
    for name in names:
        if name not in known:
            raise NoIndex(f'there is no index "{name}"', "--index", f"one of {', '.join(known)}")
    return [known[name] for name in names or known]


def courses(table: Table, chosen: list[Index]) -> Iterator[Course]:
    """Each index of which a device's values say anything, device by device."""
    for code, name in enumerate(table.device.names):
        hours = hourly(table.take(np.flatnonzero(table.device.code == code)))
        for index in chosen:
            value = index.of(hours)
            if np.isfinite(value).any():
                yield Course(name, index, hours.time, value, index.band(value))


def hourly(table: Table) -> Hours:
    """One device's hours, from its first to its last, each mean by the 75 % rule."""
    known = {name: cells for name, cells in table.numbers.items() if np.isfinite(cells).any()}
    found = {name: means(table.time, cells, HOUR, _step(table.time, cells)) for name, cells in known.items()}
    if not found:
        return Hours(np.zeros(0, np.int64), {})
    first, last = int(table.time.min()) // HOUR, int(table.time.max()) // HOUR
    time = np.arange(first, last + 1) * HOUR
    return Hours(time + HOUR, {name: _spread(time, *one) for name, one in found.items()})


def _step(time: Array, cells: Array) -> int:
    return usual_step(time[np.isfinite(cells)], 60 * SECOND)


def _spread(time: Array, starts: Array, mean: Array) -> Array:
    whole = np.full(time.size, np.nan)
    whole[np.searchsorted(time, starts)] = mean
    return whole


def table_of(found: Sequence[Course]) -> Table:
    """The courses as a table: a row an hour and place, a column an index."""
    by_place: dict[str, dict[str, Course]] = {}
    for one in found:
        by_place.setdefault(one.place, {})[one.index.id] = one
    times = [next(iter(own.values())).time for own in by_place.values()]
    names = dict.fromkeys(one.index.id for one in found)
    numbers = {name: _joined([own.get(name) for own in by_place.values()], times) for name in names}
    code = np.repeat(np.arange(len(times), dtype=np.int32), [time.size for time in times])
    return Table("index", np.concatenate(times), {"node": Words(tuple(by_place), code)}, numbers)


def _joined(own: Sequence[Course | None], times: Sequence[Array]) -> Array:
    parts = (
        np.full(time.size, np.nan) if one is None else one.value for one, time in zip(own, times, strict=True)
    )
    return np.concatenate(list(parts))


def summary(course: Course) -> Mapping[str, object]:
    """What there is to say of a course: its newest and worst hour, hours known, and hours by band."""
    there, sign = np.flatnonzero(np.isfinite(course.value)), 1 if course.index.rising else -1
    bands = [int((course.band == place).sum()) for place in range(len(course.index.bands))]
    return {
        "place": course.place,
        "index": course.index.id,
        "unit": course.index.unit,
        "experimental": course.index.experimental,
        "source": course.index.source,
        "hours": int(there.size),
        "of": int(course.time.size),
        "newest": _hour(course, there[-1]) if there.size else None,
        "worst": _hour(course, there[np.argmax(course.value[there] * sign)]) if there.size else None,
        "bands": {band.word: count for band, count in zip(course.index.bands, bands, strict=True)},
    }


def _hour(course: Course, place: int) -> dict[str, object]:
    word = course.index.bands[int(course.band[place])].word
    at = str(np.datetime64(int(course.time[place]), "ns").astype("datetime64[s]")) + "Z"
    return {"time": at, "value": round(float(course.value[place]), 2), "band": word}
