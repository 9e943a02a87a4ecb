"""A simulated school for looking at the console; it says on every page that it is simulated."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import exp, pi, sin

import numpy as np

from edge.network import Actuator, Fitted, Level, Network, Node, Placement, Room, Site, Station, Timetable
from edge.readings import KEYS, SECOND, Array, Clock, Column, Flag, Readings, concat
from gateway.live import Acting, Alarm, Horizon, Latest, Live, Official, Outlook, Value

NOON = int(datetime(2026, 11, 23, 2, 20, tzinfo=UTC).timestamp()) * SECOND

_LESSONS = Timetable(tuple((day, 9 * 60, 15 * 60) for day in range(5)))

_ROOMS = (
    ("2-1", "2학년 1반", "Class 2-1", 47.0, 1140.0),
    ("1-2", "1학년 2반", "Class 1-2", 31.0, 890.0),
    ("1-1", "1학년 1반", "Class 1-1", 22.0, 760.0),
    ("gym", "체육관", "Gym", 12.0, 520.0),
    ("library", "도서관", "Library", 26.0, 640.0),
)


def network() -> Network:
    """Two schools, one with rooms, an outdoor node and purifiers."""
    rooms = {id: Room(id, ko, en, 190.0, _LESSONS, occupants=25) for id, ko, en, *_ in _ROOMS}
    rooms["music"] = Room("music", "음악실", "Music room", 190.0, _LESSONS)
    sites = {
        "hana": Site(
            "hana",
            "하나초등학교 (모의)",
            "Hana Elementary (simulated)",
            "Asia/Seoul",
            rooms,
            lat=37.5714,
            lon=127.0902,
        ),
        "duri": Site("duri", "두리중학교 (모의)", "Duri Middle School (simulated)", "Asia/Seoul", {}),
    }
    nodes = {f"{id}-a": _node(f"{id}-a", id) for id, *_ in _ROOMS} | {"out-a": _node("out-a", "")}
    levels = (Level(), Level(150, 0, 12), Level(300, 0, 30), Level(480, 0, 65))
    actuators = {
        id: Actuator(id, "purifier", "hana", id[4:], levels) for id in ("pur-2-1", "pur-1-2", "pur-1-1")
    }
    actuators["vent-gym"] = Actuator("vent-gym", "ventilator", "hana", "gym", levels[:3])
    stations = {
        "jungnang": Station(
            "jungnang", "중랑구", "Jungnang-gu", 37.5849, 127.0942, "urban", "airkorea", "중랑구"
        ),
        "seoul": Station("seoul", "서울", "Seoul", 37.5665, 126.978, "", "airkorea-alerts", "서울"),
    }
    return Network("gongi/v1", sites, nodes, actuators, stations)


def _node(id: str, room: str) -> Node:
    sensors = (("pms5003", f"P-{id}"), ("scd4x", f"S-{id}"))
    indoors = Placement(0, "hana", room, "indoor", 1.2)
    outdoors = Placement(0, "hana", "", "outdoor", 2.5, "urban", 60.0, 20.0, True)
    return Node(id, (indoors if room else outdoors,), (Fitted(0, sensors),), grade="1")


def live(now: int = NOON) -> Live:
    """The present of that school at `now` [ns UTC], with one of everything that a page can show."""
    there = Live(network(), now)
    for id, _, _, pm25, co2 in _ROOMS:
        there.latest[f"{id}-a"] = Latest(now - 12 * SECOND, values(pm25, co2))
        there.online[f"{id}-a"] = True
    outdoor = values(38.0, None)
    there.latest["out-a"] = Latest(now - 31 * SECOND, outdoor)
    old = there.latest["library-a"]
    there.latest["library-a"] = replace(old, time=now - 47 * 60 * SECOND)
    there.online["library-a"] = False
    there.outlook["2-1-a"] = _outlook(now, 47.0, (52.0, 48.0, 33.0))
    there.outlook["1-2-a"] = _outlook(now, 31.0, (32.0, 34.0, 36.0))
    there.outlook["1-1-a"] = _outlook(now, 22.0, (22.0, 21.0, 20.0))
    hour = (now // (3600 * SECOND) - 1) * 3600 * SECOND
    there.official = {
        "jungnang": Official(hour, {"pm25": 41.0, "pm10": 63.0}),
        "seoul": Official(0, {}, {"pm25_alert": 1}),
    }
    _act(there, now)
    there.alarms["silent", "library-a"] = Alarm("silent", "library-a", "hana", now - 46 * 60 * SECOND)
    there.quarantine["3-1-a"] = 25
    return there


def values(pm25: float, co2: float | None) -> dict[str, Value]:
    """A sample as a room's node has it."""
    found = {
        "pm25": Value(pm25 * 1.2, pm25, 2.5, Flag.GOOD),
        "pm10": Value(pm25 * 1.5, pm25 * 1.4, 4.0, Flag.GOOD),
        "temp": Value(21.4, 21.4 if co2 else 9.2, 0.4, Flag.GOOD),
        "rh": Value(41.0, 41.0, 2.0, Flag.GOOD),
    }
    return found if co2 is None else {**found, "co2": Value(co2, co2, 40.0, Flag.GOOD)}


