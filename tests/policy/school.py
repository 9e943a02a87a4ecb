"""A classroom for the policy's tests: the room, its devices, and words for them."""

from edge.decision import Ahead, Measured, RoomState
from edge.network import Actuator, Level, Room, Timetable
from edge.pace import Running
from edge.readings import SECOND

NOON = 1_763_780_400 * SECOND
LESSONS = Timetable(tuple((day, 9 * 60, 16 * 60) for day in range(5)))
ROOM = Room("1-2", "1학년 2반", "Class 1-2", 170.6, LESSONS, occupants=25)
PURIFIER = Actuator(
    "p", "purifier", "hana", "1-2", (Level(), Level(200, 0, 10), Level(450, 0, 25), Level(800, 0, 60))
)
VENTILATOR = Actuator("v", "ventilator", "hana", "1-2", (Level(), Level(0, 200, 30), Level(0, 600, 90)))


def state(pm25: float | None = 10.0, **rest: object) -> RoomState:
    """A room whose newest PM2.5 is fresh and good."""
    measured = None if pm25 is None else Measured(pm25, 1, 5.0)
    return RoomState(ROOM, NOON, measured, **rest)  # type: ignore[arg-type]


def rising(*values: float, spread: float = 0.0) -> tuple[Ahead, ...]:
    """Forecasts for 10, 30 and 60 min."""
    pairs = zip((600, 1800, 3600), values, strict=False)
    return tuple(Ahead(horizon, value, max(value - spread, 0.0), value + spread) for horizon, value in pairs)


def running(level: int, ago_s: int = 7200, cause: str = "command") -> Running:
    """A device that took its level so long ago."""
    since = NOON - ago_s * SECOND
    return Running(level, cause, since, since, (since,) if ago_s < 3600 else ())
