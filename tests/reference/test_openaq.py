"""OpenAQ's answers, by the shape that its documentation gives them."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.reference import openaq
from gateway.reference.ask import Ask
from gateway.reference.hour import DAY, HOUR
from gateway.reference.problem import KeyRefused, QuotaSpent, Refused, Unreadable
from gateway.reference.transport import Answer
from tests.reference.service import KEY, Asked, Said, asking


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = utc("2026-03-03T03:20")


def hour(
    time: str, value: float | None, name: str = "pm25", units: str = "µg/m³", bad: bool = False
) -> dict[str, Any]:
    return {
        "value": value,
        "flagInfo": {"hasFlags": bad},
        "parameter": {"id": 2, "name": name, "units": units, "displayName": None},
        "period": {
            "label": "1hour",
            "interval": "01:00:00",
            "datetimeFrom": {"utc": time, "local": time},
            "datetimeTo": {"utc": time, "local": time},
        },
    }


def page(results: list[dict[str, Any]], found: object, number: int = 1) -> Said:
    meta = {"name": "openaq-api", "website": "/", "page": number, "limit": openaq.PAGE, "found": found}
    return Said(json.dumps({"meta": meta, "results": results}, ensure_ascii=False).encode())


def test_hours_with_their_key_in_a_header() -> None:
    rows = [
        hour("2026-03-02T23:00:00Z", 26.1),
        hour("2026-03-03T00:00:00Z", 900.0, bad=True),
        hour("2026-03-03T01:00:00Z", None),
        hour("2026-03-03T02:00:00Z", -999.0),
        hour("2026-03-03T02:00:00Z", 1.0, name="unknown"),
    ]
    with asking([page(rows, 5)]) as (client, service):
        values = list(openaq.fetch_hours(client, Ask(NOW - DAY, NOW, {"a": "13502151"}, NOW)))
    (asked,) = service.asked
    assert asked.path == "/v3/sensors/13502151/hours"
    assert asked.headers["x-api-key"] == KEY
    assert "key" not in "".join(asked.query)
    assert asked.query["datetime_from"] == "2026-03-02T12:00:00+09:00"
    assert [v.time for v in values] == [utc("2026-03-02T23:00") + n * HOUR for n in range(4)]
    assert [v.flag for v in values] == [1, 4, 9, 9]


@pytest.mark.parametrize(
    ("name", "value", "unit", "ours"),
    [
        ("pm25", 12.0, "μg/m³", 12.0),  # the Greek letter and the micro sign are both about
        ("pm25", 12.0, "ppm", math.nan),
        ("no2", 18.0, "ppb", 0.018),
        ("o3", 0.031, "ppm", 0.031),
        ("o3", 100.0, "µg/m³", 0.05097),
        ("co", 1145.0, "µg/m³", 1.0001),
        ("no2", 1.0, "furlong", math.nan),
    ],
)
def test_units_become_ours(name: str, value: float, unit: str, ours: float) -> None:
    assert openaq.in_our_unit(name, value, unit) == pytest.approx(ours, rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("found", [1003, ">1000"])
def test_pages_are_read_even_where_their_number_is_a_guess(found: object) -> None:
    full = [hour("2026-03-02T23:00:00Z", 1.0)] * openaq.PAGE

    def script(asked: Asked) -> Said:
        number = int(asked.query["page"])
        return page(full if number == 1 else full[:3], found, number)

    with asking(script) as (client, service):
        values = list(openaq.fetch_hours(client, Ask(NOW - DAY, NOW, {"a": "1"}, NOW)))
    assert len(values) == openaq.PAGE + 3
    assert len(service.asked) == 2


def test_sensors_around_a_place() -> None:
    location = {
        "id": 7,
        "name": "Jungnang",
        "coordinates": {"latitude": 37.58, "longitude": 127.09},
        "sensors": [
            {"id": 10, "parameter": {"name": "pm25"}},
            {"id": 11, "parameter": {"name": "bc"}},
        ],
    }
    nowhere = {
        "id": 8,
        "name": "x",
        "coordinates": None,
        "sensors": [{"id": 12, "parameter": {"name": "pm25"}}],
    }
    with asking([page([location, nowhere], 2)]) as (client, service):
        (spot,) = openaq.fetch_stations(client, 37.5, 127.0, 60.0)
    assert (spot.code, spot.id, spot.lat, spot.name) == ("10", "openaq-10", 37.58, "Jungnang, pm25")
    assert service.asked[0].query["radius"] == "25000", "the most that it takes"


def test_its_errors() -> None:
    ask = Ask(NOW - DAY, NOW, {"a": "1"}, NOW)
    with asking([Said(b'{"detail":"Unauthorized"}', 401)]) as (client, _), pytest.raises(KeyRefused):
        list(openaq.fetch_hours(client, ask))
    with asking([Said(b"", 429, {"Retry-After": "900"})]) as (client, _), pytest.raises(QuotaSpent):
        list(openaq.fetch_hours(client, ask))
    with asking([page([], 0)]) as (client, service), pytest.raises(Refused):
        list(openaq.fetch_hours(client, Ask(NOW - DAY, NOW, {"a": "../locations"}, NOW)))
    assert not service.asked
    with pytest.raises(Unreadable):
        openaq.read_hours(Answer(200, {}, b'{"results":{"a":1}}'), "a")
