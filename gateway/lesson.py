"""Exchange tables as what a predictor learns from and is judged on: series by device, cut in time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files

import holidays
import numpy as np

from edge.predict.series import HOUR_S, MINUTE_S, NEIGHBOURS, OUTDOOR, Series, gridded
from edge.problem import Problem
from edge.readings import SECOND, Array
from gateway.table import Table

DAY = 86400 * SECOND
TAUGHT = 0.8
"""The part of a table that teaches; the rest judges."""


class NothingToLearn(Problem):
    """There isn't enough to train a model from."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """The series of some tables, and the cell of each where the time held out begins."""

    series: tuple[Series, ...]
    cuts: tuple[int, ...]


def unit_of(horizons: Sequence[int]) -> int:
    """The cell that suits horizons [s]: an hour where all are hours, else a minute."""
    return HOUR_S if min(horizons) >= HOUR_S else MINUTE_S


def grounds(
    tables: Sequence[Table], quantity: str, unit_s: int, tz: str, by_rows: bool = False, whole: bool = False
) -> Grounds:
    """All series of the tables; a table is cut after 80 % of its time span, `by_rows` of its rows, or not at
    all (`whole`). Raises `NothingToLearn` where a table lacks the quantity."""
    series: list[Series] = []
    cuts: list[int] = []
    for table in tables:
        found = _series(table, quantity, unit_s, tz)
        cut = _end(found) if whole else _cut(found, quantity, by_rows)
        series += found
        cuts += [cut] * len(found)
    return Grounds(tuple(series), tuple(cuts))


def _end(found: Sequence[Series]) -> int:
    return max((one.start + one.size for one in found), default=0)


def _cut(found: Sequence[Series], quantity: str, by_rows: bool) -> int:
    time = np.sort(np.concatenate([one.start + one.places(quantity) for one in found] or [np.zeros(0)]))
    if not time.size:
        return 0
    if by_rows:
        return int(time[int(TAUGHT * time.size)])
    return int(np.ceil(time[0] + TAUGHT * (time[-1] - time[0])))


def _series(table: Table, quantity: str, unit_s: int, tz: str) -> list[Series]:
    if quantity not in table.numbers:
        columns = ", ".join(table.numbers)
        raise NothingToLearn(f"no column {quantity}", table.name, f"its columns are {columns}")
    free = free_days(
        tz, int(table.time.min()) if len(table) else 0, int(table.time.max()) if len(table) else 0
    )
    found = []
    for code, name in enumerate(table.device.names):
        rows = np.flatnonzero((table.device.code == code) & np.isfinite(table.numbers[quantity]))
        if rows.size:
            found.append(_one(table, np.flatnonzero(table.device.code == code), name, unit_s, tz, free))
    rooms = [one for one, row in found if _word(table, "placement", row) != "outdoor"]
    outdoors = [one for one, row in found if _word(table, "placement", row) == "outdoor"]
    if outdoors and rooms:
        return [_beside(one, outdoors, quantity, OUTDOOR) for one in rooms]
    every = rooms or outdoors
    if len(every) < 2 or unit_s < HOUR_S:
        return every
    return [_beside(one, [o for o in every if o is not one], quantity, NEIGHBOURS) for one in every]


def _one(
    table: Table, rows: Array, name: str, unit_s: int, tz: str, free: frozenset[date]
) -> tuple[Series, int]:
    time = table.time[rows]
    start = int(time.min()) // (unit_s * SECOND)
    size = int(time.max()) // (unit_s * SECOND) - start + 1
    columns = {
        column: gridded(time, values[rows], unit_s, start, size) for column, values in table.numbers.items()
    }
    return Series(name, tz, unit_s, start, columns, free), int(rows[0])


def _beside(one: Series, others: Sequence[Series], quantity: str, column: str) -> Series:
    """The series with the others' mean as one more column."""
    total, count = np.zeros(one.size), np.zeros(one.size)
    for other in others:
        place = np.arange(one.size) + one.start - other.start
        inside = np.flatnonzero((place >= 0) & (place < other.size))
        value = other.columns[quantity][place[inside]]
        known = np.isfinite(value)
        total[inside[known]] += value[known]
        count[inside[known]] += 1
    mean = np.divide(total, count, out=np.full(one.size, np.nan), where=count > 0)
    return replace(one, columns={**one.columns, column: mean})


def _word(table: Table, column: str, row: int) -> str:
    words = table.words.get(column)
    return words.names[words.code[row]] if words else ""


def free_days(tz: str, first: int, last: int) -> frozenset[date]:
    """The public holidays of a time zone's country between two times [ns]; none where it has no calendar."""
    years = range(
        *(datetime.fromtimestamp(time / 1e9, UTC).year + more for time, more in ((first, 0), (last, 2)))
    )
    country = _countries().get(tz, "")
    try:
        return frozenset(holidays.country_holidays(country, years=years)) if country else frozenset()
    except NotImplementedError:
        return frozenset()


@cache
def _countries() -> dict[str, str]:
    text = files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and line[0] != "#")
    return {row[2]: row[0] for row in rows}
