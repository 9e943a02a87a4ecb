"""Fitting: clocks, blocks left out, the choice, uncertainty, and that nothing sees what it is scored on."""

from dataclasses import replace

import numpy as np
import pytest

from edge.correction.inputs import Inputs
from edge.correction.model import Correction
from edge.fit.choose import NothingToFit, Trial, choose, compared, trials
from edge.fit.cross import Fleet
from edge.fit.fit import Campaign, _correction, _of_fleet, fit
from edge.fit.form import FORMS, candidates
from edge.fit.region import one_site_each
from edge.fit.score import DAY, agreement, daily, score
from edge.fit.shift import align, found
from edge.fit.spread import judge
from edge.readings import Array
from tests.calibration.campaign import HOUR, colocation, fleet

NAMED = {form.name: form for form in FORMS}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Two sensors with half an hour between them and their reference."""
    members = [colocation(n, "hana", late=0.5, gain=g, channels=True) for n, g in (("n1", 1.4), ("n2", 1.1))]
    return fit(members, "ab" * 32)


@pytest.mark.parametrize("late", [-4, 0.0, 0.4, 3, 5.6])
def test_a_late_reference_is_found_to_parts_of_an_hour(late: float) -> None:
    one = colocation(late=late)
    assert found(one)[0] == pytest.approx(late, abs=0.2)


@pytest.mark.parametrize(("late", "steps"), [(-3, -3), (0.0, 0), (0.5, 0), (2.5, 2), (9, 9)])
def test_series_move_by_whole_steps_and_leave_the_part_to_the_hour_before(late: float, steps: int) -> None:
    one = align(colocation(late=late))
    assert one.shift == steps
    value = Fleet([one], NAMED["previous-hour"]).left_out(0)
    assert score(value[one.scored], one.reference[one.scored]).r2 > 0.9


def test_blocks_part_the_scored_time_span_equally() -> None:
    one = colocation(hours=1000)
    missing = replace(one, reference=np.where(np.arange(1000) < 100, np.nan, one.reference), cached={})
    counts = np.bincount(missing.block[missing.scored], minlength=10)
    assert counts.tolist() == [90] * 10


@pytest.mark.parametrize("form", ["multilinear", "everything", "huber", "monotone", "theil-sen", "growth"])
def test_left_out_values_do_not_know_their_block(form: str) -> None:
    members = [colocation(n, "hana", hours=600, channels=True) for n in ("n1", "n2")]
    block = members[0].block == 4
    # Both stand beside one monitor: what it said in that block must not come back through the other.
    spoilt = [
        replace(one, reference=np.where(block, one.reference * 3 + 50, one.reference), cached={})
        for one in members
    ]
    before, after = (Fleet(m, NAMED[form], 300.0).left_out(0) for m in (members, spoilt))
    assert np.allclose(before[block], after[block])
    assert not np.allclose(before[~block], after[~block])


def test_suspect_hours_teach_nothing_but_are_scored() -> None:
    one = colocation(hours=800)
    bad = np.zeros(800, bool)
    bad[::20] = True
    raw = np.where(bad, 480.0, one.inputs.raw)
    broken = replace(one, inputs=replace(one.inputs, columns={**one.inputs.columns, "pm25": raw}), cached={})
    told = replace(broken, suspect=bad, cached={})
    clean, spoilt = (Fleet([m], NAMED["multilinear"]).fitted(0) for m in (told, broken))
    assert clean.weights[0] == pytest.approx(1 / 1.4, abs=0.05)
    assert spoilt.weights[0] < 0.5 / 1.4
    assert np.isfinite(Fleet([told], NAMED["multilinear"]).left_out(0)[bad]).all()


def test_the_fleet_helps_a_sensor_with_little_of_its_own() -> None:
    rich, poor = colocation("n1", hours=1500), colocation("n2", "duri", hours=1500, seed=2)
    few = replace(poor, reference=np.where(np.arange(1500) % 50 == 0, poor.reference, np.nan), cached={})
    rows = np.isfinite(poor.reference) & (np.arange(1500) % 50 != 0)
    errors = [
        score(f.value(1, f.fitted(1), np.flatnonzero(rows)), poor.reference[rows]).rmse
        for f in (Fleet([rich, few], NAMED["features"], weight) for weight in (0.0, 300.0))
    ]
    assert errors[1] < errors[0]


def _trial(name: str, loss: Array) -> Trial:
    return Trial(Fleet([], NAMED[name]), (), loss, 100)


def test_the_simplest_that_can_not_be_told_from_the_best_is_chosen() -> None:
    best = np.full(10, 10.0)
    noisy = best + np.array([9, -8, 9, -8, 9, -8, 9, -8, 9, -7])
    worse = best + 1.0
    tried = [_trial("identity", best * 9), _trial("multilinear", noisy), _trial("features", best)]
    assert choose([compared(trial, tried[2]) for trial in tried]).form.name == "multilinear"
    tried[1] = _trial("multilinear", worse)
    assert choose([compared(trial, tried[2]) for trial in tried]).form.name == "features"


def test_a_plain_sensor_gets_a_plain_form_and_a_late_one_the_hour_before() -> None:
    plain = choose(trials([colocation(late=0.0)], candidates("pm25", ("pm25", "rh", "temp"))))
    late = choose(trials([colocation(late=0.5)], candidates("pm25", ("pm25", "rh", "temp"))))
    assert plain.form.tier == 1
    assert late.form.tier > 1


def test_forms_need_their_columns() -> None:
    names = {form.name for form in candidates("pm10", ("pm10",))}
    assert {"identity", "gain-offset", "monotone"} <= names
    assert not names & {"multilinear", "barkjohn-2021", "features", "everything"}


def test_a_campaign_says_what_it_did(campaign: Campaign) -> None:
    assert campaign.cv.rmse < 0.5 * campaign.raw.rmse
    assert campaign.cv.r2 > 0.9
    assert abs(campaign.cv.bias) < 0.1
    assert campaign.nested.rmse < 1.1 * campaign.cv.rmse
    assert campaign.enough is not None
    assert [band.n > 0 for band in campaign.residuals["rh"]] == [True] * 8
    assert campaign.units["hana"][1].sd < campaign.units["hana"][0].sd


def test_what_is_kept_says_what_the_fit_says(campaign: Campaign) -> None:
    for place, node in enumerate(campaign.nodes):
        one, trial = node.one, campaign.chosen
        rows = np.flatnonzero(one.scored)
        whole = trial.fleet.value(place, trial.fleet.fitted(place), rows)
        again = Correction.decode(node.correction.encode())
        assert np.allclose(again.value(one.inputs)[rows], whole)
        assert again.serial == one.node
        assert again.data == "ab" * 32
        assert not again.apply(one.inputs).outside[one.taught].any()


def test_intervals_cover_time_that_they_have_not_seen() -> None:
    members = [colocation("n1", late=0.5, hours=3000), colocation("n2", "duri", hours=3000, noise=2.5)]
    judged = Fleet(members, NAMED["features"])
    for place in range(2):
        coverage = judge(judged, place, [judged.left_out(k) for k in range(2)])[1]
        assert 0.87 <= coverage.share <= 0.95
        assert coverage.worst >= 0.70


def test_a_strangers_interval_is_wider_than_a_known_sensors(campaign: Campaign) -> None:
    one = campaign.nodes[0]
    own, stranger = (c.apply(one.one.inputs).u for c in (one.correction, campaign.fleet))
    assert np.nanmedian(stranger) > np.nanmedian(own)


def test_too_little_is_refused() -> None:
    with pytest.raises(NothingToFit, match="fewer than 20"):
        fit([colocation(hours=15)])


def test_days_are_local_and_three_quarters_full() -> None:
    hours = np.arange(72)
    cells = hours.astype(np.float64)
    kept = np.flatnonzero(hours < 48 + 17)
    days, means = daily(hours[kept] * HOUR, HOUR, np.full(kept.size, 9 * HOUR), cells[kept])
    # At +9 h the days begin at 15:00 UTC: 15 hours, 24, 24, and 2.
    assert (days // DAY).tolist() == [1, 2]
    assert means.tolist() == [np.arange(15, 39).mean(), np.arange(39, 63).mean()]
    assert DAY == 24 * HOUR


def test_units_agree_by_epas_formula() -> None:
    time = np.arange(4)
    units = {"a": (time, np.array([1.0, 2, 3, 4])), "b": (time[1:], np.array([4.0, 5, 6]))}
    found_ = agreement(units)
    assert found_ is not None
    assert found_.n == 3
    assert found_.sd == pytest.approx(np.sqrt(6 * 1.0 / 5))
    assert found_.cv == pytest.approx(found_.sd / 4.0)


def test_sensors_beside_one_monitor_are_at_one_site_whatever_the_table_says() -> None:
    members = [colocation("n1", "n1", 300, 1), colocation("n2", "n2", 300, 1), colocation("n3", "n3", 300, 2)]
    sites = [one.site for one in one_site_each(members)]
    assert sites[0] == sites[1] != sites[2]


def test_a_temperature_may_be_below_zero() -> None:
    one = colocation(hours=400)
    true = one.inputs.columns["temp"] - 20.0
    columns = {"temp": true + 2.0, "rh": one.inputs.columns["rh"]}
    noise = np.random.default_rng(3).normal(size=400) * 0.2
    cold = replace(
        one, inputs=Inputs.of("temp", one.inputs.time, HOUR, columns), reference=true + noise, cached={}
    )
    campaign = fit([cold])
    assert campaign.cv.rmse < 0.3
    value = campaign.nodes[0].correction.value(cold.inputs)
    assert value.min() < -10
    assert abs(value - true).max() < 1


@pytest.mark.parametrize("form", ["huber", "monotone", "theil-sen"])
def test_what_other_solvers_fit_is_less_certain_for_a_stranger_too(form: str) -> None:
    members = [align(one) for one in fleet(400)]
    (trial,) = trials(members, [NAMED[form]])
    made = judge(trial.fleet, 0, trial.values)[0]
    stranger = _of_fleet(trial, made, "")
    own = _correction(trial, members[0], trial.fleet.fitted(0), made)
    inputs = members[0].inputs
    assert np.nanmean(stranger.apply(inputs).u) > np.nanmean(own.apply(inputs).u)


def test_the_fleet_of_one_sensor_is_twice_as_uncertain_as_that_sensor() -> None:
    campaign = fit([colocation(hours=400)])
    (node,) = campaign.nodes
    assert node.correction.spread is not None
    assert campaign.fleet.spread is not None
    assert campaign.fleet.spread.upper == 2 * node.correction.spread.upper
