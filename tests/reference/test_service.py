"""The gateway's chore: fetched in a thread, stored in the river's, told where it fails."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.network import check, load
from gateway.network.fields import SOURCES
from gateway.present import Alarms
from gateway.reference import sources, store
from gateway.reference.hour import HOUR
from gateway.reference.service import References, asked
from gateway.reference.transport import Client
from gateway.serve import Gateway, Options
from tests.reference.service import Asked, Said, asking, gateway_error, portal
from tests.reference.test_airkorea import NOW, row

NETWORK, _ = check(
    {
        "network.toml": {
            "station": [
                {
                    "id": "jungnang",
                    "lat": 37.58,
                    "lon": 127.09,
                    "kind": "urban",
                    "source": "airkorea",
                    "code": "중랑구",
                },
                {"id": "road", "lat": 37.5, "lon": 127.1, "source": "airkorea", "code": "강변북로"},
                {"id": "school", "lat": 37.5, "lon": 127.1, "source": "kma-ahead", "code": "37.5,127.1"},
                {"id": "plain", "lat": 37.5, "lon": 127.1},
            ]
        }
    }
)
assert NETWORK is not None


class Chore:
    """The chore beside a journal, its thread waited for."""

    def __init__(self, client: Client, folder: Path) -> None:
        assert NETWORK is not None
        self.live, self.metrics = Live(NETWORK, now=NOW), Metrics()
        self.journal = Journal(folder / "journal.sqlite")
        self.references = References(client, self.journal, self.live, Alarms(self.live), self.metrics)

    def round(self) -> None:
        self.references.begin()
        self.references.join(20.0)
        self.references.tick()

    @property
    def alarms(self) -> set[tuple[str, str]]:
        return set(self.live.alarms)


def answers(asked: Asked) -> Said:
    station = asked.query.get("stationName")
    return (
        portal([row("2026-03-03 12:00", pm25Value={"중랑구": "31", "강변북로": "44"}[station])])
        if station
        else Said(b"", 500)
    )


def test_what_the_files_name_is_asked_for() -> None:
    assert NETWORK is not None
    found = {source.name: places for source, places in asked(NETWORK).items()}
    assert found == {
        "airkorea": {"jungnang": "중랑구", "road": "강변북로"},
        "kma-ahead": {"school": "37.5,127.1"},
    }
    assert set(SOURCES) == set(sources.SOURCES), "files may name every source"


def test_values_are_stored_and_a_failing_source_is_told_and_forgiven(tmp_path: Path) -> None:
    broken = [True]

    def script(asked: Asked) -> Said:
        return Said(b"", 500) if broken[0] and "stationName" in asked.query else answers(asked)

    with asking(script) as (client, _):
        chore = Chore(client, tmp_path)
        chore.round()
        assert chore.alarms == {("reference", "airkorea"), ("reference", "kma-ahead")}
        assert chore.metrics.value("reference_failures") == 2
        broken[0] = False
        chore.round()
    assert chore.alarms == {("reference", "kma-ahead")}
    found = store.references(chore.journal, NOW - 2 * HOUR, NOW)
    assert found.words["station"].names == ("jungnang", "road")
    assert found.numbers["ref_pm25"].tolist() == [31.0, 44.0]
    assert chore.metrics.value("reference_values") > 0
    assert {name: dict(one.values) for name, one in chore.live.official.items()} == {
        "jungnang": {"pm25": 31.0, "pm10": 47.0},
        "road": {"pm25": 44.0, "pm10": 47.0},
    }
    again = Chore(client, tmp_path)
    again.references.tick()
    assert again.live.official == chore.live.official, "what is stored is told at once after a restart"


def test_a_wrong_name_in_the_files_does_not_cost_the_other_stations(tmp_path: Path) -> None:
    def script(asked: Asked) -> Said:
        wrong = asked.query.get("stationName") == "중랑구"
        return gateway_error("INVALID_REQUEST_PARAMETER_ERROR", "10") if wrong else answers(asked)

    with asking(script) as (client, _):
        chore = Chore(client, tmp_path)
        chore.round()
    assert store.references(chore.journal, NOW - 2 * HOUR, NOW).words["station"].names == ("road",)
    assert ("reference", "airkorea") in chore.alarms


def test_a_refused_key_is_asked_with_once(tmp_path: Path) -> None:
    with asking([gateway_error("SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "30")]) as (client, service):
        Chore(client, tmp_path).round()
    assert len([one for one in service.asked if "stationName" in one.query]) == 1


def test_a_correction_becomes_a_revision_and_a_repetition_nothing(tmp_path: Path) -> None:
    value = ["31"]

    def script(asked: Asked) -> Said:
        rows = [row("2026-03-03 12:00", pm25Value=value[0])] if "stationName" in asked.query else []
        return portal(rows)

    with asking(script) as (client, _):
        chore = Chore(client, tmp_path)
        for said in ("31", "31", "29"):
            value[0] = said
            chore.round()
    assert store.references(chore.journal, NOW - 2 * HOUR, NOW).numbers["ref_pm25"].tolist() == [29.0, 29.0]
    assert len(chore.journal.references(NOW - 2 * HOUR, NOW)) == 2


def test_a_school_without_keys_goes_without_and_without_alarms(tmp_path: Path) -> None:
    with asking(answers, key="") as (client, service):
        chore = Chore(client, tmp_path)
        chore.round()
    assert not service.asked
    assert not chore.alarms
    assert chore.metrics.value("reference_failures") == 2


def test_without_a_clock_or_sources_nothing_is_asked(tmp_path: Path) -> None:
    with asking(answers) as (client, service):
        chore = Chore(client, tmp_path)
        chore.live.now = 0
        chore.round()
        assert NETWORK is not None
        chore.live.now, chore.live.network = NOW, replace(NETWORK, stations={})
        chore.round()
    assert not service.asked


@pytest.mark.parametrize("given", [True, False])
def test_a_gateway_has_the_chore_where_it_was_given_a_client(tmp_path: Path, given: bool) -> None:
    (tmp_path / "network.toml").touch()
    with asking(answers) as (client, _):
        gateway = Gateway(
            Options(tmp_path / "network.toml", tmp_path / "data", references=client if given else None)
        )
        gateway.assemble(load(tmp_path / "network.toml"))
        names = {chore.name for chore in gateway._chores()}
        gateway._close()
    assert ({"reference", "reference fetch"} <= names) is given
