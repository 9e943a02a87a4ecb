"""What people do in a room: lessons, breaks, cleaning, windows and doors, by timetable and a seeded mood."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from edge.network import Room, Site
from gateway.world.air import Air

LESSON, ROUND = 40, 50
"""Minutes of a lesson, and of a lesson with its break."""
CLEANING = 15
"""Minutes of sweeping after the day's last lesson."""


@dataclass(frozen=True, slots=True)
class Activity:
    """People inside, dust they raise as a multiple of quiet sitting, door and window (0 shut .. 1 open)."""

    people: float = 0.0
    dust: float = 0.0
    door: float = 0.0
    window: float = 0.0


EMPTY = Activity()


def mood(seed: int, *words: object) -> float:
    """A number in [0, 1) that belongs to these words for ever."""
    text = repr((seed, *words)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def activity(seed: int, site: Site, room: Room, moment: datetime, outdoors: Air) -> Activity:
    """What goes on in `room` at `moment` (aware); windows follow the weather and the teacher's mood."""
    local = moment.astimezone(site.zone)
    if not site.school_day(local.date()):
        return EMPTY
    minute = local.hour * 60 + local.minute
    spans = [(start, end) for day, start, end in room.timetable.weekly if day == local.weekday()]
    present = room.occupants * (0.86 + 0.14 * mood(seed, site.id, room.id, local.date()))
    inside = next((minute - start for start, end in spans if start <= minute < end), None)
    if inside is None:
        return _after(present, minute, spans)
    vigour = 0.6 + 0.8 * mood(seed, site.id, room.id, local.date(), minute // 10)
    window = float(mood(seed, site.id, room.id, local.date(), local.hour) < _airing(outdoors))
    if inside % ROUND < LESSON:
        return Activity(present, vigour, 0.0, window)
    brief = float(mood(seed, "break", room.id, local.date(), inside // ROUND) < 0.5 * (outdoors.pm25 < 50))
    return Activity(present * 0.6, 4.0 * vigour, 1.0, max(window, 0.35 * brief))


def _after(present: float, minute: int, spans: list[tuple[int, int]]) -> Activity:
    last = max((end for _, end in spans), default=-CLEANING)
    if last <= minute < last + CLEANING:
        return Activity(present * 0.25, 16.0, 1.0, 0.3)
    around = any(end <= minute < end + 10 or start - 10 <= minute < start for start, end in spans)
    return Activity(present * 0.4, 4.0, 1.0, 0.0) if around else EMPTY


def _airing(outdoors: Air) -> float:
    """How likely a window is open, by what is outside."""
    warm = min(max((outdoors.temp - 8) / 16, 0.04), 0.6)
    return warm * (0.1 if outdoors.pm25 > 40 or outdoors.temp > 29 else 1.0)
