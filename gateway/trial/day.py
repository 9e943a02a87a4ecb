"""What a day brings to each room: outdoor air, people, dust, windows and doors; the same for every way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from edge.readings import Array
from gateway.world.people import LESSON, ROUND
from gateway.world.weather import Weather

ZONE = ZoneInfo("Asia/Seoul")
FIRST, LAST = 6 * 60 + 30, 17 * 60
"""Minutes of a school day that are lived step by step; the rest of the time in steps of `CALM` minutes."""
CALM = 10
LESSONS = ((8 * 60 + 40, 12 * 60 + 10), (13 * 60, 14 * 60 + 50))
"""The timetable: what the controller is told."""
TERMS = (((3, 2), (7, 20)), ((8, 24), (12, 31)))
CLEANING = 15
"""Minutes of sweeping after the last lesson."""

Outdoors = Callable[[Array], Array]
"""Outdoor PM2.5 [µg/m³] at times [UTC s]."""


@dataclass(frozen=True, slots=True)
class Day:
    """T steps of N rooms: `start` [UTC s] and length `hours` (T) of each, whether the timetable says that
    people are in (`used`, T), minutes until they come (`arrive`, T; inf: not today); outdoor PM2.5 and
    temperature, people inside, dust as a multiple of quiet sitting, windows and doors 0..1 (T × N), and
    the noise of both nodes in standard deviations (T × N)."""

    start: Array
    hours: Array
    used: Array
    arrive: Array
    outdoor: Array
    temp: Array
    people: Array
    dust: Array
    window: Array
    door: Array
    noise_in: Array
    noise_out: Array


def term_days(year: int) -> list[date]:
    """All days of a school year's terms in one calendar year, weekends included."""
    found = []
    for (month, day), (last_month, last_day) in TERMS:
        first, last = date(year, month, day), date(year, last_month, last_day)
        found += [first + timedelta(number) for number in range((last - first).days + 1)]
    return found


def grid(day: date, step: int) -> tuple[Array, Array]:
    """Starts [local minutes] and lengths [min] of a day's steps."""
    calm = np.arange(0, 1440, CALM)
    if day.weekday() >= 5:
        return calm, np.full(calm.size, CALM)
    busy = np.arange(FIRST, LAST, step)
    start = np.sort(np.concatenate([calm[(calm < FIRST) | (calm >= LAST)], busy]))
    return start, np.diff(np.append(start, 1440))


def lived(
    day: date, step: int, seeds: Sequence[int], outdoors: Sequence[Outdoors], crowd: Array, windows: Array
) -> Day:
    """The day of N rooms; `crowd` (N) people belong to each, `windows` (N) is how readily they air."""
    minute, length = grid(day, step)
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp()
    start = midnight + 60.0 * minute
    rng = [np.random.default_rng([seed, day.toordinal()]) for seed in seeds]
    outdoor = np.stack([air(start) for air in outdoors], axis=1)
    temp = _temperature(start)[:, None] + np.array([one.normal(0, 2.5) for one in rng])
    used, arrive = _timetable(day, minute)
    shape = (minute.size, len(seeds))
    noise = np.stack([one.standard_normal((2, minute.size)) for one in rng], axis=2)
    told = (np.zeros(shape),) * 4
    if day.weekday() < 5:
        told = _doings(minute, rng, outdoor, temp, crowd, windows)
    return Day(start, length / 60.0, used, arrive, outdoor, temp, *told, noise[0], noise[1])


def _temperature(start: Array) -> Array:
    year, hour = 2 * np.pi * (start % (365.25 * 86400)) / (365.25 * 86400), (start / 3600 + 8.5) % 24
    degrees: Array = 12.5 - 14.0 * np.cos(year - 0.35) - 4.0 * np.cos((hour - 3) * np.pi / 12)
    return degrees


def _timetable(day: date, minute: Array) -> tuple[Array, Array]:
    if day.weekday() >= 5:
        return np.zeros(minute.size, bool), np.full(minute.size, np.inf)
    used = np.any([(minute >= first) & (minute < last) for first, last in LESSONS], axis=0)
    until = np.min([np.where(minute < first, first - minute, np.inf) for first, _ in LESSONS], axis=0)
    return used, np.where(used, 0.0, until)


def _doings(
    minute: Array,
    rng: Sequence[np.random.Generator],
    outdoor: Array,
    temp: Array,
    crowd: Array,
    windows: Array,
) -> tuple[Array, Array, Array, Array]:
    """People, dust, windows and doors of a school day (T × N each)."""
    inside = np.max([np.where((minute >= a) & (minute < b), minute - a, -1) for a, b in LESSONS], axis=0)
    lesson = ((inside >= 0) & (inside % ROUND < LESSON))[:, None]
    pause = ((inside >= 0) & (inside % ROUND >= LESSON))[:, None]
    end = LESSONS[-1][1]
    sweep = ((minute >= end) & (minute < end + CLEANING))[:, None]
    around = (~(lesson | pause | sweep)[:, 0] & (minute >= LESSONS[0][0] - 10) & (minute < end))[:, None]
    present = crowd * np.array([0.86 + 0.14 * one.random() for one in rng])
    hour, tenth = minute // 60, minute // 10
    mood = np.stack([one.random(24)[hour] for one in rng], axis=1)
    vigour = np.stack([0.6 + 0.8 * one.random(144)[tenth] for one in rng], axis=1)
    brief = np.stack([one.random(24)[hour] for one in rng], axis=1) < 0.5
    likely = windows * np.clip((temp - 8) / 16, 0.04, 0.6) * np.where((outdoor > 40) | (temp > 29), 0.1, 1.0)
    people = present * (lesson * 1.0 + pause * 0.6 + sweep * 0.25 + around * 0.3)
    dust = vigour * (lesson * 1.0 + pause * 4.0 + sweep * 16.0 + around * 4.0)
    airing = (lesson | pause) * (mood < likely) + pause * brief * (outdoor < 50) * windows * 0.35
    return people, dust, np.minimum(airing, 1.0) + 0.3 * sweep * windows, (pause | sweep) * 1.0


def generated(seed: int, year: int) -> Outdoors:
    """Outdoor air of a calendar year and the next out of the virtual school's weather."""
    start = datetime(year, 1, 1, tzinfo=ZONE).timestamp()
    weather, hours = Weather(seed, start), np.arange(0, 2 * 367 * 24)
    values = np.array([weather.at(start + 3600.0 * hour).pm25 for hour in hours])
    return _between(start + 3600.0 * hours, values, seed)


def recorded(time: Array, values: Array, seed: int, shift_days: int = 0) -> Outdoors:
    """Recorded outdoor air [µg/m³] at `time` [UTC s], as it would be at a school of its own some days
    later."""
    known = np.isfinite(values)
    return _between(time[known] + 86400.0 * shift_days, values[known], seed)


def _between(time: Array, values: Array, seed: int) -> Outdoors:
    rng = np.random.default_rng([seed, 77])
    share, phase = float(np.exp(rng.normal(0, 0.12))), rng.uniform(0, 6.3, 2)

    def air(at: Array) -> Array:
        ripple = 0.08 * np.sin(at / 900 + phase[0]) + 0.05 * np.sin(at / 260 + phase[1])
        found: Array = share * np.exp(ripple) * np.maximum(np.interp(at, time, values), 1.0)
        return found

    return air
