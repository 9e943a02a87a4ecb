"""Transfer: a sensor is corrected by what others have shown, never by its own site's reference."""

from dataclasses import replace

import numpy as np
import pytest

from edge.fit.region import Region, matched, ratio
from edge.fit.sample import Colocation
from edge.fit.score import score
from edge.fit.transfer import Left, NothingToTransfer, transfer
from edge.readings import Array
from tests.calibration.campaign import HOUR, colocation, fleet


@pytest.fixture(scope="module")
def members() -> list[Colocation]:
    """Five sensors at three sites."""
    return fleet()


def left(members: list[Colocation], leave: str, proxies: str, node: str) -> Left:
    return next(one for one in transfer(members, leave, proxies) if one.one.node == node)


def spoilt(members: list[Colocation], nodes: set[str]) -> list[Colocation]:
    """The same, with the references of some nodes made nonsense."""
    return [
        replace(one, reference=one.reference[::-1] * 5 + 3, cached={}) if one.node in nodes else one
        for one in members
    ]


@pytest.mark.parametrize("proxies", ["references", "neighbours"])
@pytest.mark.parametrize(
    ("leave", "nodes"), [("node", {"n1"}), ("site", {"n1", "n2", "n3"})], ids=["node", "site"]
)
def test_no_value_comes_from_the_references_that_are_left_out(
    members: list[Colocation], leave: str, nodes: set[str], proxies: str
) -> None:
    before = left(members, leave, proxies, "n1")
    after = left(spoilt(members, nodes), leave, proxies, "n1")
    assert np.array_equal(before.value, after.value, equal_nan=True)


def test_a_regional_reference_is_never_that_of_the_own_site(members: list[Colocation]) -> None:
    # The neighbours' references are those of the left-out node; as proxies they would be the answer.
    region = Region.of(members)
    around = region.around(members[0].inputs.time, {"hana"})
    expected = (members[3].reference + members[4].reference) / 2
    assert np.allclose(around, expected)
    assert np.isnan(region.around(members[0].inputs.time, {"hana", "duri", "sebo"})).all()


def test_the_fleet_serves_a_sensor_that_it_has_not_seen(members: list[Colocation]) -> None:
    for one in transfer(members, "node", "references"):
        rows = one.one.scored
        raw = score(one.one.inputs.raw[rows], one.one.reference[rows])
        found = score(one.value[rows], one.one.reference[rows])
        assert found.rmse < raw.rmse
        assert found.r2 > 0.5


def test_neighbours_level_a_sensor_whose_gain_is_off(members: list[Colocation]) -> None:
    alone, levelled = (left(members, "node", proxies, "n3") for proxies in ("references", "neighbours"))
    rows = alone.one.scored
    truth = alone.one.reference[rows]
    assert score(levelled.value[rows], truth).rmse < score(alone.value[rows], truth).rmse


def test_levels_meet_at_the_mean_of_all() -> None:
    low, high = colocation("n1", gain=1.0, humid=0, noise=0.1), colocation("n2", gain=2.0, humid=0, noise=0.1)
    late = slice(1000, None)
    found = matched(low, [low, high]).inputs.raw[late] / low.inputs.raw[late]
    assert np.median(found) == pytest.approx(np.sqrt(2), rel=0.02)


def test_a_ratio_needs_a_fortnight_and_looks_back_only() -> None:
    time = np.arange(1000, dtype=np.int64) * HOUR
    own, other = np.full(1000, 4.0), np.full(1000, 2.0)
    found = ratio(own, other, time, HOUR)
    assert np.isnan(found[: 14 * 24 - 1]).all()
    assert np.allclose(found[14 * 24 :], 2.0)
    own[700:] = 5.0
    assert np.array_equal(ratio(own, other, time, HOUR)[:700], found[:700], equal_nan=True)


def test_unlike_regions_are_not_followed() -> None:
    strangers = [colocation(f"n{n}", f"s{n}", 1200, seed=n) for n in (1, 2, 3)]
    assert all(one.share < 0.1 for one in transfer(strangers, "node", "references"))


def test_like_regions_are_followed() -> None:
    alike = [_beside(colocation(f"n{n}", f"s{n}", 1200, seed=1, noise=4.0), n) for n in (1, 2, 3)]
    shares = [one.share for one in transfer(alike, "node", "references")]
    assert min(shares) > 0.2


def _beside(one: Colocation, seed: int) -> Colocation:
    noise: Array = np.random.default_rng(seed).normal(size=one.reference.size)
    return replace(one, reference=np.maximum(one.reference + noise, 0), cached={})


def test_one_site_alone_teaches_nobody() -> None:
    with pytest.raises(NothingToTransfer, match="no sensor is left"):
        list(transfer([colocation("n1"), colocation("n2")], "site", "references"))
    with pytest.raises(NothingToTransfer, match="no node travels"):
        list(transfer([colocation("n1"), colocation("n2")], "node", "travelling"))
