"""KMA's grid and its answers, by the shape that its documentation gives them."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.reference import kma
from gateway.reference.ask import Ask
from gateway.reference.hour import DAY, HOUR
from gateway.reference.observed import table
from gateway.reference.problem import Refused
from gateway.reference.transport import Answer
from tests.reference.service import Asked, Said, asking, portal


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = utc("2026-03-03T03:20")  # 12:20 in Korea


@pytest.mark.parametrize(
    ("lat", "lon", "cell"),
    [
        (37.5665, 126.9780, (60, 127)),  # Seoul's city hall; these three pairs stand in public clients
        (37.8813, 127.7300, (73, 134)),  # Chuncheon
        (37.74913611, 128.8784972, (92, 131)),  # Gangneung
        (38.0, 126.0, (43, 136)),  # where the grid is anchored
    ],
)
def test_the_cell_of_a_place(lat: float, lon: float, cell: tuple[int, int]) -> None:
    assert kma.grid(lat, lon) == cell


@pytest.mark.parametrize(
    "place", ["0,0", "51.5,0", "37.5", "a,b", "nan,127", "37.5,1e400", "-90,127", "90,127"]
)
def test_a_place_outside_the_grid_is_refused(place: str) -> None:
    with pytest.raises(Refused) as told:
        kma.cell(place)
    assert "LAT,LON" in told.value.advice


def seen(category: str, value: str, **fields: str) -> dict[str, Any]:
    return {"baseDate": "20260303", "baseTime": "1200", "category": category, "obsrValue": value, **fields}


def test_what_is_observed_now() -> None:
    rows = [
        seen("T1H", "-3.4"),
        seen("REH", "62"),
        seen("WSD", "1.8"),
        seen("VEC", "310"),
        seen("RN1", "0"),
        seen("PTY", "0"),
        seen("UUU", "1"),
        seen("T1H", "-998.9", baseTime="1100"),
    ]
    values, _ = kma.read_grid(Answer(200, {}, portal(rows, wrapped=True).body), "school")
    found = {(v.quantity, v.time): v.value for v in values}
    noon = utc("2026-03-03T03:00")
    assert found["temp", noon] == -3.4
    assert {q: found[q, noon] for q in ("rh", "wind_speed", "wind_dir", "rain", "rain_kind")} == {
        "rh": 62.0,
        "wind_speed": 1.8,
        "wind_dir": 310.0,
        "rain": 0.0,
        "rain_kind": 0.0,
    }
    assert math.isnan(found["temp", noon - HOUR]), "-998.9 is KMA's word for none"


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("강수없음", 0.0),
        ("1.0mm 미만", 0.5),
        ("2.5mm", 2.5),
        ("30.0~50.0mm", 40.0),
        ("50.0mm 이상", 50.0),
        ("0", 0.0),
    ],
)
def test_amounts_of_rain(said: str, amount: float) -> None:
    assert kma.rain(said) == amount
    assert kma.rain("-") == kma.rain(None) == 0.0
    assert math.isnan(kma.rain("약간"))


def test_observations_are_asked_for_by_hour_and_cell() -> None:
    def script(asked: Asked) -> Said:
        q = asked.query
        return portal([seen("T1H", "5", baseDate=q["base_date"], baseTime=q["base_time"])], wrapped=True)

    with asking(script) as (client, service):
        ask = Ask(NOW - 4 * HOUR, NOW, {"school": "37.5665,126.9780"}, NOW)
        found = table(kma.fetch_observed(client, ask))
    # Noon's is published at 12:40, 20 minutes from now.
    assert [one.query["base_time"] for one in service.asked] == ["0900", "1000", "1100"]
    assert {(one.query["nx"], one.query["ny"]) for one in service.asked} == {("60", "127")}
    assert found.time.tolist() == [utc(f"2026-03-03T0{hour}:00") for hour in (0, 1, 2)]


def ahead(category: str, value: str, time: str) -> dict[str, Any]:
    return {"baseDate": "20260303", "baseTime": "1130", "category": category, "fcstDate": "20260303",
            "fcstTime": time, "fcstValue": value}  # fmt: skip


@pytest.mark.parametrize(
    ("fetch", "operation", "base"),
    [(kma.fetch_ahead, "getUltraSrtFcst", "1130"), (kma.fetch_village, "getVilageFcst", "1100")],
)
def test_the_newest_forecast_is_asked_for(fetch: Any, operation: str, base: str) -> None:
    rows = [
        ahead("T1H", "6", "1300"),
        ahead("TMP", "6", "1300"),
        ahead("PCP", "강수없음", "1400"),
        ahead("POP", "30", "1300"),
    ]
    with asking([portal(rows, wrapped=True)]) as (client, service):
        found = table(fetch(client, Ask(NOW - DAY, NOW + DAY, {"school": "37.5665,126.9780"}, NOW)))
    (asked,) = service.asked
    assert asked.path.endswith(f"/{operation}")
    assert asked.query["base_time"] == base
    assert found.time.tolist() == [utc("2026-03-03T04:00"), utc("2026-03-03T05:00")]
    assert (found.numbers["temp"][0], found.numbers["rain"][1]) == (6.0, 0.0)


def test_hours_of_a_weather_station_end_with_yesterday() -> None:
    rows = [
        {"tm": "2026-03-02 08:00", "ta": "3.1", "hm": "70", "ws": "2", "wd": "270", "pa": "1013.2", "rn": ""},
        {"tm": "2026-03-02 09:00", "ta": "", "hm": "71", "hmQcflg": "1", "rn": "1.5"},
        {"tm": "2026-03-02 10:00", "ta": "4.0", "rn": "", "rnQcflg": "9"},
    ]
    with asking([portal(rows, wrapped=True)]) as (client, service):
        ask = Ask(utc("2026-03-01T20:00"), NOW, {"seoul": "108"}, NOW)
        found = table(kma.fetch_asos(client, ask))
    asked = service.asked[0].query
    assert (asked["stnIds"], asked["startDt"], asked["startHh"]) == ("108", "20260302", "05")
    assert (asked["endDt"], asked["endHh"]) == ("20260302", "23")
    at = {time: row for row, time in enumerate(found.time.tolist())}
    first, second = at[utc("2026-03-01T23:00")], at[utc("2026-03-02T00:00")]
    assert found.numbers["temp"][first] == 3.1
    assert found.numbers["rain"][at[utc("2026-03-01T22:00")]] == 0.0, (
        "rain of an hour stands at its beginning"
    )
    assert (found.numbers["rain"][first], found.numbers["rh"][second]) == (1.5, 71.0)
    assert math.isnan(found.numbers["temp"][second])
    assert (found.numbers["temp_flag"][second], found.numbers["rh_flag"][second]) == (9, 4)
    assert found.numbers["rain_flag"][second] == 9, "missing is not dry"
