"""Every key of the network files: its name, how it is read, what stands for it where it is left out."""

import re
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import holidays

from edge.dialect import DIALECTS
from edge.limits import mistakes
from edge.network import Level, Span, Timetable
from edge.quantity import QUANTITIES
from edge.wire import ID, RESERVED
from gateway.network.shape import (
    Field,
    Place,
    choice,
    day,
    keyed,
    listed,
    meant,
    moment,
    number,
    positive,
    read_table,
    table,
    tables,
    text,
    whole,
    yes,
)

SENSORS = ("pms5003", "pms7003", "sds011", "sps30", "scd4x", "sht4x", "other")
"""Sensor types that nodes carry; `other` is one that Gongi's firmware doesn't drive itself."""

SITINGS = ("urban", "suburban", "roadside", "background", "port")
"""How a node outdoors, or a reference station, stands."""

SOURCES = (
    "airkorea",
    "airkorea-forecast",
    "airkorea-alerts",
    "kma",
    "kma-ahead",
    "kma-village",
    "kma-asos",
    "openaq",
    "seoul-traffic",
    "seoul-trains",
)
"""Where a reference station's values may come from: the rows of `gateway.reference.sources`."""

GRADES = {
    "1": "1",
    "2": "2",
    "3": "3",
    "1등급": "1",
    "2등급": "2",
    "3등급": "3",
    "none": "none",
    "등급외": "none",
}
"""Certification grades of simple monitors (간이측정기 성능인증), as files may write them."""

KINDS = ("purifier", "ventilator", "cleaner")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RESOLUTIONS = ("air", "air_1m")
ROOT = re.compile(r"[^\s/+#$\0]+(/[^\s/+#\0]+)*")
HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)")
WEEKDAYS = (*DAYS, *(f"{a}-{b}" for i, a in enumerate(DAYS) for b in DAYS[i + 1 :]))


def identifier(value: object, place: Place) -> Any:
    """An id: 1 to 32 of a-z, 0-9 and -, and no reserved word."""
    if not isinstance(value, str) or not re.fullmatch(ID, value):
        return place.wrong(value, "an id: 1 to 32 of a-z, 0-9 and -")
    return (
        place.wrong(value, f"another id: {' and '.join(sorted(RESERVED))} are reserved")
        if value in RESERVED
        else value
    )


def topic(value: object, place: Place) -> Any:
    """A topic root."""
    right = (
        isinstance(value, str) and re.fullmatch(r"[^\s/+#$\0]+(/[^\s/+#\0]+)*", value) and len(value) <= 128
    )
    return value if right else place.wrong(value, "a topic like gongi/v1")


def zone(value: object, place: Place) -> Any:
    """An IANA time zone that this machine knows."""
    try:
        return ZoneInfo(value).key if isinstance(value, str) else place.wrong(value, "an IANA time zone")
    except (ValueError, OSError, KeyError):  # a zone name is a path to ZoneInfo: it fails in a path's ways
        known = sorted(available_timezones())
        return place.wrong(value, "an IANA time zone like Asia/Seoul: " + meant(str(value), known))


def calendar(value: object, place: Place) -> Any:
    """A country of `holidays`, as `KR` or with its part, as `US-CO`."""
    known = holidays.list_supported_countries(include_aliases=False)
    country, _, part = value.partition("-") if isinstance(value, str) else ("", "", "")
    if country not in known:
        return place.wrong(value, "a country's two letters like KR")
    right = not part or part in known[country]
    return value if right else place.wrong(value, meant(part, known[country]))


def timetable(value: object, place: Place) -> Timetable:
    """Hours by weekday: `{mon-thu = "08:40-12:10, 13:00-14:30", fri = "08:40-12:10"}`."""
    hours = keyed(WEEKDAYS, _hours)(value, place)
    weekly = {(number, *span) for key, spans in hours.items() for number in _days(key) for span in spans}
    return Timetable(tuple(sorted(weekly)))


def _days(key: str) -> range:
    first, _, last = key.partition("-")
    return range(DAYS.index(first), DAYS.index(last or first) + 1)


def _hours(value: object, place: Place) -> list[tuple[int, int]]:
    parts = value.split(",") if isinstance(value, str) else []
    spans = [_span(part.strip()) for part in parts]
    if not spans or None in spans:
        place.wrong(value, 'hours like "08:40-12:10, 13:00-14:30", each ending after it starts')
    return [span for span in spans if span]


def _span(part: str) -> tuple[int, int] | None:
    match = HOURS.fullmatch(part)
    if not match:
        return None
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    return (start, end) if start < end <= 1440 else None


def span(value: object, place: Place) -> Any:
    """A term: `{first = 2026-03-02, last = 2026-07-17}`."""
    entry = read_table((Field("first", day), Field("last", day)), value, place)
    first, last = entry["first"], entry["last"]
    if not (isinstance(first, date) and isinstance(last, date)):
        return None
    return Span(first, last) if first <= last else place.wrong(last, "a last day not before the first")


def level(value: object, place: Place) -> Any:
    """What an actuator does at one level."""
    entry = read_table(LEVEL, value, place)
    right = entry.values and None not in entry.values.values()
    return Level(**entry.values) if right else None


def address(value: object, place: Place) -> Any:
    """How a device of another dialect is called there, as it stands in topics."""
    right = isinstance(value, str) and not set(value) & set("+#\0") and 0 < len(value) <= 128
    return value if right else place.wrong(value, "its name in its own topics, like tasmota_1A2B3C")


def serial(value: object, place: Place) -> Any:
    """A sensor's serial, as printed on it."""
    right = isinstance(value, str) and value.strip() == value and value.isprintable() and 0 < len(value) <= 64
    return value if right else place.wrong(value, "the serial printed on the sensor")


