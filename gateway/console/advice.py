"""What to do now: one sentence, the first row of a table that fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.index.korea import UNHEALTHY
from gateway.console.answers import Advice, GradeId, OutlookNow, RoomNow, Step
from gateway.console.grade import GRADES
from gateway.words import N_, Words

RANKS = {grade.id: place for place, grade in enumerate(GRADES)}


@dataclass(frozen=True, slots=True)
class Situation:
    """What the advice looks at: the worst graded room, the room with the most carbon dioxide, the one that is
    about to pass its PM2.5 limit, and the outdoor grade's rank (None: not known)."""

    worst: RoomNow | None
    stuffy: RoomNow | None
    rising: tuple[RoomNow, Step] | None
    outdoors: int | None

    @property
    def bad_inside(self) -> bool:
        return self.worst is not None and RANKS[self.worst.grade or "good"] >= UNHEALTHY

    @property
    def bad_outside(self) -> bool:
        return self.outdoors is not None and self.outdoors >= UNHEALTHY


@dataclass(frozen=True, slots=True)
class Row:
    """An advice: when it fits, its title and its sentence."""

    id: str
    fits: Callable[[Situation], bool]
    title: str
    text: str


TABLE = (
    Row(
        "blind",
        lambda s: s.worst is None,
        N_("No room has a value that can be trusted now"),
        N_("Check the power and the network of the monitors."),
    ),
    Row(
        "shut",
        lambda s: s.bad_inside and s.bad_outside,
        N_("{room}: {word}, and outdoors too"),
        N_("Keep the windows shut, keep the air purifier on, and hold outdoor lessons indoors."),
    ),
    Row(
        "air",
        lambda s: s.bad_inside and s.outdoors is not None,
        N_("{room}: {word}"),
        N_("Open the windows of {room} for ten minutes and keep the air purifier on."),
    ),
    Row(
        "purify",
        lambda s: s.bad_inside,
        N_("{room}: {word}"),
        N_("Keep the air purifier of {room} on. The outdoor air is not known: see AirKorea before airing."),
    ),
    Row(
        "rising",
        lambda s: s.rising is not None,
        N_("{rising}: rising to {value} µg/m³ in {minutes} min"),
        N_("Leave the air purifier of {rising} on now, before the limit is passed."),
    ),
    Row(
        "indoors",
        lambda s: s.bad_outside,
        N_("The rooms are fine, outdoors it is bad"),
        N_("Keep the windows shut and hold outdoor lessons indoors."),
    ),
    Row(
        "ventilate",
        lambda s: s.stuffy is not None,
        N_("{stuffy}: the air is stuffy"),
        N_("Open the windows of {stuffy} for ten minutes."),
    ),
    Row(
        "fine",
        lambda s: True,
        N_("Every measured room is fine"),
        N_("Lessons can go on as usual."),
    ),
)


def advise(rooms: Sequence[RoomNow], outdoor: RoomNow | None, words: Words) -> Advice:
    """The advice for a site whose rooms stand worst first."""
    seen = situation(rooms, outdoor)
    row = next(row for row in TABLE if row.fits(seen))
    values = _values(seen)
    title, text = words.gettext(row.title, **values), words.gettext(row.text, **values)
    return Advice(id=row.id, grade=_tone(seen), title=title, text=text)


def situation(rooms: Sequence[RoomNow], outdoor: RoomNow | None) -> Situation:
    """What matters of rooms that stand worst first."""
    stuffy = [room for room in rooms if (cell := room.values.get("co2")) and cell.beyond == "high"]
    rising = ((room, step) for room in rooms if (step := _passing(room.outlook, room)))
    return Situation(
        worst=next((room for room in rooms if room.grade), None),
        stuffy=max(stuffy, key=lambda room: room.values["co2"].value or 0.0, default=None),
        rising=next(rising, None),
        outdoors=RANKS[outdoor.grade] if outdoor and outdoor.grade else None,
    )


def _passing(outlook: OutlookNow | None, room: RoomNow) -> Step | None:
    if outlook is None or outlook.quantity not in room.limits:
        return None
    high = room.limits[outlook.quantity][1]
    return next((step for step in outlook.steps if high is not None and step.value > high), None)


def _values(seen: Situation) -> dict[str, object]:
    room, step = seen.rising or (None, None)
    return {
        "room": seen.worst.name if seen.worst else "",
        "word": seen.worst.word if seen.worst else "",
        "stuffy": seen.stuffy.name if seen.stuffy else "",
        "rising": room.name if room else "",
        "value": round(step.value) if step else "",
        "minutes": round(step.horizon_s / 60) if step else "",
    }


def _tone(seen: Situation) -> GradeId | None:
    if seen.worst is None:
        return None
    return seen.worst.grade
