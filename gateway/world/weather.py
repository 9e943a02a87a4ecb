"""Outdoor air: a seeded generator with weather-like episodes, or a recorded table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gateway.world.air import Air, Floats, saturation

GRID = 600
"""Seconds between two points of the generated series."""
CHUNK = 30 * 86400 // GRID
YEAR = 365.25 * 86400.0
SOLAR = 8.5 * 3600
"""Seconds that Korea's solar time is ahead of UTC."""
COLUMNS = ("pm1", "pm25", "pm10", "co2", "temp", "rh")
LEAST = {"temp": -273.15}
"""The least true value, where it isn't 0: a recorded sensor may say less."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of weather: where PM2.5 and coarse dust (PM10 − PM2.5) tend to [µg/m³], mean length [h]."""

    pm25: float
    coarse: float
    hours: float
    chances: tuple[float, ...]
    """Which regime follows: clean, plain, haze, yellow dust."""


REGIMES = (
    Regime(13.0, 12.0, 30.0, (0.0, 0.9, 0.05, 0.05)),
    Regime(27.0, 20.0, 48.0, (0.45, 0.0, 0.45, 0.10)),
    Regime(88.0, 32.0, 30.0, (0.35, 0.60, 0.0, 0.05)),
    Regime(48.0, 320.0, 14.0, (0.50, 0.45, 0.05, 0.0)),
)


@dataclass(frozen=True, slots=True)
class Episode:
    """A dirty spell of our own making: from `since` [UTC s], rising for `ramp` [h], `hours` long, at least
    these values [µg/m³]."""

    since: float
    hours: float
    pm25: float
    pm10: float
    ramp: float = 0.5

    def strength(self, time: float) -> float:
        """0..1 at `time` [UTC s]."""
        into = (time - self.since) / 3600
        return float(min(max(min(into, self.hours - into) / self.ramp, 0.0), 1.0))


@dataclass(slots=True)
class Weather:
    """Outdoor air from `start` [UTC s] on, the same for the same seed."""

    seed: int
    start: float
    _series: dict[str, Floats] = field(default_factory=dict)
    _random: np.random.Generator = field(init=False)
    _regime: int = 1
    _left: float = 24.0
    _slow: Floats = field(default_factory=lambda: np.log([27.0, 20.0]))
    _fast: Floats = field(default_factory=lambda: np.zeros(6))

    def __post_init__(self) -> None:
        self._random = np.random.default_rng([self.seed, 7])
        self._series = {name: np.empty(0) for name in COLUMNS}

    def at(self, time: float) -> Air:
        """The regional air at `time` [UTC s], not before the start."""
        place = max((time - self.start) / GRID, 0.0)
        while place + 1 >= len(self._series["pm25"]):
            self._extend()
        values = {name: _between(series, place) for name, series in self._series.items()}
        return Air(**values)

    def _extend(self) -> None:
        begun = self.start + GRID * len(self._series["pm25"])
        rows = np.array([self._row(begun + GRID * step) for step in range(CHUNK)])
        for name, column in zip(COLUMNS, rows.T, strict=True):
            self._series[name] = np.concatenate([self._series[name], column])

    def _row(self, time: float) -> tuple[float, ...]:
        self._turn(GRID / 3600)
        regime = REGIMES[self._regime]
        noise = self._random.standard_normal(8)
        pull = GRID / 3600 / 6.0
        self._slow += pull * (np.log([regime.pm25, regime.coarse]) - self._slow) + 0.05 * noise[:2]
        memory = np.array([0.85, 0.85, 0.995, 0.99, 0.9, 0.97])
        self._fast = memory * self._fast + np.sqrt(1 - memory**2) * noise[2:]
        return _air(time, self._slow, self._fast)

    def _turn(self, hours: float) -> None:
        self._left -= hours
        if self._left <= 0:
            self._regime = int(self._random.choice(len(REGIMES), p=REGIMES[self._regime].chances))
            self._left = float(self._random.gamma(2.0, REGIMES[self._regime].hours / 2))


@dataclass(slots=True)
class Recorded:
    """Outdoor air as a table has it, between its rows by straight lines; ended, it begins again.

    `time` (n,) [UTC s, growing], `columns` {pm25, pm10, pm1, temp, rh, co2: (n,)}, NaN where missing; what a
    table lacks comes from `rest` (temperature, humidity) or stands in the usual proportion (pm1, pm10).
    `start` is the simulated UTC second at which its first row stands.
    """

    time: Floats
    columns: Mapping[str, Floats]
    start: float
    rest: Weather
    _known: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            finite = np.isfinite(column)
            if name in COLUMNS and finite.any():
                self._known[name] = self.time[finite], column[finite]

    def at(self, time: float) -> Air:
        """The air at `time` [simulated UTC s]; before the start that of the first row."""
        length = float(self.time[-1] - self.time[0])
        place = float(self.time[0]) + (max(time - self.start, 0.0) % length if length else 0.0)
        other = self.rest.at(time)
        pm25 = self._value("pm25", place, other.pm25)
        pm10 = self._value("pm10", place, 1.6 * pm25)
        pm1 = self._value("pm1", place, 0.68 * pm25)
        rest = {name: self._value(name, place, getattr(other, name)) for name in ("co2", "temp", "rh")}
        return Air(min(pm1, pm25), pm25, max(pm10, pm25), **rest)

    def _value(self, name: str, place: float, otherwise: float) -> float:
        known = self._known.get(name)
        return max(float(np.interp(place, *known)), LEAST.get(name, 0.0)) if known else otherwise


def _between(series: Floats, place: float) -> float:
    whole = int(place)
    part = place - whole
    return float(series[whole] * (1 - part) + series[whole + 1] * part)


def overlaid(air: Air, episodes: tuple[Episode, ...], time: float) -> Air:
    """`air` with the dirt of the episodes that are on at `time` [UTC s]."""
    for episode in episodes:
        strength = episode.strength(time)
        if strength > 0:
            pm25 = air.pm25 + strength * max(episode.pm25 - air.pm25, 0.0)
            pm10 = max(air.pm10 + strength * max(episode.pm10 - air.pm10, 0.0), pm25)
            pm1 = air.pm1 + 0.68 * (pm25 - air.pm25)
            air = Air(pm1, pm25, pm10, air.co2, air.temp, air.rh)
    return air


def _air(time: float, slow: Floats, fast: Floats) -> tuple[float, ...]:
    hour = (time + SOLAR) / 3600 % 24
    year = 2 * np.pi * (time % YEAR) / YEAR
    rush = 0.16 * np.cos((hour - 8.5) * np.pi / 6) + 0.10 * np.cos((hour - 23) * np.pi / 12)
    season = 0.22 * np.cos(year - 0.6)
    pm25 = float(np.exp(slow[0] + rush + season + 0.07 * fast[0]))
    coarse = float(np.exp(slow[1] + rush + season + 0.12 * fast[1]))
    mild = 12.5 - 14.0 * np.cos(year - 0.35)
    temp = mild + 3.5 * fast[2] - 4.0 * np.cos((hour - 3) * np.pi / 12) + 0.2 * fast[4]
    dew = mild + 3.0 * fast[2] - 6.0 - 2.0 * np.cos(year) + 3.0 * fast[3]
    rh = float(np.clip(100 * saturation(dew) / saturation(temp), 12.0, 98.0))
    co2 = 428 + 9 * np.cos((hour - 4) * np.pi / 12) + 0.25 * pm25 + 3 * fast[5]
    pm1 = float(0.66 + 0.03 * np.tanh(slow[0] - 3.3)) * pm25
    return pm1, pm25, pm25 + coarse, float(co2), float(temp), rh
