"""OpenAQ v3: hours of any sensor that it holds, and the stations around a point.

Verified in its documentation and in recorded answers: paths, `X-API-Key`, pages of at most 1,000, 60 requests
a minute and 2,000 an hour, HTTP 429, the shape of an hour, `found` as a number or a text like ">1000".
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from gateway.reference.ask import Ask, pages
from gateway.reference.hour import HOUR, iso, local
from gateway.reference.nearest import Spot
from gateway.reference.observed import Observed, number, observed
from gateway.reference.portal import content, each
from gateway.reference.problem import Refused, Unreadable
from gateway.reference.transport import KEY, Answer, Client, Request

NAME = "openaq"
PAGE = 1000

MOLAR_G: Mapping[str, float] = {"so2": 64.066, "no2": 46.006, "o3": 47.998, "co": 28.010}
LITRES = 24.465
"""Volume of a mole of gas at 25 °C and 101.325 kPa: µg/m³ into ppm."""

PARAMETERS: Mapping[str, str] = {
    "pm25": "pm25",
    "pm10": "pm10",
    "pm1": "pm1",
    **dict.fromkeys(MOLAR_G, ""),
    "temperature": "temp",
    "relativehumidity": "rh",
    "wind_speed": "wind_speed",
    "wind_direction": "wind_dir",
    "pressure": "pressure",
}
"""OpenAQ's parameters as our quantities; gases keep their name."""

MASS = ("µg/m³", "μg/m³", "ug/m3", "µg/m3")


def hours_request(sensor: str, start: int, end: int, page: int = 1) -> Request:
    """A sensor's hourly means in [start, end) [ns]."""
    if not (sensor.isdecimal() and len(sensor) < 12):
        raise Refused(
            f"{sensor[:40]!r} is no sensor",
            NAME,
            "a sensor is a number: see `gongi reference stations openaq`",
        )
    form = "%Y-%m-%dT%H:%M:%S+09:00"
    span = (("datetime_from", local(start, form)), ("datetime_to", local(end, form)))
    paging = (("limit", str(PAGE)), ("page", str(page)))
    return Request(NAME, f"/v3/sensors/{sensor}/hours", (*span, *paging), HEADERS, fresh=900.0)


def stations_request(lat: float, lon: float, radius_m: int, page: int = 1) -> Request:
    """Stations around a point [°], within at most 25 km."""
    near = (("coordinates", f"{lat:.4f},{lon:.4f}"), ("radius", str(min(radius_m, 25_000))))
    paging = (("limit", str(PAGE)), ("page", str(page)))
    return Request(NAME, "/v3/locations", (*near, *paging), HEADERS, fresh=7 * 86_400.0)


HEADERS = (("X-API-Key", KEY),)


def read_hours(answer: Answer, station: str) -> tuple[list[Observed], int]:
    """A sensor's hours, each at its beginning; those that OpenAQ flags are flagged."""
    results, total = _results(answer)
    return each(results, partial(_hour, station=station), NAME), total


def _hour(one: Mapping[str, Any], station: str) -> Iterator[Observed]:
    name = str(_deep(one, "parameter", "name") or "")
    if name not in PARAMETERS:
        return
    begins = _deep(one, "period", "datetimeFrom", "utc")
    try:
        time = iso(str(begins)) // HOUR * HOUR
    except (ValueError, OverflowError):
        raise Unreadable(f"no time: {str(begins)[:40]!r}", NAME, "try again later") from None
    value = in_our_unit(name, number(one.get("value")), str(_deep(one, "parameter", "units") or ""))
    bad = _deep(one, "flagInfo", "hasFlags") is True
    yield observed(station, time, PARAMETERS[name] or name, value, bad)


def in_our_unit(name: str, value: float, unit: str) -> float:
    """A value in the unit that Gongi keeps: µg/m³ for particles, ppm for gases (25 °C, 101.325 kPa); NaN in a
    unit that isn't known, and below zero, which OpenAQ has for missing."""
    if name.startswith("pm"):
        return value if unit in MASS and value >= 0 else float("nan")
    if name not in MOLAR_G:
        return value
    scale = {"ppm": 1.0, "ppb": 1e-3, **dict.fromkeys(MASS, LITRES / MOLAR_G[name] / 1000)}.get(
        unit, float("nan")
    )
    return value * scale if value >= 0 else float("nan")


def read_stations(answer: Answer) -> tuple[list[Spot], int]:
    """A spot for each sensor of each station; `code` is the sensor's number."""
    results, total = _results(answer)
    return [spot for one in results for spot in _spots(one)], total


def _spots(one: Mapping[str, Any]) -> Iterator[Spot]:
    lat, lon = (number(_deep(one, "coordinates", name)) for name in ("latitude", "longitude"))
    sensors = one.get("sensors")
    for sensor in sensors if isinstance(sensors, list) and lat == lat and lon == lon else ():
        quantity = str(_deep(sensor, "parameter", "name") or "")
        code = str(_deep(sensor, "id") or "")
        if quantity in PARAMETERS and code.isdecimal():
            yield Spot(f"openaq-{code}", code, lat, lon, "", f"{one.get('name') or code}, {quantity}")


def _deep(value: Any, *names: str) -> Any:
    """A field of nested fields, None where one of them isn't there."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _results(answer: Answer) -> tuple[list[Mapping[str, Any]], int]:
    said = content(answer, NAME)
    results = said.get("results")
    if not isinstance(results, list):
        raise Unreadable("no list of results", NAME, "try again later")
    page, found = _deep(said, "meta", "page"), _deep(said, "meta", "found")
    # `found` may be ">1000": a full page means that another may come.
    if isinstance(found, int):
        total = found
    else:
        total = (page if isinstance(page, int) else 1) * PAGE + (len(results) == PAGE)
    return [one for one in results if isinstance(one, Mapping)], total


def fetch_hours(client: Client, ask: Ask) -> Iterator[Observed]:
    """Each sensor's hours."""
    for station, sensor in ask.places.items():
        # Whole hours: the same question again is the same request, and the cache's.
        span = ask.start // HOUR * HOUR, -(-ask.end // HOUR) * HOUR
        request = partial(hours_request, sensor, *span)
        yield from ask.within(pages(client, request, partial(read_hours, station=station), PAGE))


def fetch_stations(client: Client, lat: float, lon: float, km: float) -> list[Spot]:
    """The sensors around a point [°]."""
    return list(pages(client, partial(stations_request, lat, lon, int(km * 1000)), read_stations, PAGE))
