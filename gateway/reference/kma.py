"""KMA (기상청): what is observed and forecast on its 5 km grid, and the hours of its weather stations (ASOS).

Verified in public clients and descriptions: operations, parameters, categories and their units, the words of
an amount of rain, what stands for none, when each is published, the grid's constants with pairs of towns, the
fields of ASOS with their quality flags. Recalled: that an empty amount of ASOS whose flag says nothing means
no rain.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from math import cos, floor, log, pi, radians, sin, tan

from gateway.reference.ask import Ask, pages
from gateway.reference.hour import DAY, HOUR, local, stamp
from gateway.reference.observed import Observed, number, observed
from gateway.reference.portal import Row, each, rows, word
from gateway.reference.problem import Refused, Unreadable
from gateway.reference.transport import KEY, Answer, Client, Request

NAME = "kma"
PAGE = 1000
GRID = "/1360000/VilageFcstInfoService_2.0"
ASOS = "/1360000/AsosHourlyInfoService/getWthrDataList"

CATEGORIES: Mapping[str, str] = {
    "T1H": "temp",
    "TMP": "temp",
    "REH": "rh",
    "WSD": "wind_speed",
    "VEC": "wind_dir",
    "RN1": "rain",
    "PCP": "rain",
    "POP": "rain_chance",
    "PTY": "rain_kind",
    "SKY": "sky",
}
"""Categories of the grid's answers, as our quantities."""

ASOS_FIELDS: Mapping[str, str] = {
    "ta": "temp",
    "hm": "rh",
    "ws": "wind_speed",
    "wd": "wind_dir",
    "rn": "rain",
    "pa": "pressure",
}

WRONG, MISSING = "1", "9"
"""What ASOS's quality flags say of a value that isn't good."""

LOWEST = -900.0
"""Values at and below it, and at and above its opposite, mean that there is none."""

OUTSIDE = "give it as LAT,LON inside Korea, like 37.57,126.98"


# -- the grid -----------------------------------------------------------------------------------------

_STEPS = 6371.00877 / 5.0
_CONE = log(cos(radians(30)) / cos(radians(60))) / log(
    tan(pi / 4 + radians(60) / 2) / tan(pi / 4 + radians(30) / 2)
)
_SCALE = _STEPS * tan(pi / 4 + radians(30) / 2) ** _CONE * cos(radians(30)) / _CONE


def _radius(lat: float) -> float:
    return float(_SCALE / tan(pi / 4 + radians(lat) / 2) ** _CONE)


def grid(lat: float, lon: float) -> tuple[int, int]:
    """The cell (nx, ny) of a point [°]. Raises `ValueError` outside the grid.

    Lambert's conformal conic on a sphere of 6371.00877 km, true at 30° and 60° N, 5 km a step; (43, 136) is
    38° N 126° E.
    """
    turn = radians(lon - 126.0) * _CONE
    nx = floor(_radius(lat) * sin(turn) + 43.5)
    ny = floor(_radius(38.0) - _radius(lat) * cos(turn) + 136.5)
    if not (1 <= nx <= 149 and 1 <= ny <= 253):
        raise ValueError(f"{lat:g},{lon:g} lies outside KMA's grid")
    return nx, ny


def cell(place: str) -> tuple[int, int]:
    """The cell of a place given as `LAT,LON`. Raises `Refused`."""
    try:
        lat, lon = (float(part) for part in place.split(","))
        return grid(lat, lon)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise Refused(f"{place!r} is no place on its grid", NAME, OUTSIDE) from None


# -- requests -----------------------------------------------------------------------------------------


def grid_request(operation: str, base: int, at: tuple[int, int], page: int = 1) -> Request:
    """What was observed (`getUltraSrtNcst`) or forecast (`getUltraSrtFcst`, `getVilageFcst`) at [ns]."""
    when = (("base_date", local(base, "%Y%m%d")), ("base_time", local(base, "%H%M")))
    where = (("nx", str(at[0])), ("ny", str(at[1])))
    # What was said at a base time stays said.
    return Request(NAME, f"{GRID}/{operation}", (*_paging(page), *when, *where), fresh=DAY / 1e9)


def asos_request(station: str, start: int, end: int, page: int = 1) -> Request:
    """A weather station's hours from `start` to `end` [ns], both included."""
    first = (("startDt", local(start, "%Y%m%d")), ("startHh", local(start, "%H")))
    last = (("endDt", local(end, "%Y%m%d")), ("endHh", local(end, "%H")))
    what = (("dataCd", "ASOS"), ("dateCd", "HR"), ("stnIds", station))
    return Request(NAME, ASOS, (*_paging(page), *what, *first, *last), fresh=3600.0)


def _paging(page: int) -> tuple[tuple[str, str], ...]:
    return (("serviceKey", KEY), ("dataType", "JSON"), ("numOfRows", str(PAGE)), ("pageNo", str(page)))


# -- answers ------------------------------------------------------------------------------------------


