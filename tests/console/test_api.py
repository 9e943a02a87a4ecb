"""The API as a program meets it: over HTTP, from a real server."""

import dataclasses
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from edge.decision import Decision
from edge.readings import SECOND
from gateway.console import serve_console
from gateway.console.sample import NOON, values
from gateway.console.serving import Unserved
from gateway.live import Alarm, Latest
from tests.console.conftest import LEDGER, Console


@contextmanager
def answer(console: Console, path: str, **headers: str) -> Iterator[HTTPResponse]:
    request = urllib.request.Request(console.url(path), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            yield error  # type: ignore[misc]  # it is read as a response is


def get(console: Console, path: str, **headers: str) -> Any:
    with answer(console, path, **headers) as response:
        return json.load(response)


def room(site: dict[str, Any], id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in site["rooms"] if one["id"] == id)
    return found


def test_all_schools_stand_worst_first(console: Console) -> None:
    sites = get(console, "/api/v1/sites?lang=en")
    assert [line["id"] for line in sites["sites"]] == ["hana", "duri"]
    assert sites["sites"][0]["worst"] == "Class 2-1"
    assert sites["sites"][0]["word"] == "Unhealthy"


def test_a_school_tells_its_rooms_worst_first_with_units(console: Console) -> None:
    site = get(console, "/api/v1/sites/hana?lang=ko")
    assert [one["id"] for one in site["rooms"]][:4] == ["2-1", "1-2", "1-1", "gym"]
    cell = room(site, "2-1")["values"]["pm25"]
    assert (cell["value"], cell["unit"], cell["grade"], cell["word"]) == (47.0, "µg/m³", "unhealthy", "나쁨")
    assert room(site, "2-1")["values"]["co2"]["beyond"] == "high"
    assert [step["horizon_s"] for step in room(site, "2-1")["outlook"]["steps"]] == [600, 1800, 3600]
    assert site["outdoor"]["grade"] == "unhealthy"


def test_a_room_says_what_to_do_with_its_windows(console: Console) -> None:
    details = {"outdoor": 9.0, "now": 41.0, "limit": 1000.0}
    console.live.windows["hana", "2-1"] = Decision("windows", 1, "open", details)
    said = [room(get(console, f"/api/v1/sites/hana?lang={lang}"), "2-1")["windows"] for lang in ("en", "ko")]
    assert said == [
        "open the windows: outdoor air has 9 µg/m³, indoors 41",
        "창문을 여세요. 바깥 9 µg/m³, 실내 41",
    ]
    assert room(get(console, "/api/v1/sites/hana"), "1-2")["windows"] == ""


def test_a_purifier_tells_its_reason_and_whether_it_confirmed(console: Console) -> None:
    site = get(console, "/api/v1/sites/hana?lang=ko")
    first = room(site, "2-1")["actuators"][0]
    assert (first["level"], first["acknowledged"]) == (3, True)
    assert first["why"] == "30분 뒤 48 µg/m³ 예측, 최대 59까지 가능 (기준 35)"
    assert first["answer_word"] == "작동 확인됨 (11:17)"
    second = room(site, "1-2")["actuators"][0]
    assert (second["level"], second["told"], second["acknowledged"]) == (1, 2, False)
    assert second["why"].startswith("명령: 2단계 (최고 3), 60분 뒤 36 µg/m³ 예측")
    assert second["answer_word"] == "아직 응답 없음 (11:19 명령)"


def test_a_silent_node_gives_no_grade_and_says_since_when(console: Console) -> None:
    library = room(get(console, "/api/v1/sites/hana?lang=en"), "library")
    assert (library["state"], library["grade"], library["word"]) == ("dead", None, "No answer")
    assert library["said"] == "No answer since 10:33, 47 minutes ago"
    assert not library["values"]["pm25"]["usable"]


def test_alarms_new_nodes_and_a_refused_file_are_told(console: Console) -> None:
    console.live.refused = "sites/hana.toml: rooms[2].volume is -3, but must be positive"
    site = get(console, "/api/v1/sites/hana?lang=en")
    assert site["refused"].startswith("sites/hana.toml")
    assert site["alarms"][0]["text"].startswith("Library, monitor library-a has stopped sending")
    assert [node["id"] for node in site["new_nodes"]] == ["3-1-a"]
    assert site["silent"] == [], "the alarm names it already"
    console.live.alarms.clear()
    assert [node["id"] for node in get(console, "/api/v1/sites/hana")["silent"]] == ["library-a"]


def test_another_schools_alarm_is_not_told(console: Console) -> None:
    console.live.alarms["disk", "gateway"] = Alarm("disk", "gateway", "", NOON)
    assert [alarm["kind"] for alarm in get(console, "/api/v1/sites/duri")["alarms"]] == ["disk"]


@pytest.mark.parametrize(
    "path",
    ["/sites", "/sites/hana", "/sites/hana/series?node=2-1-a", "/nodes/2-1-a", "/ledger"],
)
def test_the_three_statements_stand_with_all_data(console: Console, path: str) -> None:
    notice = get(console, f"/api/v1{path}", **{"Accept-Language": "ko"})["notice"]
    assert notice == {
        "instrument": "간이측정기로 측정한 값입니다.",
        "grade": "성능인증 등급: 1등급",
        "network": "국가 대기오염측정망 자료가 아닙니다.",
    }


def test_how_a_node_stands_and_its_certificate_stand_with_its_values(console: Console) -> None:
    outdoors = get(console, "/api/v1/nodes/out-a", **{"Accept-Language": "en"})
    said = "in a residential area, inlet 2.5 m high, 60 m from a road, 20 m from an exhaust, sheltered"
    figures = {"height_m": 2.5, "road_m": 60.0, "exhaust_m": 20.0, "shelter": True}
    stands = outdoors["node"]["siting"]
    assert {**stands, "said": stands["said"].replace("\u00a0", " ")} == {
        "kind": "urban",
        **figures,
        "said": said,
    }
    assert (outdoors["certificate"], outdoors["node"]["certificate"]) == ("1", "1")
    assert get(console, "/api/v1/nodes/2-1-a")["node"]["siting"]["road_m"] is None


def test_a_certificate_has_dates_and_one_without_is_named(console: Console) -> None:
    network = console.live.network
    node = network.nodes["2-1-a"]
    (place,) = node.placements
    since = NOON - 6 * 3600 * SECOND
    bare = dataclasses.replace(place, since=since, grade="none")
    changed = dataclasses.replace(node, placements=(place, bare))
    console.live.network = dataclasses.replace(network, nodes={**network.nodes, "2-1-a": changed})
    english = {"Accept-Language": "en"}
    assert get(console, "/api/v1/nodes/2-1-a")["certificate"] == "none"
    grades = [
        get(console, f"/api/v1/{path}", **english)["notice"]["grade"]
        for path in (
            "nodes/2-1-a",
            "sites/hana",
            "sites/hana/series?node=2-1-a",
            f"sites/hana/series?node=2-1-a&start={since // SECOND - 7200}&end={since // SECOND}",
        )
    ]
    both, alone = "Certification grade: grade 1, not certified", "Certification grade: none (not certified)"
    assert grades == [alone, both, both, "Certification grade: grade 1"]


def test_a_day_of_series_ends_in_the_newest_value(console: Console) -> None:
    got = get(console, "/api/v1/sites/hana/series?node=2-1-a&quantity=pm25")
    assert (got["step_s"], got["unit"]) == (300, "µg/m³")
    assert len(got["time"]) == len(got["raw"]) == len(got["value"]) == len(got["flag"])
    assert got["time"][-1] <= NOON // SECOND < got["time"][-1] + 300
    assert sum(got["samples"]) == 1440
    assert got["value"][-2] == pytest.approx(47.0, abs=3.0)


def test_a_series_is_thinned_to_what_was_asked(console: Console) -> None:
    end = NOON // SECOND
    got = get(console, f"/api/v1/sites/hana/series?node=2-1-a&start={end - 10800}&end={end}&points=30")
    assert got["step_s"] == 600
    assert 18 <= len(got["time"]) <= 20


def test_a_node_tells_what_it_carries(console: Console) -> None:
    console.live.info["2-1-a"] = {"app": "0.1.0", "heap": 61440}
    got = get(console, "/api/v1/nodes/2-1-a")
    assert got["sensors"] == [["pms5003", "P-2-1-a"], ["scd4x", "S-2-1-a"]]
    assert got["info"]["heap"] == 61440
    assert got["node"]["state"] == "fresh"


def test_ledger_metrics_and_health(console: Console) -> None:
    assert get(console, "/api/v1/ledger")["ledger"] == LEDGER
    with answer(console, "/metrics") as response:
        assert response.read() == b"gongi_messages_total 12\n"
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert get(console, "/health")["status"] == "ok"


def test_a_gateway_that_stands_still_is_not_healthy(console: Console) -> None:
    console.seconds.now += 31
    with answer(console, "/health") as response:
        assert response.status == 503
    assert get(console, "/api/v1/sites/hana")["stalled"]
    console.live.now += SECOND
    assert not get(console, "/api/v1/sites/hana")["stalled"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/v1/sites/nowhere", 404, "There is no school “nowhere”. Known here: hana, duri"),
        ("/api/v1/nodes/zz", 404, "There is no monitor “zz”."),
        ("/api/v1/sites/hana/series?node=zz", 404, "There is no monitor “zz”."),
        ("/api/v1/sites/duri/series?node=2-1-a", 404, "There is no monitor “2-1-a”."),
        ("/api/v1/sites/hana/series?node=2-1-a&quantity=luck", 404, "There is no quantity “luck”."),
        ("/api/v1/sites/hana/series?node=2-1-a&points=x", 422, "query.points"),
        ("/api/v1/sites/hana/series", 422, "query.node"),
        ("/api/v1/events?site=nowhere", 404, "There is no school “nowhere”."),
        ("/api/v1/what", 404, "There is no page “/api/v1/what”."),
    ],
)
def test_what_is_not_there_is_a_problem_with_clear_words(
    console: Console, path: str, status: int, says: str
) -> None:
    with answer(console, path, **{"Accept-Language": "en"}) as response:
        assert response.status == status
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = json.load(response)
    assert problem["status"] == status
    assert says in problem["detail"]


