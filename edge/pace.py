"""How fast an actuator may change: minimum run, minimum rest, no hunting between levels."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.readings import SECOND

_HOUR = 3600 * SECOND


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


def settle(
    wanted: int, running: Running, now: int, min_run_s: int, min_off_s: int, hold_s: int, max_switches: int
) -> tuple[int, str, Mapping[str, float]]:
    """The level allowed at `now` [ns], and if it isn't `wanted` the reason's key and details: a start and a
    stop have their minimum times, a running level may rise at once but waits `hold_s` before it goes down."""
    level = running.level
    if level is None or wanted == level:
        return wanted, "", {}
    pace = (
        ("run", wanted == 0, running.switched, min_run_s),
        ("rest", level == 0, running.switched, min_off_s),
        ("hold", wanted < level, running.changed, hold_s),
    )
    for key, concerns, since, least in pace:
        if concerns and since and now - since < least * SECOND:
            return level, key, {"minutes": least // 60}
    recent = sum(time > now - _HOUR for time in running.recent)
    if recent >= max_switches:
        return level, "switches", {"count": recent}
    return wanted, "", {}
