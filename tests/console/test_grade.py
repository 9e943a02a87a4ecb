"""Grades and limits at their edges (reference/science.md section 1), and the advice that follows."""

from dataclasses import replace
from datetime import date

import pytest

from edge.decision import REASONS
from edge.index.korea import GRADES as BANDS
from edge.index.korea import TABLES, rank
from edge.index.school import limits
from edge.network import Room, Timetable
from edge.readings import SECOND
from gateway.console import spoken
from gateway.console.answers import SiteNow
from gateway.console.board import Board
from gateway.console.device import state
from gateway.console.grade import GRADES
from gateway.console.pulse import Pulse
from gateway.console.sample import NOON, live, values
from gateway.live import Horizon, Latest, Live, Outlook, Value
from gateway.words import LANGUAGES, words

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("quantity", "value", "grade"),
    [
        ("pm25", 0.0, "good"),
        ("pm25", 15.4, "good"),
        ("pm25", 15.5, "moderate"),
        ("pm25", 35.0, "moderate"),
        ("pm25", 36.0, "unhealthy"),
        ("pm25", 75.0, "unhealthy"),
        ("pm25", 76.0, "very_unhealthy"),
        ("pm10", 30.0, "good"),
        ("pm10", 31.0, "moderate"),
        ("pm10", 80.0, "moderate"),
        ("pm10", 81.0, "unhealthy"),
        ("pm10", 150.0, "unhealthy"),
        ("pm10", 151.0, "very_unhealthy"),
    ],
)
def test_the_four_grades(quantity: str, value: float, grade: str) -> None:
    place = rank(quantity, value, TODAY)
    assert place is not None
    assert GRADES[place].id == grade


def test_a_quantity_without_grades_has_none() -> None:
    assert rank("co2", 5000.0, TODAY) is None


def test_the_tables_are_dated_in_order() -> None:
    assert [bounds.since for bounds in TABLES] == sorted(bounds.since for bounds in TABLES)
    assert [grade.word for grade in GRADES] == [band.word for band in BANDS]


def test_a_rooms_own_limits_come_before_the_laws() -> None:
    room = Room("a", "a", "a", 180.0, Timetable())
    assert limits(room)["co2"] == (None, 1000.0)
    assert limits(replace(room, ventilation="mechanical"))["co2"] == (None, 1500.0)
    own = limits(replace(room, ventilation="mechanical", limits={"co2": 900.0}))
    assert own["co2"] == (None, 900.0)
    assert own["temp"] == (18.0, 28.0)
    assert limits(None) == {}


@pytest.mark.parametrize(
    ("age_s", "online", "expected"),
    [
        (0, True, "fresh"),
        (180, True, "fresh"),
        (181, True, "stale"),
        (181, None, "stale"),
        (181, False, "dead"),
        (600, True, "stale"),
        (601, True, "dead"),
        (60, False, "fresh"),
        (-30, True, "fresh"),
    ],
)
def test_fresh_data_speaks_first_and_status_second(age_s: int, online: bool | None, expected: str) -> None:
    node = live().network.nodes["2-1-a"]
    assert state(node, Latest(NOON - age_s * SECOND, {}), online, NOON) == expected


def test_a_node_never_heard_says_so() -> None:
    assert state(live().network.nodes["2-1-a"], None, None, NOON) == "never"


def _site(school: Live) -> SiteNow:
    return Board(school, Pulse(school)).site("hana", words("en"))


def _school(indoors: float, outdoors: float | None, co2: float = 600.0, ahead: float | None = None) -> Live:
    school = live()
    school.outlook.clear()
    for id in school.latest:
        school.latest[id] = Latest(NOON, values(indoors, co2))
    school.latest["out-a"] = Latest(NOON if outdoors is not None else 0, values(outdoors or 0.0, None))
    if ahead is not None:
        step = Horizon(1800, NOON + 1800 * SECOND, ahead, ahead - 5, ahead + 5)
        school.outlook["2-1-a"] = Outlook("pm25", NOON, "m", (step,))
    return school


@pytest.mark.parametrize(
    ("school", "advice"),
    [
        (_school(50.0, 50.0), "shut"),
        (_school(50.0, 5.0), "air"),
        (_school(50.0, None), "purify"),
        (_school(20.0, 20.0, ahead=48.0), "rising"),
        (_school(20.0, 90.0), "indoors"),
        (_school(20.0, 20.0, co2=1200.0), "ventilate"),
        (_school(20.0, 20.0), "fine"),
        (_school(20.0, None), "fine"),
    ],
)
def test_the_advice_fits_the_situation(school: Live, advice: str) -> None:
    assert _site(school).advice.id == advice


def test_without_one_fresh_room_nothing_is_called_fine() -> None:
    school = _school(20.0, 20.0)
    school.now += 3600 * SECOND
    site = _site(school)
    assert site.advice.id == "blind"
    assert {room.grade for room in site.rooms} == {None}


@pytest.mark.parametrize("flag", [2, 4, 9])
def test_a_value_that_quality_control_does_not_trust_has_no_grade(flag: int) -> None:
    school = _school(20.0, 20.0)
    school.latest["2-1-a"] = Latest(NOON, {"pm25": Value(500.0, 500.0, 1.0, flag)})
    room = next(room for room in _site(school).rooms if room.id == "2-1")
    assert room.grade is None
    assert room.values["pm25"].word
    assert not room.values["pm25"].usable


def test_zero_is_a_value() -> None:
    school = _school(0.0, 20.0)
    room = _site(school).rooms[0]
    assert (room.grade, room.values["pm25"].shown) == ("good", "0")


def test_a_forecast_that_lies_behind_us_is_none() -> None:
    school = _school(20.0, 20.0, ahead=48.0)
    school.now += 1801 * SECOND
    for id, latest in school.latest.items():
        school.latest[id] = replace(latest, time=school.now)
    assert all(room.outlook is None for room in _site(school).rooms)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("template", REASONS.values(), ids=REASONS.keys())
def test_every_reason_of_the_policy_is_said_in_words(lang: str, template: str) -> None:
    numbers = {"now": 41.2, "limit": 35, "forecast": 48, "risk": 59, "co2": 1100, "outdoor": 12}
    sent = template.format(**numbers, minutes=30, count=8, level=1, watts=40)
    said = spoken.reason(sent, words(lang))
    assert "{" not in said
    assert (said != sent) == (lang == "ko" or "41.2" in sent)


def test_an_unknown_reason_stands_as_it_was_sent() -> None:
    assert spoken.reason("because", words("ko")) == "because"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0초"), (120, "2분"), (2820, "47분"), (7199, "119분"), (7200, "2시간"), (180000, "2일")],
)
def test_spans(seconds: int, said: str) -> None:
    assert spoken.span(seconds, words("ko")) == said
