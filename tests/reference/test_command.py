"""`gongi reference` as a person and a program meet it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway import command
from gateway import table as tables
from gateway.journal import Journal
from gateway.reference import store, transport
from gateway.reference.hour import KST
from gateway.reference.observed import Observed
from tests.reference.service import KEY, Asked, Said, Service, gateway_error, portal
from tests.reference.test_airkorea import row
from tests.reference.test_seoul import volumes

STATIONS = [
    {
        "stationName": "중랑구",
        "mangName": "도시대기",
        "dmX": "37.5849",
        "dmY": "127.0942",
        "addr": "서울 중랑구",
    },
    {"stationName": "부산", "mangName": "도시대기", "dmX": "35.18", "dmY": "129.07", "addr": "부산"},
]


def answers(asked: Asked) -> Said:
    if asked.path.endswith("getMsrstnList"):
        return portal(STATIONS)
    return portal([row("2026-03-03 13:00"), row("2026-03-02 24:00")])


@dataclass(frozen=True, slots=True)
class Told:
    """What a call gave."""

    returncode: int
    stdout: str
    stderr: str


Reference = Callable[..., Told]


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Reference:
    """Calls `gongi reference` in this process with an environment of its own."""

    def call(*arguments: str, url: str = "", key: str = KEY) -> Told:
        for name in ("AIRKOREA", "KMA", "OPENAQ", "SEOUL"):
            monkeypatch.setenv(f"GONGI_{name}_URL", url)
            monkeypatch.setenv(f"GONGI_{name}_KEY", key)
        with pytest.raises(SystemExit) as end:
            command.main(["reference", *arguments])
        shown = capsys.readouterr()
        return Told(int(end.value.code or 0), shown.out, shown.err)

    return call


def test_a_source_becomes_an_exchange_table(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "FIRST_S", 0.0)
    out = tmp_path / "air.csv"
    with Service([Said(b"", 500), volumes("812", "640")]) as service:
        told = reference(
            *("fetch", "seoul-traffic", "--place", "jongno=A-01"),
            *("--start", "2026-03-03T08:00", "--end", "2026-03-03T09:00"),
            *("--out", str(out), "--cache", str(tmp_path / "cache"), "--json"),
            url=service.url,
        )
    assert told.returncode == 0, told.stderr
    said = json.loads(told.stdout)
    assert (said["rows"], said["stations"], said["values"], said["asked"]) == (
        1,
        ["jongno"],
        {"vehicles": 1},
        2,
    )
    assert "reference asked again" in told.stderr
    assert out.read_text().splitlines() == [
        "time,station,vehicles,vehicles_flag",
        "2026-03-02T23:00:00Z,jongno,1452,1",
    ]
    assert tables.read(out).words["station"].names == ("jongno",)


def test_the_network_files_name_the_places(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(SCHOOL + 'source = "airkorea"\ncode = "강변북로"\n')
    now = datetime.now(KST) - timedelta(minutes=5)
    out = tmp_path / "air.parquet"
    with Service(lambda asked: portal([row(f"{now:%Y-%m-%d %H}:00")])) as service:
        told = reference(
            *(
                "fetch",
                "airkorea",
                "--network",
                str(tmp_path / "network.toml"),
                "--cache",
                str(tmp_path / "c"),
            ),
            *("--out", str(out)),
            url=service.url,
        )
    assert told.returncode == 0, told.stderr
    assert {one.query["stationName"] for one in service.asked} == {"강변북로"}
    assert "1 rows of airkorea (1 requests, 0 answers from the cache), written: " in told.stdout
    read = tables.read(out)
    assert (read.words["station"].names, read.numbers["ref_pm25"].tolist()) == (("road",), [31.0])


def test_stations_around_a_place(reference: Reference, tmp_path: Path) -> None:
    arguments = ("stations", "airkorea", "--near", "37.58,127.09", "--cache", str(tmp_path))
    with Service(answers) as service:
        told = reference(*arguments, "--json", url=service.url)
        shown = reference(*arguments, url=service.url)
        none = reference(*arguments, "--km", "0.1", url=service.url)
    (station,) = json.loads(told.stdout)["stations"]
    assert (station["code"], station["kind"], station["km"]) == ("중랑구", "urban", 0.66)
    assert "중랑구" in shown.stdout
    assert (none.returncode, len(service.asked)) == (1, 1), "the list comes from the cache"


@pytest.mark.parametrize(
    ("key", "answer", "words"),
    [
        ("", portal([]), "GONGI_AIRKOREA_KEY isn't set\n  export GONGI_AIRKOREA_KEY=…"),
        (KEY, gateway_error("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "30"), "apply for this very service"),
        (KEY, Said(b"<!DOCTYPE html><html>no</html>"), "neither JSON nor XML"),
    ],
)
def test_an_error_says_what_to_do_and_never_the_key(
    reference: Reference, tmp_path: Path, key: str, answer: Said, words: str
) -> None:
    if b"html" in answer.body:
        answer = Said(answer.body, 401)
        words = "it refuses the key (HTTP 401)"
    with Service([answer]) as service:
        told = reference(
            "fetch",
            "airkorea",
            "--place",
            "a=중랑구",
            "--cache",
            str(tmp_path),
            "--json",
            url=service.url,
            key=key,
        )
    assert (told.returncode, told.stdout) == (1, "")
    assert words in told.stderr
    assert KEY not in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fetch", "airkorea"), "name at least one --place ID=NAME"),
        (("fetch", "airkorea", "--place", "중랑구"), "is not ID=NAME"),
        (("fetch", "kma", "--place", "a=1,2", "--start", "yesterday"), "is no time"),
        (("fetch", "nowhere"), "'nowhere'"),
        (("stations", "airkorea", "--near", "here"), "is not LAT,LON"),
    ],
)
def test_a_wrong_call_is_a_usage_error(reference: Reference, arguments: tuple[str, ...], words: str) -> None:
    refused = reference(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr


def test_a_table_is_imported_once(reference: Reference, tmp_path: Path) -> None:
    path, data = tmp_path / "yearly.csv", tmp_path / "data"
    path.write_text(
        "time,station,ref_pm25\n2026-03-03T01:00:00Z,jungnang,12\n2026-03-03T02:00:00Z,jungnang,13\n"
    )
    refused = reference("import", str(path), "--data", str(data))
    assert refused.returncode == 1
    assert "there is no journal" in refused.stderr
    Journal(data / "journal.sqlite").late()
    first, second = (
        json.loads(reference("import", str(path), "--data", str(data), "--json").stdout) for _ in range(2)
    )
    assert (first["stored"], second["stored"], second["known"]) == (2, 0, 2)
    stored = store.references(Journal(data / "journal.sqlite"), 0, 2**62)
    assert stored.numbers["ref_pm25"].tolist() == [12.0, 13.0]


def test_what_is_stored_comes_out_as_a_table(reference: Reference, tmp_path: Path) -> None:
    journal, out = Journal(tmp_path / "journal.sqlite"), tmp_path / "out.parquet"
    hour = 1_772_500_000 * 10**9
    for value in (31.0, 29.0):
        said = [Observed(station, hour, "pm25", value) for station in ("jungnang", "road")]
        journal.commit(hour, store.drafts(journal, "airkorea", said))
    spans = ("--start", "2026-03-01", "--end", "2026-03-09", "--data", str(tmp_path), "--out", str(out))
    told = json.loads(reference("export", *spans, "--station", "road", "--json").stdout)
    assert (told["rows"], told["stations"]) == (1, ["road"])
    assert tables.read(out).numbers["ref_pm25"].tolist() == [29.0]
    none = reference("export", "--start", "2020-01-01", "--end", "2020-02-01", *spans[4:])
    assert (none.returncode, none.stdout) == (1, "")
    assert "no reference values then" in none.stderr


SCHOOL = """
[[site]]
id = "hana"
lat = 37.5845
lon = 127.0855
[[node]]
id = "yard"
placed = [{since = 2026-03-02, site = "hana", placement = "outdoor", height = 2.5, siting = "urban"}]
[[station]]
id = "jungnang"
en = "Jungnang-gu"
lat = 37.5849
lon = 127.0942
kind = "urban"
[[station]]
id = "road"
lat = 37.5849
lon = 127.0890
kind = "roadside"
"""


def test_the_nearest_station_and_why(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_text(SCHOOL)
    told = reference("nearest", str(tmp_path / "network.toml"), "--json")
    (node,) = json.loads(told.stdout)["nodes"]
    assert (node["node"], node["station"], node["km"]) == ("yard", "jungnang", 0.77)
    assert [one["station"] for one in node["left_out"]] == ["road"]
    shown = reference("nearest", str(tmp_path / "network.toml"))
    assert shown.stdout.startswith(
        "yard (urban): Jungnang-gu, 0.8 km, urban; road, 0.3 km, roadside, left out"
    )
    missing = reference("nearest", str(tmp_path / "network.toml"), "--node", "gym")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no node gym" in missing.stderr


def test_every_source_is_named_with_its_key(reference: Reference) -> None:
    told = json.loads(reference("sources", "--json", key="").stdout)
    assert {one["source"] for one in told["sources"]} >= {"airkorea", "kma-asos", "openaq", "seoul-trains"}
    assert not any(one["key"]["set"] for one in told["sources"])
    assert all(unit for one in told["sources"] for unit in one["quantities"].values())
