"""What a source says, one value at a time, and the same as an exchange table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from edge.readings import Array, Flag
from gateway.table import Table, Words, ordered

REFERENCE = ("pm1", "pm25", "pm10")
"""Quantities that nodes measure too: a table calls a reference monitor's `ref_pm25` and so on."""

UNITS: Mapping[str, str] = {
    "pm1": "µg/m³",
    "pm25": "µg/m³",
    "pm10": "µg/m³",
    "so2": "ppm",
    "co": "ppm",
    "o3": "ppm",
    "no2": "ppm",
    "khai": "index",
    "pm25_grade": "1 to 4",
    "pm10_grade": "1 to 4",
    "pm25_forecast": "grade, 1 to 4",
    "pm10_forecast": "grade, 1 to 4",
    "o3_forecast": "grade, 1 to 4",
    "pm25_alert": "1 주의보, 2 경보",
    "pm10_alert": "1 주의보, 2 경보",
    "temp": "°C",
    "rh": "%",
    "wind_speed": "m/s",
    "wind_dir": "°",
    "rain": "mm",
    "rain_chance": "%",
    "pressure": "hPa",
    "sky": "1 clear, 3 cloudy, 4 overcast",
    "rain_kind": "0 none, 1 rain, 2 sleet, 3 snow, 4 shower, 5 drops, 6 drops and flurries, 7 flurries",
    "vehicles": "1/h",
    "trains_1": "1/h, direction 1 (up, inner)",
    "trains_2": "1/h, direction 2 (down, outer)",
}
"""Every quantity that a source can give, with the unit in which Gongi keeps it."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A station's value of one quantity; `time` [ns UTC]: an hour's mean has that of its beginning, what is
    seen at an instant that instant's; NaN where missing; `flag` is QARTOD's."""

    station: str
    time: int
    quantity: str
    value: float
    flag: int = Flag.GOOD


def number(word: object) -> float:
    """A source's number, NaN where it says none (`-`, empty, null)."""
    try:
        value = float(word) if isinstance(word, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")
    return value if isfinite(value) else float("nan")


def observed(station: str, time: int, quantity: str, value: float, bad: bool = False) -> Observed:
    """A value with its flag: missing, failed by the source's own word, or good."""
    missing = not isfinite(value)
    return Observed(station, time, quantity, value, Flag.MISSING if missing else 4 if bad else Flag.GOOD)


def column(quantity: str) -> str:
    """The name of a quantity's column in an exchange table."""
    return f"ref_{quantity}" if quantity in REFERENCE else quantity


def table(values: Iterable[Observed], name: str = "reference") -> Table:
    """The values as an exchange table by station and time, each quantity with a `_flag` column; of values of
    one station, time and quantity the last counts."""
    kept = {(one.station, one.time, one.quantity): one for one in values}
    rows = {key: row for row, key in enumerate(sorted({key[:2] for key in kept}))}
    stations = tuple(sorted({station for station, _ in rows}))
    code = {station: number for number, station in enumerate(stations)}
    numbers = _columns(list(kept.values()), rows)
    words = {"station": Words(stations, np.array([code[s] for s, _ in rows], np.int32))}
    return ordered(Table(name, np.array([time for _, time in rows], np.int64), words, numbers))


def _columns(values: Sequence[Observed], rows: Mapping[tuple[str, int], int]) -> dict[str, Array]:
    numbers: dict[str, Array] = {}
    for quantity in sorted({one.quantity for one in values}):
        value, flag = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        for one in (one for one in values if one.quantity == quantity):
            row = rows[one.station, one.time]
            value[row], flag[row] = one.value, one.flag
        numbers |= {column(quantity): value, f"{column(quantity)}_flag": flag}
    return numbers


def of_table(read: Table) -> list[Observed]:
    """The values of an exchange table; a quantity's flags stand in its `_flag` column, else every value that
    is there is good."""
    stations = [read.device.names[code] for code in read.device.code.tolist()]
    found: list[Observed] = []
    for name, values in read.numbers.items():
        if name.endswith("_flag") and name.removesuffix("_flag") in read.numbers:
            continue
        flags = read.numbers.get(f"{name}_flag", np.where(np.isnan(values), Flag.MISSING, Flag.GOOD))
        known = np.isfinite(flags)
        quantity = name.removeprefix("ref_") if name.removeprefix("ref_") in REFERENCE else name
        for row in np.flatnonzero(known).tolist():
            flag = int(flags[row])
            found.append(Observed(stations[row], int(read.time[row]), quantity, float(values[row]), flag))
    return found