def test_nothing_can_be_changed(console: Console) -> None:
    request = urllib.request.Request(console.url("/api/v1/sites/hana"), data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    with caught.value as response:
        assert response.code == 405


CHANGES = {"/api/v1/actuators/{actuator}/override": {"post", "delete"}}
"""All that changes anything."""


def test_openapi_describes_every_answer_and_what_changes_something(console: Console) -> None:
    spec = get(console, "/api/v1/openapi.json")
    assert spec["openapi"].startswith("3.")
    for path, operations in spec["paths"].items():
        assert set(operations) == CHANGES.get(path, {"get"}), path
        for operation in operations.values():
            assert operation["summary"], path
            if path == "/metrics":
                continue
            content = operation["responses"]["200"]["content"]
            assert any(media.get("schema") or media.get("itemSchema") for media in content.values()), path
    _resolve(spec, spec)


def _resolve(part: Any, spec: dict[str, Any]) -> None:
    if isinstance(part, list):
        for one in part:
            _resolve(one, spec)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            assert part["$ref"].removeprefix("#/components/schemas/") in spec["components"]["schemas"]
        for one in part.values():
            _resolve(one, spec)


def test_answers_agree_with_their_schema(console: Console) -> None:
    import jsonschema

    spec = get(console, "/api/v1/openapi.json")
    for path, schema in (("/sites", "Sites"), ("/sites/hana", "SiteNow"), ("/nodes/2-1-a", "NodeAnswer")):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": spec["components"]}
        jsonschema.validate(get(console, f"/api/v1{path}"), whole, jsonschema.Draft202012Validator)


def events(response: HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            yield name, json.loads(text[6:])


def test_a_change_arrives_as_an_event(console: Console) -> None:
    with answer(console, "/api/v1/events?site=hana&lang=en") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        stream = events(response)
        name, first = next(stream)
        assert (name, room(first, "gym")["grade"]) == ("site", "good")
        console.live.now += 60 * SECOND
        console.live.latest["gym-a"] = Latest(console.live.now, values(99.0, 900.0))
        name, second = next(stream)
        assert (name, room(second, "gym")["grade"]) == ("site", "very_unhealthy")


def test_the_school_list_has_its_events_too(console: Console) -> None:
    with answer(console, "/api/v1/events?lang=en") as response:
        stream = events(response)
        name, first = next(stream)
        assert (name, first["sites"][0]["silent"]) == ("sites", 0)
        console.live.alarms.clear()
        name, second = next(stream)
        assert (name, second["sites"][0]["silent"]) == ("sites", 1)


def test_time_alone_is_a_pulse(console: Console) -> None:
    with answer(console, "/api/v1/events?site=hana&lang=en") as response:
        stream = events(response)
        next(stream)
        console.live.now += SECOND
        name, pulse = next(stream)
        assert (name, pulse["stalled"]) == ("pulse", False)


def test_stopping_ends_an_open_stream_soon(console: Console) -> None:
    with answer(console, "/api/v1/events?site=hana") as response:
        stream = events(response)
        next(stream)
        begun = time.monotonic()
        console.serving.stop()
        assert list(stream) == []
        assert time.monotonic() - begun < 5


def test_every_page_carries_the_headers_and_no_inline_script(console: Console) -> None:
    for path in ("/", "/site/hana", "/nowhere", "/api/v1/sites"):
        with answer(console, path) as response:
            assert "script-src 'self'" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            text = response.read().decode()
        assert "<script>" not in text
        assert "style=" not in text
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text


def test_what_devices_say_is_escaped(console: Console) -> None:
    console.live.quarantine["<script>alert(1)</script>"] = 3
    console.live.refused = "<b>bold</b>"
    with answer(console, "/site/hana/now") as response:
        text = response.read().decode()
    assert "<script>" not in text
    assert "<b>bold" not in text
    assert "&lt;script&gt;" in text


def test_one_school_alone_is_the_first_page(console: Console) -> None:
    network = console.live.network
    from dataclasses import replace

    console.live.network = replace(network, sites={"hana": network.sites["hana"]})
    with answer(console, "/?lang=en") as response:
        assert response.url.endswith("/site/hana?lang=en")


def test_a_changed_network_is_taken_over(console: Console) -> None:
    from dataclasses import replace

    network = console.live.network
    rooms = {"gym": network.sites["hana"].rooms["gym"]}
    console.live.network = replace(network, sites={"hana": replace(network.sites["hana"], rooms=rooms)})
    assert [one["id"] for one in get(console, "/api/v1/sites/hana")["rooms"]] == ["gym"]


def test_a_taken_port_is_said(console: Console) -> None:
    app = console.serving._app
    with pytest.raises(Unserved, match=f"can't listen on 127.0.0.1:{console.serving.port}"):
        serve_console(app, port=console.serving.port)
