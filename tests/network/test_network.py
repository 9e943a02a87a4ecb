"""Network files: what they become, and that every mistake is named at once with its place."""

import json
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.network import Level, Network
from gateway.command.check import check as check_command
from gateway.network import FaultyNetwork, check, entries_of_the_past, load, read
from gateway.network.fields import ACTUATOR, FITTED, PLACED, ROOM, WHOLE
from gateway.network.fields import NODE as NODE_KEYS
from gateway.network.fields import SITE as SITE_KEYS

EXAMPLES = Path(__file__).parents[2] / "examples"
SECOND = 1_000_000_000

SITE: dict[str, Any] = {
    "id": "hana",
    "ko": "하나초",
    "room": [
        {
            "id": "3-2",
            "volume": 180.0,
            "timetable": {"mon-wed": "08:40-12:10, 13:00-14:30", "fri": "9:00-10:00"},
        },
        {"id": "3-3", "volume": 200},
    ],
}
NODE: dict[str, Any] = {
    "id": "a",
    "placed": [
        {"since": date(2026, 3, 2), "site": "hana", "room": "3-2", "placement": "indoor"},
        {"since": datetime(2026, 4, 1, 9, 30), "site": "hana", "placement": "outdoor", "height": 2},
    ],
    "fitted": [{"since": date(2026, 3, 2), "sensors": [{"type": "pms5003", "serial": "P1"}]}],
}
PURIFIER: dict[str, Any] = {
    "id": "p",
    "kind": "purifier",
    "site": "hana",
    "room": "3-2",
    "levels": [{"power": 1}, {"cadr": 300, "power": 20}],
}
CALIBRATION: dict[str, Any] = {
    "id": "c",
    "since": date(2026, 3, 5),
    "serial": "P1",
    "quantity": "pm25",
    "gain": 0.5,
}
DOCUMENT: dict[str, Any] = {
    "site": [SITE],
    "node": [NODE],
    "actuator": [PURIFIER],
    "calibration": [CALIBRATION],
}


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def changed(path: str, value: object) -> dict[str, Any]:
    """DOCUMENT with one value replaced; `path` like `node.0.placed.1.since`."""
    document = deepcopy(DOCUMENT)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner: Any = document
    for part in way:
        inner = inner[part]
    inner[last] = value
    return document


def network(document: dict[str, Any]) -> Network:
    found, mistakes = check({"network.toml": document}, 2026)
    assert found, mistakes
    return found


