"""AirKorea's answers, by the shape that its documentation gives them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from edge.readings import Flag
from gateway.reference import airkorea
from gateway.reference.ask import Ask
from gateway.reference.hour import DAY, HOUR, KST
from gateway.reference.observed import Observed, table
from gateway.reference.problem import (
    KeyRefused,
    NotAnswering,
    QuotaSpent,
    Refused,
    SourceProblem,
    Unreadable,
)
from gateway.reference.transport import Answer
from tests.reference.service import KEY, Asked, Said, asking, gateway_error, portal


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = utc("2026-03-03T03:20")


def row(time: str, **fields: Any) -> dict[str, Any]:
    """An hour as AirKorea writes it: words, and null where all is well."""
    flags = dict.fromkeys(("so2Flag", "coFlag", "o3Flag", "no2Flag", "pm10Flag", "pm25Flag"))
    values = {"so2Value": "0.003", "coValue": "0.4", "o3Value": "0.031", "no2Value": "0.018"}
    particles = {
        "pm10Value": "47",
        "pm25Value": "31",
        "khaiValue": "84",
        "pm10Grade1h": "2",
        "pm25Grade1h": "2",
    }
    return {
        "dataTime": time,
        "stationName": "중랑구",
        "mangName": "도시대기",
        **flags,
        **values,
        **particles,
        **fields,
    }


def hours(*rows: dict[str, Any]) -> dict[tuple[str, str], Observed]:
    answer = Answer(200, {}, portal(rows).body)
    values, _ = airkorea.read_hours(answer, "jungnang")
    return {(datetime.fromtimestamp(v.time / 1e9, KST).strftime("%d %H:%M"), v.quantity): v for v in values}


def test_an_hour_is_stamped_with_its_end_and_kept_at_its_beginning() -> None:
    found = hours(row("2026-03-03 13:00"), row("2026-03-02 24:00"), row("2026-03-03 01:00"))
    assert {time for time, _ in found} == {"03 12:00", "02 23:00", "03 00:00"}
    assert found["02 23:00", "pm25"].time == utc("2026-03-02T14:00")


def test_values_units_and_grades() -> None:
    found = {quantity: value for (_, quantity), value in hours(row("2026-03-03 13:00")).items()}
    assert (found["pm25"].value, found["no2"].value, found["co"].value) == (31.0, 0.018, 0.4)
    assert (found["pm25_grade"].value, found["khai"].value) == (2.0, 84.0)
    assert {value.flag for value in found.values()} == {Flag.GOOD}


@pytest.mark.parametrize("state", ["점검및교정", "장비점검", "자료이상", "통신장애"])
def test_what_a_station_says_of_itself_is_kept(state: str) -> None:
    missing = row("2026-03-03 13:00", pm10Value="-", pm10Flag=state, khaiValue="-", pm25Grade1h="")
    doubtful = row("2026-03-03 14:00", pm25Value="812", pm25Flag=state)
    found = hours(missing, doubtful)
    assert (found["03 12:00", "pm10"].flag, found["03 12:00", "pm25"].flag) == (Flag.MISSING, Flag.GOOD)
    assert (found["03 13:00", "pm25"].value, found["03 13:00", "pm25"].flag) == (812.0, Flag.FAIL)
    assert found["03 12:00", "khai"].flag == Flag.MISSING


def test_a_zero_is_a_value_and_a_negative_one_is_not_good() -> None:
    found = hours(row("2026-03-03 13:00", pm25Value="0", pm10Value="-1"))
    assert (found["03 12:00", "pm25"].value, found["03 12:00", "pm25"].flag) == (0.0, Flag.GOOD)
    assert found["03 12:00", "pm10"].flag == Flag.FAIL


GATEWAY = [
    ("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "30", KeyRefused, "apply"),
    ("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "SERVICE_KEY_IS_NOT_REGISTERED_ERROR", KeyRefused, "apply"),
    ("LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR", "22", QuotaSpent, "500 times a day"),
    ("DEADLINE_HAS_EXPIRED_ERROR", "31", KeyRefused, "renew"),
    ("UNREGISTERED_IP_ERROR", "32", KeyRefused, "address"),
    ("NO_OPENAPI_SERVICE_ERROR", "12", Refused, "report"),
    ("SERVICETIMEOUT_ERROR", "05", NotAnswering, "later"),
    ("SOMETHING_NEW", "77", Refused, "later"),
]


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(("name", "code", "kind", "advice"), GATEWAY)
def test_the_gateways_errors_say_what_to_do(
    name: str, code: str, kind: type[SourceProblem], advice: str, status: int
) -> None:
    with asking([gateway_error(name, code, status)]) as (client, _), pytest.raises(kind) as told:
        list(airkorea.fetch_hours(client, Ask(NOW - DAY // 2, NOW, {"a": "중랑구"}, NOW)))
    assert name in told.value.what
    assert advice in told.value.advice
    assert KEY not in str(told.value)


def test_the_gateways_error_as_json_and_the_services_own() -> None:
    header = {"returnAuthMsg": "SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "returnReasonCode": "30"}
    gateway = json.dumps({"OpenAPI_ServiceResponse": {"cmmMsgHeader": header}}).encode()
    own = {"response": {"header": {"resultCode": "10", "resultMsg": "INVALID_REQUEST_PARAMETER_ERROR."}}}
    for body, kind in ((gateway, KeyRefused), (json.dumps(own).encode(), Refused)):
        with pytest.raises(kind):
            airkorea.read_hours(Answer(200, {}, body), "a")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Unexpected errors",
        b"<!DOCTYPE html><html><body>Service unavailable</body></html>",
        b"<html><body>502 Bad Gateway</body></html>",
        b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>',
        b"{}",
        b"[]",
        b'{"response":',
        "점검중".encode("cp949"),
        b"<a>" * 500 + b"</a>" * 500,
        b"[" * 100_000,
    ],
)
def test_a_page_in_the_place_of_an_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable) as told:
        airkorea.read_hours(Answer(200, {}, body), "a")
    assert told.value.what.isprintable()


def test_no_data_is_an_empty_answer_and_xml_is_read_too() -> None:
    empty = {"response": {"header": {"resultCode": "03", "resultMsg": "NODATA_ERROR"}, "body": {}}}
    assert airkorea.read_hours(Answer(200, {}, json.dumps(empty).encode()), "a") == ([], 0)
    xml = (
        "<?xml version='1.0' encoding='UTF-8'?><response><header><resultCode>00</resultCode></header>"
        "<body><items><item><dataTime>2026-03-03 13:00</dataTime><pm25Value>31</pm25Value></item></items>"
        "<totalCount>1</totalCount></body></response>"
    )
    values, total = airkorea.read_hours(Answer(200, {}, xml.encode()), "a")
    assert total == 1
    assert [v.value for v in values if v.quantity == "pm25"] == [31.0]


def test_a_row_without_a_time_does_not_take_the_others_with_it() -> None:
    with structlog.testing.capture_logs() as logs:
        found = hours(row("2026-03-03 13:00"), {**row("2026-03-03 14:00"), "dataTime": None})
    assert {time for time, _ in found} == {"03 12:00"}
    assert [(one["event"], one["rows"]) for one in logs] == [("reference rows left out", 1)]
    with pytest.raises(Unreadable, match="no time"):
        hours({**row("2026-03-03 14:00"), "dataTime": None})


def test_all_pages_are_read_and_the_term_fits_the_span() -> None:
    def script(asked: Asked) -> Said:
        page = int(asked.query["pageNo"])
        rows = [row(f"2026-03-{day:02d} {hour:02d}:00") for day in range(1, 4) for hour in range(1, 25)]
        return portal(rows[:40] if page == 1 else rows[40:], total=airkorea.PAGE + 32)

    with asking(script) as (client, service):
        ask = Ask(utc("2026-03-01T00:00"), NOW, {"jungnang": "중랑구"}, NOW)
        found = table(airkorea.fetch_hours(client, ask))
    assert [one.query["pageNo"] for one in service.asked] == ["1", "2"]
    assert {one.query["dataTerm"] for one in service.asked} == {"MONTH"}
    assert service.asked[0].query["stationName"] == "중랑구"
    assert (found.time[0], found.time[-1]) == (utc("2026-03-01T00:00"), NOW - 20 * 60 * 10**9)
    assert set(found.numbers) >= {"ref_pm25", "ref_pm25_flag", "ref_pm10", "no2", "pm25_grade"}


def test_what_it_no_longer_serves_is_said() -> None:
    with asking([portal([])]) as (client, service), pytest.raises(Refused) as told:
        list(airkorea.fetch_hours(client, Ask(NOW - 200 * DAY, NOW, {"a": "중랑구"}, NOW)))
    assert "gongi reference import" in told.value.advice
    assert not service.asked


def test_stations_have_their_kind_and_a_swapped_position_is_seen() -> None:
    rows = [
        {
            "stationName": "중랑구",
            "mangName": "도시대기",
            "dmX": "37.584953",
            "dmY": "127.094222",
            "addr": "서울",
        },
        {"stationName": "강변북로", "mangName": "도로변대기", "dmX": "127.1", "dmY": "37.5"},
        {"stationName": "없음", "mangName": "도시대기", "dmX": None, "dmY": ""},
        {"stationName": "새이름", "mangName": "처음 보는 망", "dmX": "35.1", "dmY": "129.0"},
    ]
    spots, total = airkorea.read_stations(Answer(200, {}, portal(rows).body))
    assert total == 4
    assert [(one.code, one.kind, one.lat, one.lon) for one in spots] == [
        ("중랑구", "urban", 37.584953, 127.094222),
        ("강변북로", "roadside", 37.5, 127.1),
        ("새이름", "", 35.1, 129.0),
    ]


def forecast(issued: str, grade: str, code: str = "PM25", day: str = "2026-03-04") -> dict[str, str]:
    said = f"서울 : {grade},제주 : 좋음,경기남부 : 매우나쁨,모르는곳 : 좋음"
    return {"dataTime": issued, "informCode": code, "informData": day, "informGrade": said}


def test_of_a_days_forecasts_the_newest_counts() -> None:
    rows = [forecast("2026-03-03 17시 발표", "나쁨"), forecast("2026-03-03 05시 발표", "보통")]
    with asking([portal([*rows, forecast("2026-03-03 17시 발표", "보통", "O3")])]) as (client, service):
        values = airkorea.fetch_forecast(client, Ask(NOW - DAY, NOW + 4 * DAY, {}, NOW))
        found = table(values)
    regions = {found.words["station"].names[code] for code in found.words["station"].code}
    seoul = found.take(found.words["station"].code == found.words["station"].names.index("seoul"))
    assert regions == {"seoul", "jeju", "gyeonggi-south"}
    assert seoul.time.tolist() == [utc("2026-03-03T15:00")], "the day's first instant in Korea"
    assert (seoul.numbers["pm25_forecast"][0], seoul.numbers["o3_forecast"][0]) == (3.0, 2.0)
    assert [one.query["searchDate"] for one in service.asked][-1] == "2026-03-03"


@pytest.mark.parametrize("hours", [1, 13, 20, 24, 40])
def test_todays_forecast_is_asked_for_whenever_the_span_begins(hours: int) -> None:
    with asking([portal([])]) as (client, service):
        list(airkorea.fetch_forecast(client, Ask(NOW - hours * HOUR, NOW + DAY, {}, NOW)))
    assert [one.query["searchDate"] for one in service.asked][-1] == "2026-03-03"


def test_a_forecast_is_kept_under_the_stations_own_id() -> None:
    with asking([portal([forecast("2026-03-03 17시 발표", "나쁨")])]) as (client, _):
        ask = Ask(NOW - DAY, NOW + 4 * DAY, {"south": "gyeonggi-south", "a": "seoul", "b": "seoul"}, NOW)
        found = table(airkorea.fetch_forecast(client, ask))
    assert found.words["station"].names == ("a", "b", "south")
    assert found.numbers["pm25_forecast"].tolist() == [3.0, 3.0, 4.0]


def test_official_alerts_are_records_and_steps() -> None:
    rows = [
        {
            "sn": "7", "districtName": "경기", "moveName": "남부권", "itemCode": "PM25", "issueGbn": "주의보",
            "issueDate": "2026-03-02", "issueTime": "03:00", "issueVal": "76",
            "clearDate": "2026-03-02", "clearTime": "24:00", "clearVal": "28",
        },
        {
            "sn": "8", "districtName": "경기", "moveName": "남부권", "itemCode": "PM10", "issueGbn": "경보",
            "issueDate": "2026-03-03", "issueTime": "01:00", "issueVal": "330",
            "clearDate": "", "clearTime": "", "clearVal": "",
        },
        {"sn": "9", "itemCode": "PM10", "issueGbn": "?"},
    ]  # fmt: skip
    with asking([portal(rows)]) as (client, _):
        ask = Ask(NOW - 3 * DAY, NOW, {"south": "경기/남부권", "seoul": "서울"}, NOW)
        first, second = airkorea.alerts(client, ask)
        steps = list(airkorea.fetch_alerts(client, ask))
    assert (first.level, first.quantity, first.value, first.clear_value) == (1, "pm25", 76.0, 28.0)
    assert first.cleared == utc("2026-03-02T15:00")
    assert (second.level, second.cleared) == (2, None)
    begin = utc("2026-02-27T15:00")
    said = {(one.station, one.quantity, one.time): one.value for one in steps}
    assert said == {
        ("south", "pm25_alert", begin): 0.0,
        ("south", "pm25_alert", first.issued): 1.0,
        ("south", "pm25_alert", first.issued + 21 * HOUR): 0.0,
        ("south", "pm10_alert", begin): 0.0,
        ("south", "pm10_alert", second.issued): 2.0,
        ("seoul", "pm25_alert", begin): 0.0,
        ("seoul", "pm10_alert", begin): 0.0,
    }


def test_of_a_districts_areas_the_highest_level_counts() -> None:
    def alert(area: str, level: str, issued: str, cleared: str) -> dict[str, str]:
        dates = {"issueDate": "2026-03-02", "clearDate": "2026-03-02" if cleared else ""}
        times = {"issueTime": issued, "clearTime": cleared}
        return {
            "itemCode": "PM10",
            "districtName": "경기",
            "moveName": area,
            "issueGbn": level,
            **dates,
            **times,
        }

    rows = [
        alert("남부권", "주의보", "03:00", "09:00"),
        alert("북부권", "경보", "05:00", "07:00"),
        alert("중부권", "주의보", "08:00", ""),
    ]
    with asking([portal(rows)]) as (client, _):
        ask = Ask(utc("2026-03-01T15:00"), NOW, {"gyeonggi": "경기"}, NOW)
        steps = [one for one in airkorea.fetch_alerts(client, ask) if one.quantity == "pm10_alert"]
    hours = [((one.time - ask.start) // HOUR, one.value) for one in steps]
    assert hours == [(0, 0.0), (3, 1.0), (5, 2.0), (7, 1.0), (8, 1.0), (9, 1.0)]
