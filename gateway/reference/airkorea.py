"""AirKorea (한국환경공단): stations, their hours, the forecast by region, and the alert records.

Verified in public clients and in a published copy of the specification: operations, parameters, field names,
`mangName`, the four states of `…Flag`, `-` for a missing value. An hour is stamped with its end (24:00 closes
a day), which is recalled; it becomes the stamp of its beginning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from gateway.reference.ask import Ask, pages
from gateway.reference.hour import DAY, HOUR, local, midnight, stamp
from gateway.reference.nearest import Spot
from gateway.reference.observed import Observed, number, observed
from gateway.reference.portal import Row, each, rows, word
from gateway.reference.problem import Refused, Unreadable
from gateway.reference.transport import KEY, Answer, Client, Request

NAME = "airkorea"
PAGE = 500
MEASURED = ("pm25", "pm10", "so2", "co", "o3", "no2")
GRADES = ("pm25", "pm10")
NETS: Mapping[str, str] = {
    "도시대기": "urban",
    "도로변대기": "roadside",
    "교외대기": "suburban",
    "국가배경농도": "background",
    "국가배경": "background",
    "항만": "port",
    "항만대기": "port",
}
"""AirKorea's kinds of station (`mangName`) in ours."""

REGIONS: Mapping[str, str] = {
    "서울": "seoul",
    "인천": "incheon",
    "경기북부": "gyeonggi-north",
    "경기남부": "gyeonggi-south",
    "영서": "gangwon-west",
    "영동": "gangwon-east",
    "대전": "daejeon",
    "세종": "sejong",
    "충북": "chungbuk",
    "충남": "chungnam",
    "광주": "gwangju",
    "전북": "jeonbuk",
    "전남": "jeonnam",
    "부산": "busan",
    "대구": "daegu",
    "울산": "ulsan",
    "경북": "gyeongbuk",
    "경남": "gyeongnam",
    "제주": "jeju",
}
"""Regions of the forecast, and the ids under which their grades are kept."""

FORECAST: Mapping[str, int] = {"좋음": 1, "보통": 2, "나쁨": 3, "매우나쁨": 4, "매우 나쁨": 4}
LEVELS: Mapping[str, int] = {"주의보": 1, "경보": 2}
TERMS: Mapping[str, float] = {"DAILY": 22, "MONTH": 28 * 24, "3MONTH": 92 * 24}
"""What may be asked of the past, and how many hours of it are surely in it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An official 주의보 (level 1) or 경보 (level 2) of a district's area: issued and cleared [ns UTC] (None:
    in force), the values [µg/m³] that did it."""

    number: str
    quantity: str
    level: int
    district: str
    area: str
    issued: int
    cleared: int | None
    value: float
    clear_value: float

    def in_force(self, time: int) -> bool:
        """Whether it stands at `time` [ns]."""
        return self.issued <= time and (self.cleared is None or time < self.cleared)


# -- requests -----------------------------------------------------------------------------------------


def hours_request(station: str, term: str, page: int = 1) -> Request:
    """A station's hours of the last day, month or three (`DAILY`, `MONTH`, `3MONTH`)."""
    path = "/B552584/ArpltnInforInqireSvc/getMsrstnAcctoRltmMesureDnsty"
    query = (("stationName", station), ("dataTerm", term), ("ver", "1.4"))
    return _request(path, query, page, 300.0)


def stations_request(page: int = 1) -> Request:
    """All stations with their positions."""
    return _request("/B552584/MsrstnInfoInqireSvc/getMsrstnList", (), page, 7 * 86_400.0)


def forecast_request(day: str, page: int = 1) -> Request:
    """What was forecast on a day (`2026-03-02`), four times."""
    path = "/B552584/ArpltnInforInqireSvc/getMinuDustFrcstDspth"
    return _request(path, (("searchDate", day),), page, 1800.0)


def alerts_request(year: str, page: int = 1) -> Request:
    """The alerts of a year."""
    return _request("/B552584/UlfptcaAlarmInqireSvc/getUlfptcaAlarmInfo", (("year", year),), page, 300.0)


def _request(path: str, query: tuple[tuple[str, str], ...], page: int, fresh: float) -> Request:
    paging = (("numOfRows", str(PAGE)), ("pageNo", str(page)))
    whole = (("serviceKey", KEY), ("returnType", "json"), *paging, *query)
    return Request(NAME, path, whole, fresh=fresh)


# -- answers ------------------------------------------------------------------------------------------


def read_hours(answer: Answer, station: str) -> tuple[list[Observed], int]:
    """A station's values, each hour at its beginning, and how many rows there are in all."""
    found, total = rows(answer, NAME)
    return each(found, partial(_hour, station=station), NAME), total


def _hour(row: Row, station: str) -> Iterator[Observed]:
    time = _stamp(word(row, "dataTime"), "%Y-%m-%d %H:%M") - HOUR
    for quantity in MEASURED:
        value = number(row.get(f"{quantity}Value"))
        bad = value < 0 or word(row, f"{quantity}Flag") not in ("", "null")
        yield observed(station, time, quantity, value, bad)
    yield observed(station, time, "khai", number(row.get("khaiValue")))
    for quantity in GRADES:
        grade = number(row.get(f"{quantity}Grade1h") or row.get(f"{quantity}Grade"))
        yield observed(station, time, f"{quantity}_grade", grade)


def _stamp(text: str, form: str) -> int:
    try:
        return stamp(text, form)
    except (ValueError, OverflowError):
        raise Unreadable(f"no time: {text[:40]!r}", NAME, "try again later") from None