def mistakes(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found, said = check({"network.toml": document}, 2026)
    assert found is None
    return {mistake.path: (mistake.found, mistake.wanted) for mistake in said if not mistake.warning}


def test_a_network_is_what_its_file_says() -> None:
    made = network(DOCUMENT)
    indoor, outdoor = made.nodes["a"].placements
    assert indoor.since == ns("2026-03-01T15:00:00Z")
    assert outdoor.since == ns("2026-04-01T00:30:00Z")
    assert (outdoor.room, outdoor.height) == ("", 2.0)
    assert made.nodes["a"].fitted[0].sensors == (("pms5003", "P1"),)
    assert made.sites["hana"].rooms["3-2"].timetable.weekly[:3] == (
        (0, 520, 730),
        (0, 780, 870),
        (1, 520, 730),
    )
    assert made.sites["hana"].en == "하나초"
    assert made.actuators["p"].levels == (Level(power=1.0), Level(300.0, 0.0, 20.0))
    assert made.calibrations[0].since == ns("2026-03-04T15:00:00Z")
    assert made.root == "gongi/v1"
    assert made.influx_resolution == "air"


def test_dates_mean_the_zone_of_the_site() -> None:
    made = network(changed("site.0.tz", "Europe/Paris"))
    assert made.nodes["a"].placements[0].since == ns("2026-03-02T00:00:00+01:00")
    assert made.nodes["a"].placements[1].since == ns("2026-04-01T09:30:00+02:00")
    absolute = network(changed("node.0.placed.1.since", datetime(2026, 4, 1, 9, 30, tzinfo=UTC)))
    assert absolute.nodes["a"].placements[1].since == ns("2026-04-01T09:30:00Z")


def test_holidays_reach_from_the_first_date_to_next_year() -> None:
    document = changed("site.0.calendar", "KR")
    document["site"][0]["closed"] = [date(2026, 5, 4)]
    site = network(document).sites["hana"]
    assert {date(2026, 9, 25), date(2027, 1, 1), date(2026, 5, 4)} <= site.holidays
    assert not site.school_day(date(2026, 9, 25))
    assert site.occupied("3-2", datetime(2026, 9, 20, 23, 50, tzinfo=UTC))
    assert {day.year for day in site.holidays} == {2026, 2027}


def test_hash_is_of_the_content_not_of_its_cut_into_files() -> None:
    whole = network(DOCUMENT)
    parts = {"site.toml": {"site": [SITE]}, "node.toml": {k: v for k, v in DOCUMENT.items() if k != "site"}}
    cut, _ = check({"network.toml": {"include": ["*.toml"]}, **parts}, 2026)
    assert cut
    assert cut.hash == whole.hash
    assert len(whole.hash) == 16
    assert network(changed("site.0.room.0.volume", 181.0)).hash != whole.hash


STATION: dict[str, Any] = {"id": "s", "lat": 37.5, "lon": 127.0}

MISTAKES = [
    ("site.0.id", "Hana", "site[Hana].id", '"Hana"', "an id"),
    ("node.0.id", "time", "node[time].id", '"time"', "reserved"),
    ("actuator.0.id", "a", "actuator[a].id", '"a"', "node[a]"),
    ("site.0.tz", "Asia/Soul", "site[hana].tz", '"Asia/Soul"', '"Asia/Seoul" (did you mean'),
    ("site.0.calendar", "XX", "site[hana].calendar", '"XX"', "country"),
    ("site.0.lat", 91, "site[hana].lat", "91", "from -90 to 90"),
    ("site.0.lon", True, "site[hana].lon", "True", "a number"),
    ("site.0.lon", float("nan"), "site[hana].lon", "nan", "a number"),
    (
        "site.0.terms",
        [{"first": date(2026, 3, 2), "last": date(2026, 3, 1)}],
        "site[hana].terms[#1]",
        "2026-03-01",
        "",
    ),
    ("site.0.room.0.volume", 0, "site[hana].room[3-2].volume", "0", "above 0"),
    ("site.0.room.0.volumne", 1, "site[hana].room[3-2].volumne", '"volumne"', '"volume" (did you'),
    ("site.0.room.0.timetable", {"mon": "8-9"}, "site[hana].room[3-2].timetable.mon", '"8-9"', "08:40-12:10"),
    (
        "site.0.room.0.timetable",
        {"mon": "10:00-09:00"},
        "site[hana].room[3-2].timetable.mon",
        '"10:00',
        "ending after",
    ),
    ("site.0.room.0.limits", {"pm26": 3}, "site[hana].room[3-2].limits.pm26", '"pm26"', '"pm2'),
    ("site.0.room.1.id", "3-2", "site[hana].room[3-2].id", '"3-2"', "already a room"),
    ("node.0.placed.0.room", "3-4", "node[a].placed[#1].room", '"3-4"', '"3-3" (did you'),
    ("node.0.placed.1.room", "3-2", "node[a].placed[#2].room", '"3-2"', "no room for a node outdoors"),
    ("node.0.placed.0.site", "hanna", "node[a].placed[#1].site", '"hanna"', '"hana" (did you'),
    (
        "node.0.placed.1.since",
        date(2026, 3, 2),
        "node[a].placed[#2].since",
        "2026-03-02",
        "after the entry before",
    ),
    ("node.0.placed.1.since", "2026-05-01", "node[a].placed[#2].since", '"2026-05-01"', "a date like"),
    ("node.0.placed", [], "node[a].placed", "a list of 0", "a list of tables"),
    ("node.0.fitted.0.sensors.0.type", "pms5004", "node[a].fitted[#1].sensors[#1].type", '"pms5004"', "pms"),
    ("node.0.batch_s", 601, "node[a].batch_s", "601", "from 10 to 600"),
    ("node.0.limits", {"pm25.spikes": 3}, "node[a].limits.pm25.spikes", "pm25.spikes", "after the point"),
    ("node.0.limits", {"pm25.flat_fail": 1e5}, "node[a].limits.pm25.flat_fail", "flat_fail", "at most 43200"),
    ("actuator.0.safe", 2, "actuator[p].safe", "2", "a level from 0 to 1"),
    ("actuator.0.kind", "ventilator", "actuator[p].levels", '"2 levels"', "flow above 0"),
    ("actuator.0.dialect", "tasmoto", "actuator[p].dialect", '"tasmoto"', '"tasmota"'),
    ("actuator.0.levels.0", {"cadr": 5}, "actuator[p].levels", '"a level 0', "it is off"),
    ("calibration.0.serial", "P2", "calibration[c].serial", '"P2"', "some node carries"),
    ("calibration.0.quantity", "pm", "calibration[c].quantity", '"pm"', "pm"),
    ("root", "gongi/#", "root", '"gongi/#"', "a topic"),
    ("node.0.grade", 4, "node[a].grade", "4", "1, 2, 3 or none"),
    ("node.0.placed.1.grade", True, "node[a].placed[#2].grade", "True", "성능인증"),
    ("node.0.placed.1.siting", "road", "node[a].placed[#2].siting", '"road"', '"roadside"'),
    ("node.0.placed.1.road_m", -1, "node[a].placed[#2].road_m", "-1", "[m]"),
    (
        "station",
        [{**STATION, "source": "airkorea"}],
        "station[s].code",
        '"nothing"',
        "what airkorea calls it",
    ),
    ("station", [{**STATION, "code": "중랑구"}], "station[s].source", '"nothing"', "calls it 중랑구"),
    ("station", [{**STATION, "source": "air"}], "station[s].source", '"air"', "airkorea"),
    ("influx", {"resolution": "air_1h"}, "influx.resolution", '"air_1h"', "air"),
]


@pytest.mark.parametrize(
    ("path", "value", "where", "found", "wanted"), MISTAKES, ids=[m[0] for m in MISTAKES]
)
def test_each_mistake_is_named(path: str, value: object, where: str, found: str, wanted: str) -> None:
    said = mistakes(changed(path, value))
    assert list(said) == [where]
    assert found in said[where][0]
    assert wanted in said[where][1]


def test_a_serial_is_in_one_node_at_a_time() -> None:
    document = deepcopy(DOCUMENT)
    other = {**deepcopy(NODE), "id": "b"}
    document["node"].append(other)
    assert list(mistakes(document)) == ["node[b].fitted[#1].sensors"]
    document["node"][0]["fitted"].append(
        {"since": date(2026, 6, 1), "sensors": [{"type": "pms5003", "serial": "P9"}]}
    )
    other["fitted"][0]["since"] = date(2026, 6, 1)
    assert network(document).nodes["b"].fitted[0].sensors[0][1] == "P1"


def test_a_duty_cycle_without_time_to_sleep_is_said_and_used() -> None:
    made, said = check({"network.toml": changed("node.0.duty", True)}, 2026)
    assert made
    assert made.nodes["a"].duty
    assert [(m.path, m.warning) for m in said] == [("node[a].sample_s", True)]


def test_a_device_without_a_timer_is_said_and_used() -> None:
    made, said = check({"network.toml": changed("actuator.0.dialect", "zigbee2mqtt")}, 2026)
    assert made
    assert not made.actuators["p"].timer
    assert [(m.path, m.warning) for m in said] == [("actuator[p].dialect", True)]


@pytest.mark.parametrize(("height", "warned"), [(1.4, True), (1.5, False), (10, False), (10.5, True)])
def test_an_outdoor_inlet_out_of_reach_is_said_and_used(height: float, warned: bool) -> None:
    made, said = check({"network.toml": changed("node.0.placed.1.height", height)}, 2026)
    assert made
    assert made.nodes["a"].placements[1].height == height
    found = [(m.path, m.warning, "1.5 to 10 m" in m.wanted) for m in said]
    assert found == ([("node[a].placed[#2].height", True, True)] if warned else [])
    assert not check({"network.toml": changed("node.0.placed.0.height", height)}, 2026)[1], "rooms differ"


def test_siting_and_certification_have_dates() -> None:
    document = changed("node.0.grade", "2등급")
    document["node"][0]["placed"][1] |= {"siting": "roadside", "road_m": 4, "shelter": False, "grade": "none"}
    made = network(document)
    before, after = made.nodes["a"].placements
    assert (after.siting, after.road_m, after.exhaust_m, after.shelter) == ("roadside", 4.0, None, False)
    assert (before.siting, before.shelter) == ("", None)
    assert [made.grade("a", place.since) for place in (before, after)] == ["2", "none"]
    assert made.grade("a", before.since - 1) == "2"
    assert made.grade("unknown", 0) == ""


def test_five_mistakes_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "network.toml").write_text('include = ["sites/*.toml"]\nroot = "a//b"\n')
    (tmp_path / "sites/x.toml").write_text(
        '[[site]]\nid = "x"\ntz = "Mars"\n[[site.room]]\nid = "r"\nvolume = -1\n'
        '[[node]]\nid = "gateway"\nplaced = [{since = 2026-01-01, site = "y", placement = "outdoor"}]\n'
    )
    (tmp_path / "sites/y.toml").write_text("this is not TOML")
    with pytest.raises(FaultyNetwork) as error:
        load(tmp_path / "network.toml")
    places = {(Path(m.file).name, m.path) for m in error.value.mistakes}
    assert places == {
        ("network.toml", "root"),
        ("x.toml", "site[x].tz"),
        ("x.toml", "site[x].room[r].volume"),
        ("x.toml", "node[gateway].id"),
        ("x.toml", "node[gateway].placed[#1].site"),
        ("y.toml", "file"),
    }


