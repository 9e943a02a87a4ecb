"""The official station nearby and the alerts in force, beside the outdoor air."""

from dataclasses import replace

from edge.readings import SECOND
from gateway.console.answers import OfficialNow
from gateway.console.board import Board
from gateway.console.pulse import Pulse
from gateway.console.sample import NOON, live
from gateway.live import Live, Official
from gateway.reference.nearest import AIR
from gateway.reference.observed import REFERENCE, Observed, table
from gateway.reference.official import newest
from gateway.reference.sources import SOURCES
from gateway.words import words

HOUR = 3600 * SECOND


def shown(there: Live, lang: str = "en") -> OfficialNow | None:
    return Board(there, Pulse(there)).site("hana", words(lang)).official


def test_the_nearest_station_and_the_alert_are_told_in_both_languages() -> None:
    found = shown(live())
    assert found
    assert (found.station, found.km, found.values) == ("jungnang", 1.5, {"pm25": 41.0, "pm10": 63.0})
    assert found.said.startswith(
        "Official station Jungnang-gu, 1.5 km away: PM2.5 41 µg/m³, PM10 63 µg/m³ (11:00"
    )
    assert found.alerts == ["PM2.5 advisory in force: Seoul"]
    korean = shown(live(), "ko")
    assert korean
    assert "국가 측정소 중랑구 (1.5 km)" in korean.said
    assert korean.alerts == ["초미세먼지 주의보 발령 중: 서울"]


def test_what_is_unknown_is_not_told() -> None:
    silent, unplaced, calm = live(), live(), live()
    silent.official = {}
    site = replace(unplaced.network.sites["hana"], lat=None)
    unplaced.network = replace(unplaced.network, sites={**unplaced.network.sites, "hana": site})
    calm.official = {"seoul": Official(0, {}, {"pm10_alert": 2})}
    assert shown(silent) is None
    assert shown(unplaced) is None
    alone = shown(calm)
    assert alone
    assert (alone.station, alone.said) == ("", "")
    assert alone.alerts == ["PM10 warning in force: Seoul"]


def test_the_newest_good_hour_and_the_last_alert_count() -> None:
    said = [
        Observed("a", NOON, "pm25", 20.0),
        Observed("a", NOON, "pm10", 30.0),
        Observed("a", NOON + HOUR, "pm25", 21.0),
        Observed("a", NOON + HOUR, "pm10", 99.0, 4),
        Observed("a", NOON + 2 * HOUR, "pm25", float("nan"), 9),
        Observed("area", NOON, "pm25_alert", 2.0),
        Observed("area", NOON + HOUR, "pm25_alert", 1.0),
        Observed("area", NOON, "pm10_alert", 1.0),
        Observed("area", NOON + HOUR, "pm10_alert", 0.0),
        Observed("sky", NOON, "temp", 3.0),
    ]
    assert newest(table(said)) == {
        "a": Official(NOON + HOUR, {"pm25": 21.0}),
        "area": Official(0, {}, {"pm25_alert": 1}),
    }
    assert newest(table([])) == {}


def test_stations_of_the_air_are_those_of_the_sources_that_measure_particles() -> None:
    measuring = {name for name, source in SOURCES.items() if {*REFERENCE} & {*source.quantities}}
    assert {*AIR} == {"", *measuring}
