"""Seoul's open data (openapi.seoul.go.kr): vehicles an hour at counting points, trains an hour at stations.

Verified in public clients: addresses (the key is part of the path), at most 1,000 rows a request, `VolInfo`
as XML alone with `vol` per lane and direction, the timetable's fields with hours past 24, its tags of day and
direction.
Recalled: that an hour `hh` begins then, and the codes but INFO-000, INFO-200 and ERROR-500.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache, partial

import holidays

from gateway.reference.ask import Ask, pages
from gateway.reference.hour import DAY, HOUR, KST, local, midnight
from gateway.reference.observed import Observed, number, observed
from gateway.reference.portal import Row, content, whole, word
from gateway.reference.problem import KeyRefused, NotAnswering, QuotaSpent, Refused, SourceProblem, Unreadable
from gateway.reference.transport import KEY, Answer, Client, Request

NAME = "seoul"
PAGE = 1000
MOST_REQUESTS = 31 * 24

CODES: Mapping[str, tuple[type[SourceProblem], str]] = {
    "INFO-100": (KeyRefused, "get a key at data.seoul.go.kr; a timetable wants one of its own kind"),
    "ERROR-300": (Refused, "check the station's or counting point's code"),
    "ERROR-310": (Refused, "the service has gone or has another name: please report it"),
    "ERROR-337": (QuotaSpent, "a key may ask 1,000 times a day"),
    "ERROR-500": (NotAnswering, "try again later"),
    "ERROR-600": (NotAnswering, "try again later"),
    "ERROR-601": (NotAnswering, "try again later"),
}

WEEKDAY, SATURDAY, HOLIDAY = "1", "2", "3"
DIRECTIONS = ("1", "2")
CODE = re.compile(r"[0-9A-Za-z-]{1,16}")


# -- requests -----------------------------------------------------------------------------------------


def traffic_request(spot: str, hour: int, settled: bool = True) -> Request:
    """Vehicles of one counting point (`A-01`) in the hour that begins at `hour` [ns]; one that isn't
    settled may still lack lanes."""
    path = f"/{KEY}/xml/VolInfo/1/{PAGE}/{_code(spot)}/{local(hour, '%Y%m%d/%H')}/"
    return Request(NAME, path, fresh=30 * 86_400.0 if settled else 3600.0)


def timetable_request(station: str, day: str, direction: str, page: int = 1) -> Request:
    """Trains of a station (`0339`) on a kind of day (1 weekday, 2 Saturday, 3 holiday), in a direction."""
    first = (page - 1) * PAGE + 1
    path = (
        f"/{KEY}/json/SearchSTNTimeTableByIDService/{first}/{page * PAGE}/{_code(station)}/{day}/{direction}/"
    )
    return Request(NAME, path, fresh=7 * 86_400.0)


def _code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise Refused(f"{text[:40]!r} is no code", NAME, "a counting point is like A-01, a station like 0339")
    return text


# -- answers ------------------------------------------------------------------------------------------


def read_rows(answer: Answer) -> tuple[list[Row], int]:
    """The rows of any of its services, and how many there are in all. Raises `SourceProblem`."""
    said = content(answer, NAME)
    body = next((part for part in said.values() if isinstance(part, Mapping)), {})
    result = said.get("RESULT", body.get("RESULT"))
    code, message = (
        (word(result, name) for name in ("CODE", "MESSAGE")) if isinstance(result, Mapping) else ("", "")
    )
    if code == "INFO-200":
        return [], 0
    if code != "INFO-000":
        raise _meaning(code, message)
    held = body.get("row")
    found = [row for row in held if isinstance(row, Mapping)] if isinstance(held, list) else []
    return found, whole(body.get("list_total_count"), len(found))


def _meaning(code: str, message: str) -> SourceProblem:
    if not code:
        return Unreadable("no result code", NAME, "try again later")
    kind, advice = CODES.get(code, (Refused, "look the code up at data.seoul.go.kr"))
    return kind(f"it answers {code[:40]} {message[:120]}".strip(), NAME, advice)


def read_traffic(answer: Answer, station: str, hour: int) -> list[Observed]:
    """Vehicles of all lanes and both directions together; none where nothing was counted."""
    found, _ = read_rows(answer)
    volumes = [number(row.get("vol")) for row in found]
    known = [volume for volume in volumes if volume >= 0]
    return [observed(station, hour, "vehicles", sum(known))] if known else []


def read_departures(answer: Answer) -> tuple[list[int], int]:
    """The seconds of the day at which trains leave; what has passed midnight is above 86,400."""
    found, total = read_rows(answer)
    return [seconds for row in found if (seconds := _seconds(row)) is not None], total


def _seconds(row: Row) -> int | None:
    """When a train leaves, else when its last stop is reached; `00:00:00` stands for neither."""
    for field in ("LEFTTIME", "ARRIVETIME"):
        match = re.fullmatch(r"(\d\d?):(\d\d):(\d\d)", word(row, field))
        if match and any(map(int, match.groups())):
            hours, minutes, seconds = map(int, match.groups())
            # Night trains are written as 24:10 or as 00:10; the first train of a day leaves after 4 h.
            return ((hours + 24 if hours < 4 else hours) * 60 + minutes) * 60 + seconds
    return None


def per_hour(departures: list[int]) -> Mapping[int, int]:
    """Trains in each hour since the day's begin, from 4 to 27."""
    return Counter(seconds // 3600 for seconds in departures)


# -- both ---------------------------------------------------------------------------------------------


def fetch_traffic(client: Client, ask: Ask) -> Iterator[Observed]:
    """Vehicles an hour, a request for each counting point and hour."""
    hours = range(-(-ask.start // HOUR) * HOUR, min(ask.end, ask.now - HOUR), HOUR)
    if len(hours) * len(ask.places) > MOST_REQUESTS:
        raise Refused(
            f"{len(hours) * len(ask.places)} requests", NAME, f"ask for at most {MOST_REQUESTS} at once"
        )
    for station, spot in ask.places.items():
        for hour in hours:
            request = traffic_request(spot, hour, ask.now - hour > 2 * DAY)
            yield from client.fetch(request, partial(read_traffic, station=station, hour=hour))


def fetch_trains(client: Client, ask: Ask) -> Iterator[Observed]:
    """Trains an hour and direction by the timetable in force, for each hour asked for."""
    days = range(midnight(ask.start) - DAY, ask.end, DAY)
    for station, code in ask.places.items():
        tags = sorted({day_tag(day) for day in days})
        tables = {
            (direction, tag): _trains(client, code, tag, direction)
            for direction in DIRECTIONS
            for tag in tags
        }
        if not any(tables.values()):
            raise Refused(f"it has no timetable of station {code}", NAME, "is that its code, like 0339?")
        yield from ask.within(_hours(station, days, tables))


def _trains(client: Client, station: str, day: str, direction: str) -> Mapping[int, int]:
    request = partial(timetable_request, station, day, direction)
    return per_hour(list(pages(client, request, read_departures, PAGE)))


def _hours(
    station: str, days: range, tables: Mapping[tuple[str, str], Mapping[int, int]]
) -> Iterator[Observed]:
    # Hours 4 to 27 of a day: each hour of the clock belongs to one of them.
    for day in days:
        tag = day_tag(day)
        for direction in DIRECTIONS:
            for hour in range(4, 28):
                trains = float(tables[direction, tag].get(hour, 0))
                yield Observed(station, day + hour * HOUR, f"trains_{direction}", trains)


def day_tag(day: int) -> str:
    """The timetable's kind of the day that begins in Korea at `day` [ns]."""
    on = date.fromisoformat(local(day, "%Y-%m-%d", KST))
    if on in _free(on.year) or on.weekday() == 6:
        return HOLIDAY
    return SATURDAY if on.weekday() == 5 else WEEKDAY


@lru_cache(maxsize=8)
def _free(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("KR", years=year))