def _outlook(now: int, last: float, ahead: tuple[float, ...]) -> Outlook:
    steps = zip((600, 1800, 3600), ahead, (4.0, 9.0, 14.0), strict=True)
    horizons = (
        Horizon(s, now + s * SECOND, value, max(value - w, 0), value + w * 1.2) for s, value, w in steps
    )
    return Outlook("pm25", now - 20 * SECOND, "ridge-7f3a09c1", tuple(horizons))


def _act(there: Live, now: int) -> None:
    told = now - 180 * SECOND
    why = "forecast {} µg/m³ in {} min, may reach {}, above 35"
    there.acting["pur-2-1"] = Acting(
        3, "command", now, 212.0, 3, why.format(48, 30, 59), "1-17", told, True, True
    )
    there.acting["pur-1-2"] = Acting(
        1, "command", now, 90.0, 2, why.format(36, 60, 48), "1-18", now - 20 * SECOND, False, True
    )
    there.acting["pur-1-1"] = Acting(0, "button", now, 12.0, online=True)
    there.acting["vent-gym"] = Acting(1, "safe", now - 900 * SECOND, None, online=False)


@dataclass(frozen=True, slots=True)
class SampleHistory:
    """A day of made-up samples before `now` that ends in the sample's newest values."""

    now: int

    def read(self, start_ns: int, end_ns: int, nodes: Collection[str] | None) -> Readings:
        """Every 60 s; the library's node fell silent 47 minutes ago."""
        wanted = [id for id in network().nodes if nodes is None or id in nodes]
        return concat(self._node(id, start_ns, end_ns) for id in wanted)

    def _node(self, id: str, start: int, end: int) -> Readings:
        begin, stop = max(start, self.now - 86400 * SECOND), min(end, self.now)
        stop = min(stop, self.now - 47 * 60 * SECOND) if id == "library-a" else stop
        return readings(id, np.arange(begin, max(stop, begin), 60 * SECOND, dtype=np.int64), self._columns)

    def _columns(self, id: str, time: Array) -> dict[str, Column]:
        hours = (time - self.now) / SECOND / 3600
        newest = {f"{room}-a": (pm25, co2) for room, _, _, pm25, co2 in _ROOMS}.get(id, (38.0, 430.0))
        noise = np.random.default_rng(len(id)).normal(0, 1, time.size)
        pm25 = newest[0] * (0.55 + 0.45 * np.exp(hours / 2.5)) + 6 * np.sin(hours / 3) * -np.expm1(hours / 2)
        lessons = np.clip(np.sin((hours + 2.3) / 24 * 2 * pi), 0, 1)
        columns = {
            "pm25": pm25 + 1.2 * noise,
            "pm10": pm25 * 1.4 + 2 * noise,
            "co2": 430 + (newest[1] - 430) * lessons / max(sin(2.3 / 24 * 2 * pi), 0.1) + 8 * noise,
            "temp": 20 + 1.4 * exp(0) * lessons + 0.1 * noise,
            "rh": 41 - 3 * lessons + 0.5 * noise,
        }
        return {name: _good(np.maximum(raw, 0)) for name, raw in columns.items()}


def _good(raw: Array) -> Column:
    column = Column.of_raw(raw)
    return replace(column, flag=np.where(np.isnan(raw), Flag.MISSING, Flag.GOOD).astype(np.uint8))


def readings(id: str, time: Array, columns: object) -> Readings:
    """Rows of one node at these times [ns]; `columns(id, time)` gives its cells."""
    assert callable(columns)
    keys = {name: np.zeros(time.size, kind) for name, kind in KEYS.items()}
    keys |= {"time": time, "seq": np.arange(1, time.size + 1), "dt": np.full(time.size, 60)}
    keys |= {"clock": np.full(time.size, Clock.OWN, np.uint8), "cal": np.full(time.size, -1, np.int32)}
    return Readings(nodes=(id,), cals=(), columns=columns(id, time), **keys)