def read_stations(answer: Answer) -> tuple[list[Spot], int]:
    """Stations with a position; `dmX` is the latitude, and where a row has the two swapped it is seen."""
    found, total = rows(answer, NAME)
    return [spot for row in found if (spot := _spot(row))], total


def _spot(row: Row) -> Spot | None:
    one, two = number(row.get("dmX")), number(row.get("dmY"))
    lat, lon = min(one, two), max(one, two)  # all of Korea lies south of 44° and east of 120°
    name = word(row, "stationName")
    if not (name and 30 < lat < 45 and 120 < lon < 135):
        return None
    return Spot(name, name, lat, lon, NETS.get(word(row, "mangName"), ""), word(row, "addr"))


def read_forecast(answer: Answer) -> tuple[list[Observed], int]:
    """Grades (1 to 4) by region of each day ahead, at the day's first instant in Korea; of a day's four
    announcements the newest comes last."""
    found, total = rows(answer, NAME)
    issued = sorted(found, key=lambda row: word(row, "dataTime"))
    return each(issued, _grades, NAME), total


def _grades(row: Row) -> Iterator[Observed]:
    quantity = word(row, "informCode").lower()
    if quantity not in ("pm25", "pm10", "o3"):
        return
    day = _stamp(word(row, "informData"), "%Y-%m-%d")
    for part in word(row, "informGrade").split(","):
        region, _, grade = (one.strip() for one in part.partition(":"))
        if region in REGIONS and grade in FORECAST:
            yield Observed(REGIONS[region], day, f"{quantity}_forecast", float(FORECAST[grade]))


def read_alerts(answer: Answer) -> tuple[list[Alert], int]:
    """The alerts, oldest first."""
    found, total = rows(answer, NAME)
    return sorted(each(found, _alert, NAME), key=lambda one: one.issued), total


def _alert(row: Row) -> Iterator[Alert]:
    quantity, level = word(row, "itemCode").lower(), LEVELS.get(word(row, "issueGbn"), 0)
    if quantity not in GRADES or not level:
        return
    cleared = f"{word(row, 'clearDate')} {word(row, 'clearTime')}".strip()
    yield Alert(
        word(row, "sn"),
        quantity,
        level,
        word(row, "districtName"),
        word(row, "moveName"),
        _stamp(f"{word(row, 'issueDate')} {word(row, 'issueTime')}", "%Y-%m-%d %H:%M"),
        _stamp(cleared, "%Y-%m-%d %H:%M") if cleared.strip("- ") else None,
        number(row.get("issueVal")),
        number(row.get("clearVal")),
    )


# -- both ---------------------------------------------------------------------------------------------


def fetch_hours(client: Client, ask: Ask) -> Iterator[Observed]:
    """Each station's hours; AirKorea serves the last three months. Raises `SourceProblem`."""
    term = next((term for term, hours in TERMS.items() if ask.now - ask.start <= hours * HOUR), None)
    if term is None:
        advice = "older hours are published as yearly tables: bring one in with `gongi reference import`"
        raise Refused("it serves the last three months alone", NAME, advice)
    for station, name in ask.places.items():
        yield from ask.within(
            pages(client, partial(hours_request, name, term), partial(read_hours, station=station), PAGE)
        )


def fetch_forecast(client: Client, ask: Ask) -> Iterator[Observed]:
    """The grades that were forecast for the days asked for, of the regions asked for (none: all)."""
    places = ask.places or {region: region for region in REGIONS.values()}
    wanted = {region: [id for id, name in places.items() if name == region] for region in places.values()}
    # A day is forecast up to three days before it comes.
    for day in range(midnight(ask.start) - 3 * DAY, min(ask.end, ask.now + 1), DAY):
        on = local(day, "%Y-%m-%d")
        for one in ask.within(pages(client, partial(forecast_request, on), read_forecast, PAGE)):
            yield from (replace(one, station=id) for id in wanted.get(one.station, ()))


def fetch_alerts(client: Client, ask: Ask) -> Iterator[Observed]:
    """The alerts of districts (`서울`) or areas (`경기/남부권`) as steps: the highest level in force, from
    each change on and at the first instant of the first day."""
    found = alerts(client, ask)
    for station, place in ask.places.items():
        district, _, area = place.partition("/")
        here = [one for one in found if one.district == district and area in ("", one.area)]
        for quantity in GRADES:
            yield from _steps(station, quantity, [one for one in here if one.quantity == quantity], ask)


def _steps(station: str, quantity: str, found: Sequence[Alert], ask: Ask) -> Iterator[Observed]:
    begin = midnight(ask.start)
    changes = {time for one in found for time in (one.issued, one.cleared) if time is not None}
    for time in sorted({begin} | {time for time in changes if begin <= time < ask.end}):
        level = max((one.level for one in found if one.in_force(time)), default=0)
        yield Observed(station, time, f"{quantity}_alert", float(level))


def alerts(client: Client, ask: Ask) -> list[Alert]:
    """The alerts of the years asked for, oldest first."""
    # One issued at the year's end may last into the next.
    years = range(int(local(ask.start - 7 * DAY, "%Y")), int(local(max(ask.end - 1, ask.start), "%Y")) + 1)
    found = (pages(client, partial(alerts_request, str(year)), read_alerts, PAGE) for year in years)
    return sorted(chain.from_iterable(found), key=lambda one: one.issued)


def fetch_stations(client: Client) -> list[Spot]:
    """All stations."""
    return list(pages(client, stations_request, read_stations, PAGE))
