"""A travelling node carries its reference's truth to sensors that have none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.correction.inputs import Inputs
from edge.fit.sample import Colocation
from edge.fit.score import score
from edge.fit.transfer import Left, transfer
from gateway.calibration import colocations
from gateway.command import gongi
from gateway.table import read
from tests.calibration.campaign import HOUR, colocation, table

SITES = ("hana", "duri", "sebo", "nara")
GAINS = (1.3, 1.9, 1.0, 1.5)
LONG, STAY = 1200, 120


def fleet() -> tuple[list[Colocation], Colocation]:
    """A sensor at each of four sites, and one that has stood at the first and visits the others for five
    days each."""
    own = [colocation(f"n{k}", site, LONG, 11 + k, gain=GAINS[k]) for k, site in enumerate(SITES)]
    air = [colocation("t", site, LONG, 11 + k, gain=1.2) for k, site in enumerate(SITES)]
    place = np.zeros(LONG, np.int64)
    for k in range(1, len(SITES)):
        place[400 + STAY * (k - 1) : 400 + STAY * k] = k
    columns = {
        name: np.choose(place, [one.inputs.columns[name] for one in air]) for name in air[0].inputs.columns
    }
    traveller = replace(
        air[0],
        inputs=Inputs.of("pm25", air[0].inputs.time, HOUR, columns),
        reference=np.where(place == 0, air[0].reference, np.nan),
        visits={site: place == k for k, site in enumerate(SITES) if k},
        cached={},
    )
    return own, traveller


def rmse(left: Left) -> float:
    rows = left.one.scored
    return score(left.value[rows], left.one.reference[rows]).rmse


def test_a_visit_brings_sensors_that_read_otherwise_to_the_truth() -> None:
    own, traveller = fleet()
    alone = {one.one.node: rmse(one) for one in transfer([*own, traveller], "node", "references")}
    moved = {one.one.node: rmse(one) for one in transfer([*own, traveller], "node", "travelling")}
    assert set(moved) == {"n0", "n1", "n2", "n3"}  # who travels isn't left out
    assert moved["n1"] < 0.6 * alone["n1"]
    assert moved["n2"] < 0.6 * alone["n2"]


def test_without_a_visit_the_value_is_the_fleets_and_its_own_reference_says_nothing() -> None:
    own, traveller = fleet()
    nowhere = replace(traveller, visits={"duri": traveller.visits["duri"]}, cached={})
    found = {one.one.node: one.value for one in transfer([*own, nowhere], "node", "travelling")}
    spoilt = [
        replace(one, reference=one.reference * 3 + 50, cached={}) if one.node == "n2" else one for one in own
    ]
    again = {one.one.node: one.value for one in transfer([*spoilt, nowhere], "node", "travelling")}
    np.testing.assert_allclose(found["n2"], again["n2"])


def test_home_is_no_visit() -> None:
    """There the traveller's truth is the left-out sensor's own reference."""
    own, traveller = fleet()
    at_home = {one.one.node: one.value for one in transfer([*own, traveller], "node", "travelling")}
    still = replace(traveller, visits={"far": np.zeros(LONG, bool)}, cached={})
    without = {one.one.node: one.value for one in transfer([*own, still], "node", "travelling")}
    np.testing.assert_array_equal(at_home["n0"], without["n0"])


def test_a_table_tells_who_travels_by_its_site_column(tmp_path: Path) -> None:
    own, traveller = fleet()
    path = table([*own, traveller], tmp_path / "campaign.csv")
    lines = path.read_text("utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if ",t," in line)
    for site, rows in traveller.visits.items():
        for at in np.flatnonzero(rows).tolist():
            lines[first + at] = lines[first + at].replace(",hana,", f",{site},").replace("nan", "")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    found = {one.node: one for one in colocations(read(path, "Asia/Seoul"), "pm25", "Asia/Seoul")}
    assert {site: int(rows.sum()) for site, rows in found["t"].visits.items()} == dict.fromkeys(
        SITES[1:], STAY
    )
    assert np.isfinite(found["t"].reference).sum() == LONG - 3 * STAY
    command = ["calibrate", "transfer", str(path), "--proxies", "travelling", "--json"]
    result = CliRunner().invoke(gongi, command, catch_exceptions=False)
    nodes = {one["node"]: one["rmse"] for one in json.loads(result.stdout)["nodes"]}
    assert set(nodes) == {"n0", "n1", "n2", "n3"}
    assert nodes["n1"] == pytest.approx(
        {one.one.node: rmse(one) for one in transfer([*own, traveller], "node", "travelling")}["n1"], rel=0.1
    )