def grade(value: object, place: Place) -> Any:
    """A certification grade: 1, 2, 3 (with or without 등급) or none."""
    written = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return GRADES.get(written) or place.wrong(
        value, "1, 2, 3 or none: the grade on the certificate (성능인증)"
    )


LIMIT = number(-1e6, 1e6)


def checks(value: object, place: Place) -> dict[str, Any]:
    """A node's own limits of quality control, as `quantity.limit`."""
    found: dict[str, Any] = keyed(None, LIMIT)(value, place)
    numbers = {key: one for key, one in found.items() if isinstance(one, float | int)}
    for key, right in mistakes(numbers):
        place.at(key).wrong(key, right)
    return found


NAMES = (Field("ko", text, ""), Field("en", text, ""))
LEVEL = (
    Field("cadr", number(0, 20_000, "m³/h"), 0.0),
    Field("flow", number(0, 50_000, "m³/h"), 0.0),
    Field("power", number(0, 50_000, "W"), 0.0),
    Field("say", text, ""),
)
ROOM = (
    Field("id", identifier),
    *NAMES,
    Field("volume", positive(100_000, "m³")),
    Field("timetable", timetable, Timetable()),
    Field("ventilation", choice(("natural", "mechanical")), "natural"),
    Field("ach", number(0, 20, "1/h"), 0.75),
    Field("occupants", whole(0, 5000), 0),
    Field("limits", keyed(tuple(QUANTITIES), LIMIT), {}),
    Field("quiet", timetable, Timetable()),
    Field("confidence", number(0.5, 0.99), None),
)
ENERGY = (
    Field("price", number(1, 100_000, "₩/kWh"), 150.0),
    Field("peak_price", number(1, 100_000, "₩/kWh"), None),
    Field("peak", timetable, Timetable()),
    Field("most_w", positive(10_000_000, "W"), None),
)
MAINTENANCE = (Field("start", moment), Field("end", moment), Field("why", text, ""))
SITE = (
    Field("id", identifier),
    *NAMES,
    Field("tz", zone, "Asia/Seoul"),
    Field("calendar", calendar, ""),
    Field("closed", listed(day), ()),
    Field("terms", listed(span), ()),
    Field("lat", number(-90, 90, "°N"), None),
    Field("lon", number(-180, 180, "°E"), None),
    Field("altitude", number(-430, 9000, "m"), None),
    Field("maintenance", tables(MAINTENANCE), ()),
    Field("room", tables(ROOM), ()),
    Field("energy", table(ENERGY), None),
)
PLACED = (
    Field("since", moment),
    Field("site", text),
    Field("room", text, ""),
    Field("placement", choice(("indoor", "outdoor"))),
    Field("height", number(0, 1000, "m"), None),
    Field("siting", choice(SITINGS), ""),
    Field("road_m", number(0, 10_000, "m"), None),
    Field("exhaust_m", number(0, 10_000, "m"), None),
    Field("shelter", yes, None),
    Field("grade", grade, ""),
)
SENSOR = (Field("type", choice(SENSORS)), Field("serial", serial))
FITTED = (Field("since", moment), Field("sensors", tables(SENSOR)))
NODE = (
    Field("id", identifier),
    Field("placed", tables(PLACED)),
    Field("fitted", tables(FITTED), ()),
    Field("sample_s", whole(1, 86_400, "s"), 10),
    Field("batch_s", whole(1, 60 * 86_400, "s"), 60),
    Field("duty", yes, False),
    Field("limits", checks, {}),
    Field("grade", grade, ""),
)
ACTUATOR = (
    Field("id", identifier),
    Field("kind", choice(KINDS)),
    Field("site", text),
    Field("room", text),
    Field("dialect", choice(("gongi", *DIALECTS)), "gongi"),
    Field("address", address, ""),
    Field("levels", listed(level)),
    Field("safe", whole(0, 100), 0),
    Field("safe_occupied", whole(0, 100), 1),
    Field("quiet_level", whole(0, 100), None),
    Field("min_run_s", whole(0, 86_400, "s"), None),
    Field("min_rest_s", whole(0, 86_400, "s"), None),
    Field("timer", yes, None),
)
STATION = (
    Field("id", identifier),
    *NAMES,
    Field("lat", number(-90, 90, "°N")),
    Field("lon", number(-180, 180, "°E")),
    Field("kind", choice(SITINGS), ""),
    Field("source", choice(SOURCES), ""),
    Field("code", text, ""),
)
CALIBRATION = (
    Field("id", identifier),
    Field("since", moment),
    Field("serial", serial, ""),
    Field("type", choice(SENSORS), ""),
    Field("quantity", choice(tuple(QUANTITIES))),
    Field("model", text, ""),
    Field("fitted_as", text, ""),
    Field("gain", number(-100, 100), 1.0),
    Field("offset", number(-10_000, 10_000), 0.0),
    Field("rh", number(-100, 100), 0.0),
    Field("u", number(0, 10_000), 0.0),
)
PART = (
    Field("site", tables(SITE), ()),
    Field("node", tables(NODE), ()),
    Field("actuator", tables(ACTUATOR), ()),
    Field("station", tables(STATION), ()),
    Field("calibration", tables(CALIBRATION), ()),
)
"""What every file may hold."""

WHOLE = (
    Field("include", listed(text), ()),
    Field("root", topic, "gongi/v1"),
    Field("homeassistant", yes, False),
    Field("influx", table((Field("resolution", choice(RESOLUTIONS), "air"),)), None),
    Field("drift", table((Field("accept_gain", number(1, 3)), Field("accept_offset", number(0, 100)))), None),
    *PART,
)
"""What `network.toml` may hold besides."""