def test_files_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    (tmp_path / "lonely.toml").write_text('include = ["none/*.toml", "/etc/*.toml", ""]')
    for name in ("absent.toml", "binary.toml", "deep.toml"):
        found, said = read(tmp_path / name)
        assert found is None
        assert [m.path for m in said] == ["file"]
    assert [m.path for m in read(tmp_path / "lonely.toml")[1]] == ["include"] * 3


def test_examples_are_right() -> None:
    school, demo = load(EXAMPLES / "school/network.toml"), load(EXAMPLES / "demo/network.toml")
    assert (len(school.sites["hana"].rooms), len(school.nodes), len(school.actuators)) == (3, 4, 4)
    assert (len(demo.sites), len(demo.nodes), len(demo.actuators)) == (3, 9, 6)


def test_past_entries_are_refused_but_adoption_is_not() -> None:
    old, now = network(DOCUMENT), ns("2026-06-01T00:00:00Z")
    assert entries_of_the_past(old, old, now) == []
    moved = changed("node.0.placed.0.room", "3-3")
    assert [line.split(" (")[0] for line in entries_of_the_past(old, network(moved), now)] == [
        "node[a].placed: entry since 2026-03-01T15:00:00Z changed"
    ]
    ahead = deepcopy(DOCUMENT)
    ahead["node"][0]["placed"].append(
        {"since": date(2026, 7, 1), "site": "hana", "room": "3-3", "placement": "indoor"}
    )
    ahead["node"].append({"id": "new", "placed": deepcopy(NODE["placed"])})
    assert entries_of_the_past(old, network(ahead), now) == []
    assert len(entries_of_the_past(old, network(ahead), ns("2026-08-01T00:00:00Z"))) == 1
    gone = {**DOCUMENT, "node": [{**NODE, "id": "b"}]}
    said = entries_of_the_past(old, network(gone), now)
    assert len(said) == 3
    assert all("removed" in line for line in said)
    steeper = changed("calibration.0.gain", 0.6)
    assert "0.5·raw" in entries_of_the_past(old, network(steeper), now)[0]


