"""How fast an actuator may change: minimum run, minimum rest, no hunting between levels."""

from dataclasses import dataclass

import numpy as np

from edge.readings import SECOND, Array

_HOUR = 3600 * SECOND

PACES = ("", "run", "rest", "hold", "switches")
"""Why a level isn't allowed now, by the codes of `permits`."""


@dataclass(frozen=True, slots=True)
class Running:
    """What an actuator reports: its level (None: never heard) and cause; when [ns] it was last switched on or
    off, when its level last changed, and all changes within the last hour."""

    level: int | None = None
    cause: str = ""
    switched: int = 0
    changed: int = 0
    recent: tuple[int, ...] = ()


def reported(running: Running, level: int, cause: str, now: int) -> Running:
    """The record after a state message at `now` [ns]."""
    recent = tuple(time for time in running.recent if time > now - _HOUR)
    if level == running.level:
        return Running(level, cause, running.switched, running.changed, recent)
    if running.level is None:
        return Running(level, cause, 0, now if cause == "button" else 0, ())
    switched = now if bool(level) != bool(running.level) else running.switched
    return Running(level, cause, switched, now, (*recent, now))


def recently(running: Running, now: int) -> int:
    """How often its level changed within the hour before `now` [ns]."""
    return sum(time > now - _HOUR for time in running.recent)


def permits(level: Array, switched: Array, changed: Array, recent: Array, least: Array, levels: int) -> Array:
    """The code of `PACES` for each of n actuators and each of `levels` (n × levels), 0 where it is allowed.

    `level` now; seconds since it was `switched` on or off and since its level `changed`; changes within the
    hour; `least` (4 × n): minimum run, minimum rest, hold before a lower level [s], most changes an hour. A
    start and a stop have their minimum times, a running level may rise at once: the last two of the hour's
    changes are kept for that.
    """
    wanted, level = np.arange(levels), level[:, None]
    run, rest, hold, most = least[:, :, None]
    spent = recent[:, None] >= np.where(wanted < level, most - 2, most)
    codes = np.where((wanted != level) & spent, 4, 0)
    codes = np.where((wanted < level) & (changed[:, None] < hold), 3, codes)
    codes = np.where((wanted > 0) & (level == 0) & (switched[:, None] < rest), 2, codes)
    stopped: Array = np.where((wanted == 0) & (level > 0) & (switched[:, None] < run), 1, codes)
    return stopped