def read_grid(answer: Answer, station: str) -> tuple[list[Observed], int]:
    """What is observed at its base time, or forecast for its time, one row a category."""
    found, total = rows(answer, NAME)
    return each(found, partial(_category, station=station), NAME), total


def _category(row: Row, station: str) -> Iterator[Observed]:
    quantity = CATEGORIES.get(word(row, "category"))
    if quantity is None:
        return
    ahead = "fcstValue" in row
    time = _stamp(
        word(row, "fcstDate" if ahead else "baseDate") + word(row, "fcstTime" if ahead else "baseTime")
    )
    value = row.get("fcstValue" if ahead else "obsrValue")
    yield observed(station, time, quantity, _believed(rain(value) if quantity == "rain" else number(value)))


def _stamp(text: str, form: str = "%Y%m%d%H%M") -> int:
    try:
        return stamp(text, form)
    except (ValueError, OverflowError):
        raise Unreadable(f"no time: {text[:40]!r}", NAME, "try again later") from None


def rain(said: object) -> float:
    """An amount of rain [mm] as KMA says it: none, below 1 mm (0.5), a number, a span (its middle)."""
    text = "-" if said is None else str(said).replace("㎜", "mm").strip()
    if text in ("강수없음", "-"):
        return 0.0
    if "미만" in text:
        return 0.5
    parts = [float(one) for one in re.findall(r"\d{1,6}(?:\.\d{1,6})?", text)]
    return sum(parts) / len(parts) if parts and not text.startswith("-") else number(said)


def _believed(value: float) -> float:
    return value if LOWEST < value < -LOWEST or value != value else float("nan")


def read_asos(answer: Answer, station: str) -> tuple[list[Observed], int]:
    """A weather station's hours; rain is of the hour before and stands at its beginning, all else is of the
    instant. An empty amount of rain means that none fell."""
    found, total = rows(answer, NAME)
    return each(found, partial(_asos, station=station), NAME), total


def _asos(row: Row, station: str) -> Iterator[Observed]:
    time = _stamp(word(row, "tm"), "%Y-%m-%d %H:%M")
    for field, quantity in ASOS_FIELDS.items():
        if field in row:
            checked = word(row, f"{field}Qcflg")
            none = field == "rn" and not word(row, field) and checked != MISSING
            shift = HOUR if field == "rn" else 0
            yield observed(
                station, time - shift, quantity, 0.0 if none else number(row[field]), checked == WRONG
            )


# -- both ---------------------------------------------------------------------------------------------


def fetch_observed(client: Client, ask: Ask) -> Iterator[Observed]:
    """The grid's hourly observations; KMA serves the last day."""
    yield from _grid(client, ask, "getUltraSrtNcst", _bases(ask, 1, 0, 40))


def fetch_ahead(client: Client, ask: Ask) -> Iterator[Observed]:
    """The newest forecast of the next six hours."""
    yield from _grid(client, ask, "getUltraSrtFcst", _newest(_bases(_now(ask), 1, 30, 45)))


def fetch_village(client: Client, ask: Ask) -> Iterator[Observed]:
    """The newest forecast of the next three days, made at 02, 05, … 23 h."""
    bases = (base for base in _bases(_now(ask), 1, 0, 10) if local(base, "%H") in VILLAGE_HOURS)
    yield from _grid(client, ask, "getVilageFcst", _newest(bases))


VILLAGE_HOURS = tuple(f"{hour:02d}" for hour in range(2, 24, 3))


def _now(ask: Ask) -> Ask:
    return Ask(ask.now - 4 * HOUR, ask.now + 1, ask.places, ask.now)


def _newest(bases: Iterable[int]) -> list[int]:
    return sorted(bases)[-1:]


def _bases(ask: Ask, every: int, minute: int, late: int) -> list[int]:
    """The times [ns] in the span asked for at which something is said, `late` minutes later at the latest."""
    step, shift = every * HOUR, minute * HOUR // 60
    first = -(-(ask.start - shift) // step) * step + shift
    last = min(ask.end, ask.now - (late - minute) * HOUR // 60 + 1)
    return list(range(first, last, step))


def _grid(client: Client, ask: Ask, operation: str, bases: list[int]) -> Iterator[Observed]:
    for station, place in ask.places.items():
        at = cell(place)
        for base in bases:
            request = partial(grid_request, operation, base, at)
            yield from ask.within(pages(client, request, partial(read_grid, station=station), PAGE))


def fetch_asos(client: Client, ask: Ask) -> Iterator[Observed]:
    """Weather stations' hours (by number, 108 is Seoul), published until yesterday."""
    # Yesterday is published from 11 h on; rain stands an hour earlier than its row.
    end = min(ask.end + HOUR, (ask.now + 9 * HOUR) // DAY * DAY - 9 * HOUR - 1)
    for station, code in ask.places.items():
        if ask.start < end:
            request = partial(asos_request, code, ask.start, end)
            yield from ask.within(pages(client, request, partial(read_asos, station=station), PAGE))
