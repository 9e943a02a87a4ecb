"""Seoul's counts of vehicles and timetables of trains, by the shape that its documentation gives them."""

import json
from collections import Counter
from datetime import UTC, date, datetime

import pytest

from gateway.reference import seoul
from gateway.reference.ask import Ask
from gateway.reference.hour import HOUR, KST
from gateway.reference.observed import table
from gateway.reference.problem import KeyRefused, NotAnswering, QuotaSpent, Refused, Unreadable
from gateway.reference.transport import Answer
from tests.reference.service import Asked, Said, asking


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = utc("2026-03-03T03:20")


def volumes(*lanes: str) -> Said:
    rows = "".join(
        f"<row><spot_num>A-01</spot_num><ymd>20260303</ymd><hh>08</hh><io_type>{1 + n % 2}</io_type>"
        f"<lane_num>{n}</lane_num><vol>{vol}</vol></row>"
        for n, vol in enumerate(lanes)
    )
    result = "<RESULT><CODE>INFO-000</CODE><MESSAGE>정상 처리되었습니다</MESSAGE></RESULT>"
    count = f"<list_total_count>{len(lanes)}</list_total_count>"
    return Said(f'<?xml version="1.0" encoding="UTF-8"?><VolInfo>{count}{result}{rows}</VolInfo>'.encode())


NOTHING = Said(
    "<RESULT><CODE>INFO-200</CODE><MESSAGE>해당하는 데이터가 없습니다.</MESSAGE></RESULT>".encode()
)


def test_vehicles_of_all_lanes_and_directions_together() -> None:
    with asking([volumes("812", "640", "", "5"), NOTHING]) as (client, service):
        ask = Ask(utc("2026-03-02T23:00"), utc("2026-03-03T01:00"), {"jongno": "A-01"}, NOW)
        (value,) = seoul.fetch_traffic(client, ask)
    assert (value.station, value.time, value.quantity) == ("jongno", utc("2026-03-02T23:00"), "vehicles")
    assert value.value == 1457.0
    assert [one.path.split("/xml/")[1] for one in service.asked] == [
        "VolInfo/1/1000/A-01/20260303/08/",
        "VolInfo/1/1000/A-01/20260303/09/",
    ]


def test_too_many_hours_at_once_and_codes_that_are_none_are_refused_unasked() -> None:
    with asking([NOTHING]) as (client, service):
        with pytest.raises(Refused, match="requests"):
            list(seoul.fetch_traffic(client, Ask(NOW - 4000 * HOUR, NOW, {"a": "A-01"}, NOW)))
        with pytest.raises(Refused, match="no code"):
            list(seoul.fetch_traffic(client, Ask(NOW - 3 * HOUR, NOW, {"a": "../A"}, NOW)))
        assert not service.asked


def timetable(*leaves: str) -> Said:
    rows = [
        {"STATION_CD": "0339", "TRAIN_NO": str(n), "LEFTTIME": t, "ARRIVETIME": t}
        for n, t in enumerate(leaves)
    ]
    body = {"list_total_count": len(rows), "RESULT": {"CODE": "INFO-000", "MESSAGE": "정상"}, "row": rows}
    return Said(json.dumps({"SearchSTNTimeTableByIDService": body}).encode())


def test_trains_an_hour_by_day_and_direction() -> None:
    def script(asked: Asked) -> Said:
        day, direction = asked.path.rstrip("/").split("/")[-2:]
        if direction == "2":
            return NOTHING
        return (
            timetable("05:22:00", "05:40:00", "23:50:00", "24:10:00", "00:20:00")
            if day == "1"
            else timetable("05:30:00")
        )

    # From Tuesday 5 h to Wednesday 5 h in Korea.
    ask = Ask(utc("2026-03-02T20:00"), utc("2026-03-03T20:00"), {"suseo": "0339"}, NOW)
    with asking(script) as (client, service):
        found = table(seoul.fetch_trains(client, ask))
    trains = dict(
        zip(((found.time - ask.start) // HOUR).tolist(), found.numbers["trains_1"].tolist(), strict=True)
    )
    assert trains == {hour: {0: 2.0, 18: 1.0, 19: 2.0}.get(hour, 0.0) for hour in range(24)}
    assert not found.numbers["trains_2"].any()
    assert Counter(one.path.split("/")[-3] for one in service.asked)["1"] == 2


def test_a_train_without_a_departure_counts_by_its_arrival() -> None:
    rows = [
        {"LEFTTIME": "00:00:00", "ARRIVETIME": "05:10:00"},
        {"LEFTTIME": "00:00:00", "ARRIVETIME": "00:00:00"},
        {"LEFTTIME": "x", "ARRIVETIME": None},
    ]
    body = {"S": {"list_total_count": 3, "RESULT": {"CODE": "INFO-000"}, "row": rows}}
    assert seoul.read_departures(Answer(200, {}, json.dumps(body).encode())) == ([5 * 3600 + 600], 3)


def test_a_station_without_a_timetable_is_no_station_without_trains() -> None:
    with asking([NOTHING]) as (client, _), pytest.raises(Refused, match="no timetable of station 9999"):
        list(seoul.fetch_trains(client, Ask(NOW - HOUR, NOW, {"a": "9999"}, NOW)))


@pytest.mark.parametrize(
    ("day", "tag"),
    [
        (date(2026, 3, 3), seoul.WEEKDAY),
        (date(2026, 3, 7), seoul.SATURDAY),
        (date(2026, 3, 8), seoul.HOLIDAY),
        (date(2026, 9, 25), seoul.HOLIDAY),  # Chuseok, a Friday
    ],
)
def test_the_kind_of_a_day(day: date, tag: str) -> None:
    begin = datetime(day.year, day.month, day.day, tzinfo=KST)
    assert seoul.day_tag(int(begin.timestamp()) * 10**9) == tag


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INFO-100", KeyRefused),
        ("ERROR-300", Refused),
        ("ERROR-337", QuotaSpent),
        ("ERROR-500", NotAnswering),
        ("ERROR-999", Refused),
        ("", Unreadable),
    ],
)
def test_its_errors_in_both_forms(code: str, kind: type[Exception]) -> None:
    said = {"RESULT": {"CODE": code, "MESSAGE": "인증키가 유효하지 않습니다."}}
    xml = f"<RESULT><CODE>{code}</CODE><MESSAGE>인증키가 유효하지 않습니다.</MESSAGE></RESULT>"
    for body in (json.dumps(said).encode(), xml.encode(), json.dumps({"VolInfo": said}).encode()):
        with pytest.raises(kind):
            seoul.read_rows(Answer(200, {}, body))
