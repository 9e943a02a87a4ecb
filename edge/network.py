"""The network as its files describe it: sites, rooms, nodes, actuators, stations, with dated assignments."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from edge.correction.model import Correction


class Dated(Protocol):
    """An entry in force from `since` [ns since 1970, UTC] until the next one's."""

    @property
    def since(self) -> int: ...


D = TypeVar("D", bound=Dated)


def in_force(entries: Sequence[D], time: int) -> D | None:
    """The entry in force at `time` [ns], or None before the first; `entries` are sorted by `since`."""
    place = bisect_right(entries, time, key=lambda entry: entry.since)
    return entries[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a node stands from `since` [ns] on; `room` is empty outdoors; `height` of its inlet, distance to
    the next road and the next exhaust [m]; `siting` is urban, suburban, roadside, background or port; a
    `shelter` from sun and rain; `grade` of its certification there (empty: the node's)."""

    since: int
    site: str
    room: str
    placement: str
    height: float | None = None
    siting: str = ""
    road_m: float | None = None
    exhaust_m: float | None = None
    shelter: bool | None = None
    grade: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The sensors that a node carries from `since` [ns] on, as (type, serial) pairs."""

    since: int
    sensors: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A sensor's correction of one quantity from `since` [ns] on: gain·raw + offset + rh·RH, with standard
    uncertainty `u` in the quantity's unit; or, of a fitted model, gain·`correction` + offset, with `u` beside
    the model's own. It belongs to the sensor's `serial`; without one it is the fleet's and serves all sensors
    (of a `type`) that have none."""

    since: int
    id: str
    serial: str
    quantity: str
    gain: float = 1.0
    offset: float = 0.0
    rh: float = 0.0
    u: float = 0.0
    type: str = ""
    correction: Correction | None = None

    @property
    def name(self) -> str:
        """What samples are marked with: the entry, and the model behind it by its hash."""
        return f"{self.id}@{self.correction.id}" if self.correction else self.id


@dataclass(frozen=True, slots=True)
class Node:
    """A measuring device; samples every `sample_s` [s], sends every `batch_s` [s]; with `duty` its sensors
    sleep between samples; `limits` override quality
    control's, as {test parameter: value}; `grade` of its certification (간이측정기 성능인증): 1, 2, 3 or
    `none`, empty where the files don't say."""

    id: str
    placements: tuple[Placement, ...]
    fitted: tuple[Fitted, ...] = ()
    sample_s: int = 10
    batch_s: int = 60
    duty: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    grade: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of an actuator: clean air [m³/h], outdoor air [m³/h], electrical power [W], and what a device
    of another dialect is told for it (empty: what its dialect says)."""

    cadr: float = 0.0
    flow: float = 0.0
    power: float = 0.0
    say: str = ""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Occupied hours: (weekday 0 = Monday, start, end) in minutes of the site's local day."""

    weekly: tuple[tuple[int, int, int], ...] = ()

    def occupied(self, weekday: int, minute: int) -> bool:
        """Whether the room is used at that minute of that weekday."""
        return any(day == weekday and start <= minute < end for day, start, end in self.weekly)


@dataclass(frozen=True, slots=True)
class Actuator:
    """A purifier, ventilator or cleaner of a room; `levels[0]` is off; `safe` and `safe_occupied` are the
    levels it falls to when nobody commands it; `timer`: the device itself ends a command in time;
    `address` is its name in a foreign `dialect`;
    `quiet_level` is its highest in quiet hours, `min_run_s` and `min_rest_s` [s] its own (None: as policy).
    """

    id: str
    kind: str
    site: str
    room: str
    levels: tuple[Level, ...]
    dialect: str = "gongi"
    safe: int = 0
    safe_occupied: int = 1
    timer: bool = True
    address: str = ""
    quiet_level: int | None = None
    min_run_s: int | None = None
    min_rest_s: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """A room: volume [m³], floor area [m²], air change by its own leaks [1/h], occupants, timetable,
    ventilation (`natural` or `mechanical`), limits by quantity in its unit, quiet hours, and the `confidence`
    with which its limit is kept (None: the policy's)."""

    id: str
    ko: str
    en: str
    volume: float
    timetable: Timetable
    ventilation: str = "natural"
    ach: float = 0.75
    occupants: int = 0
    limits: Mapping[str, float] = field(default_factory=dict)
    quiet: Timetable = field(default_factory=Timetable)
    confidence: float | None = None

    @property
    def dust(self) -> str:
        """The quantity of particles that it is kept on: PM10 where its limits name that and not PM2.5."""
        return "pm10" if "pm10" in self.limits and "pm25" not in self.limits else "pm25"


@dataclass(frozen=True, slots=True)
class Energy:
    """What a site pays for a kWh [₩], and in its `peak` hours; the most [W] that its actuators may draw
    together (None: no limit)."""

    price: float = 150.0
    peak_price: float | None = None
    peak: Timetable = field(default_factory=Timetable)
    most_w: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Local dates, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window [ns, ns) in which a site's alarms rest, and why."""

    start: int
    end: int
    why: str = ""


@dataclass(frozen=True)
class Site:
    """A school or an outdoor station: IANA time zone, holidays already resolved to local dates, terms,
    position (WGS84 degrees, altitude [m])."""

    id: str
    ko: str
    en: str
    tz: str
    rooms: Mapping[str, Room]
    holidays: frozenset[date] = frozenset()
    terms: tuple[Span, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    lat: float | None = None
    lon: float | None = None
    altitude: float | None = None
    energy: Energy = field(default_factory=Energy)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.tz)

    def school_day(self, day: date) -> bool:
        """Whether lessons are given on that local date: no holiday, and in term where terms are named."""
        return day not in self.holidays and (not self.terms or any(day in term for term in self.terms))

    def occupied(self, room: str, moment: datetime) -> bool:
        """Whether the room is used at that moment (aware datetime), by timetable and calendar."""
        return self.school_day(moment.astimezone(self.zone).date()) and self._within(
            self.rooms[room].timetable, moment
        )

    def quiet(self, room: str, moment: datetime) -> bool:
        """Whether that moment is in the room's quiet hours."""
        return self._within(self.rooms[room].quiet, moment)

    def price(self, moment: datetime) -> float:
        """What a kWh costs at that moment."""
        energy = self.energy
        peak = energy.peak_price is not None and self._within(energy.peak, moment)
        return energy.peak_price if peak and energy.peak_price is not None else energy.price

    def _within(self, timetable: Timetable, moment: datetime) -> bool:
        local = moment.astimezone(self.zone)
        return timetable.occupied(local.weekday(), local.hour * 60 + local.minute)


@dataclass(frozen=True, slots=True)
class Station:
    """A reference station; `kind` as a node's siting; `source` names where its values come from (a name of
    `gongi reference sources`), `code` what that source calls it."""

    id: str
    ko: str
    en: str
    lat: float
    lon: float
    kind: str = ""
    source: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Accepting:
    """Which proposed recalibrations are accepted without being asked: a gain from 1/`gain` to `gain`, an
    offset up to `offset` [unit] either way."""

    gain: float
    offset: float

    def allows(self, gain: float, offset: float) -> bool:
        """Whether it accepts this one."""
        return 1 / self.gain <= gain <= self.gain and abs(offset) <= self.offset


def _by(
    entries: Iterable[Calibration], key: Callable[[Calibration], tuple[str, str]]
) -> Mapping[tuple[str, str], tuple[Calibration, ...]]:
    table: dict[tuple[str, str], list[Calibration]] = {}
    for entry in sorted(entries, key=lambda entry: entry.since):
        table.setdefault(key(entry), []).append(entry)
    return {name: tuple(found) for name, found in table.items()}


@dataclass(frozen=True)
class Network:
    """All that the files say; `hash` (16 hex digits) names this version of them."""

    root: str
    sites: Mapping[str, Site]
    nodes: Mapping[str, Node]
    actuators: Mapping[str, Actuator]
    stations: Mapping[str, Station] = field(default_factory=dict)
    calibrations: tuple[Calibration, ...] = ()
    hash: str = ""
    influx_resolution: str = "air"
    accepting: Accepting | None = None
    homeassistant: bool = False

    @cached_property
    def derived(self) -> dict[type, Any]:
        """Tables that others work out from this network once, by their class; they live as long as it."""
        return {}

    @cached_property
    def calibrations_of(self) -> Mapping[tuple[str, str], tuple[Calibration, ...]]:
        """Calibrations by (sensor serial, quantity), sorted by `since`."""
        own = (entry for entry in self.calibrations if entry.serial)
        return _by(own, lambda entry: (entry.serial, entry.quantity))

    @cached_property
    def fleet_of(self) -> Mapping[tuple[str, str], tuple[Calibration, ...]]:
        """The fleet's calibrations by (sensor type, quantity), sorted by `since`; type "" is any."""
        fleet = (entry for entry in self.calibrations if not entry.serial)
        return _by(fleet, lambda entry: (entry.type, entry.quantity))

    def served(self, sensor: tuple[str, str], quantity: str) -> Iterator[tuple[Calibration, ...]]:
        """The calibrations that may serve a sensor (type, serial), the ones to prefer first."""
        kind, serial = sensor
        yield self.calibrations_of.get((serial, quantity), ())
        yield self.fleet_of.get((kind, quantity), ())
        yield self.fleet_of.get(("", quantity), ())

    def placed(self, node: str, time: int) -> Placement | None:
        """Where a node stood at `time` [ns]; None for an unknown node and before its first entry."""
        return in_force(self.nodes[node].placements, time) if node in self.nodes else None

    def grade(self, node: str, time: int) -> str:
        """The certification grade of a node at `time` [ns]: 1, 2, 3, `none`, or empty: not said."""
        place = self.placed(node, time)
        return (place.grade if place else "") or (self.nodes[node].grade if node in self.nodes else "")

    def actuators_in(self, site: str, room: str) -> tuple[Actuator, ...]:
        """The actuators of a room, in the files' order."""
        return tuple(a for a in self.actuators.values() if (a.site, a.room) == (site, room))

    def nodes_in(self, site: str, room: str, time: int) -> tuple[Node, ...]:
        """The nodes that stand in a room (empty: outdoors) of a site at `time` [ns]."""
        places = ((node, in_force(node.placements, time)) for node in self.nodes.values())
        return tuple(n for n, place in places if place and (place.site, place.room) == (site, room))
