"""Model files that calibration entries name: read, checked, hashed and kept with the network files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.assign import Setups
from edge.problem import Problem
from edge.readings import SECOND
from gateway import versions
from gateway.journal import Journal
from gateway.network import load, read
from gateway.reload import fingerprint
from tests.calibration.test_stream import LAGGED, WIDE

SITE = '[[site]]\nid = "hana"\n[[site.room]]\nid = "1-1"\nvolume = 180\n'
NODE = """[[node]]
id = "{id}"
placed = [{{since = 2026-01-01, site = "hana", room = "1-1", placement = "indoor"}}]
fitted = [{{since = 2026-01-01, sensors = [{{type = "{type}", serial = "P-{id}"}},
    {{type = "scd4x", serial = "S-{id}"}}]}}]
"""
MODEL = 'quantity = "pm25"\nmodel = "models/m.json"\n'
OWN = f'[[calibration]]\nid = "own"\nsince = 2026-03-01\nserial = "P-a"\n{MODEL}'
FLEET = f'[[calibration]]\nid = "fleet"\nsince = 2026-02-01\n{MODEL}'
MINE = replace(LAGGED, serial="P-a")
STRANGER = replace(LAGGED, serial="", spread=replace(WIDE, upper=3.0))


def folder(path: Path, entries: str, *, own: str = "P-a", step: int = LAGGED.step) -> Path:
    """Network files of two sites' nodes, their entries in an included file, with its model beside it."""
    (path / "sites" / "models").mkdir(parents=True, exist_ok=True)
    (path / "network.toml").write_text('include = ["sites/*.toml"]\n', "utf-8")
    nodes = NODE.format(id="a", type="pms5003") + NODE.format(id="b", type="pms7003")
    (path / "sites" / "hana.toml").write_text(SITE + nodes + entries, "utf-8")
    mine = replace(LAGGED, serial=own, step=step)
    said = {"form": "features", "fleet": STRANGER.encode(), "sensors": [mine.encode()]}
    (path / "sites" / "models" / "m.json").write_text(json.dumps(said), "utf-8")
    return path / "network.toml"


def wrongs(path: Path) -> list[str]:
    return [f"{mistake.path}: {mistake.wanted}" for mistake in read(path)[1]]


def test_a_sensors_own_model_comes_before_the_fleets(tmp_path: Path) -> None:
    network = load(folder(tmp_path, OWN + FLEET))
    names = {
        (setup.node.id, setup.since // SECOND): setup.calibrations["pm25"].name
        for setup in Setups.of(network).table
        if setup.node and setup.calibrations
    }
    february, march = 1769871600, 1772290800
    assert names == {
        ("a", february): f"fleet@{STRANGER.id}",
        ("a", march): f"own@{MINE.id}",
        ("b", february): f"fleet@{STRANGER.id}",
    }


def test_a_fleet_entry_may_be_for_one_type(tmp_path: Path) -> None:
    network = load(folder(tmp_path, FLEET + 'type = "pms7003"\n'))
    served = {s.node.id for s in Setups.of(network).table if s.node and s.calibrations}
    assert served == {"b"}


@pytest.mark.parametrize(
    ("entries", "own", "said"),
    [
        (OWN.replace("m.json", "n.json"), "P-a", "calibration[own].model: a model file"),
        (OWN, "cs1", "calibration[own].serial: a sensor of the model (see fitted_as): one of cs1"),
        (OWN + 'fitted_as = "cs2"\n', "cs1", "calibration[own].fitted_as: a sensor of the model"),
        (OWN.replace("pm25", "pm10"), "P-a", "calibration[own].quantity: pm25"),
        (OWN + "rh = 0.1\n", "P-a", "calibration[own].rh: no rh beside a model"),
        (OWN + 'type = "pms5003"\n', "P-a", "calibration[own].type: no type beside a serial"),
        (FLEET + FLEET.replace('"fleet"', '"other"'), "P-a", "calibration[other].since: another date"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, entries: str, own: str, said: str) -> None:
    found = wrongs(folder(tmp_path, entries, own=own))
    assert any(line.startswith(said) for line in found), found


def test_a_model_that_looks_back_days_or_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, OWN, step=24 * LAGGED.step)
    assert any("looks back less than" in line for line in wrongs(path))
    model = tmp_path / "sites" / "models" / "m.json"
    model.write_text(model.read_text().replace('"intercept": 3.0', '"intercept": 3.5'), "utf-8")
    assert any("its content's" in line for line in wrongs(path))


def test_a_model_is_served_under_the_name_of_its_campaign(tmp_path: Path) -> None:
    network = load(folder(tmp_path, OWN + 'fitted_as = "cs1"\n', own="cs1"))
    assert network.calibrations[0].name == f"own@{replace(LAGGED, serial='cs1').id}"


def test_a_node_without_humidity_is_warned_about(tmp_path: Path) -> None:
    path = folder(tmp_path, OWN)
    assert wrongs(path) == []
    site = tmp_path / "sites" / "hana.toml"
    site.write_text(site.read_text().replace('{type = "scd4x", serial = "S-a"}', ""), "utf-8")
    (found,) = read(path)[1]
    assert found.warning
    assert "rh, temp" in found.wanted


def test_a_changed_model_is_another_version_and_both_are_kept(tmp_path: Path) -> None:
    path = folder(tmp_path, OWN)
    old, seen = load(path), fingerprint(path)
    journal = Journal(tmp_path / "data" / "journal.sqlite")
    versions.enter(journal, old, path, 1)
    folder(tmp_path, OWN, own="P-a", step=LAGGED.step // 2)
    new = load(path)
    assert new.hash != old.hash
    assert fingerprint(path) != seen
    assert (in_force := versions.in_force(journal)) is not None
    assert (in_force.hash, in_force.calibrations) == (old.hash, old.calibrations)
    kept = journal.kept(MINE.id)
    assert kept is not None
    assert json.loads(kept)["weights"] == list(LAGGED.weights)
    with pytest.raises(Problem, match="own@"):
        versions.hold(old, new, 1_800_000_000 * SECOND, path, tmp_path / "data")
    journal.close()