def test_command_prints_mistakes_or_ok(tmp_path: Path) -> None:
    good = CliRunner().invoke(check_command, [str(EXAMPLES / "demo/network.toml")])
    assert (good.exit_code, good.output[:21]) == (0, "ok: 6 rooms, 3 sites,")
    bad = tmp_path / "network.toml"
    bad.write_text('[[site]]\nid = "a"\nroom = 3\n')
    shown = CliRunner().invoke(check_command, [str(bad)])
    assert shown.exit_code == 1
    assert "site[a].room: found 3, wanted a list of tables" in shown.output
    as_json = CliRunner().invoke(check_command, [str(bad), "--json"])
    assert as_json.exit_code == 1
    assert json.loads(as_json.output)["mistakes"][0]["path"] == "site[a].room"


LEAVES = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.times(),
    st.sampled_from(
        ["hana", "3-2", "Asia/Seoul", "Asia", "KR", "KR-", "../x", "indoor", "purifier", "P1", "mon"]
    ),
)
SHAPES = (WHOLE, SITE_KEYS, ROOM, NODE_KEYS, PLACED, FITTED, ACTUATOR)
KEYS = st.one_of(
    st.sampled_from(
        [
            field.name
            for shape in (WHOLE, SITE_KEYS, ROOM, NODE_KEYS, PLACED, FITTED, ACTUATOR)
            for field in shape
        ]
        + ["type", "serial", "mon", "first", "last", "cadr", "resolution", "start", "end"]
    ),
    st.text(max_size=5),
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
PATHS = [m[0] for m in MISTAKES] + [
    "site",
    "node",
    "actuator",
    "calibration",
    "site.0",
    "node.0",
    "site.0.closed",
]


@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_any_document_is_a_network_or_mistakes(document: dict[str, Any]) -> None:
    found, said = check({"network.toml": document}, 2026)
    assert (found is None) == any(not mistake.warning for mistake in said)


@given(st.lists(st.tuples(st.sampled_from(PATHS), TREES), min_size=1, max_size=1))
def test_any_value_in_a_good_document_is_a_network_or_mistakes(changes: list[tuple[str, Any]]) -> None:
    found, said = check({"network.toml": changed(*changes[0])}, 2026)
    assert (found is None) == any(not mistake.warning for mistake in said)
