"""Training: it learns what can be learnt, installs nothing that loses, and says so."""

import numpy as np
import pytest

from edge.forecast import Forecaster
from edge.learn.task import simplest
from edge.learn.train import FEWEST_ROWS, Wish, train
from edge.predict.evaluate import judge, report
from edge.predict.model import MOST_BYTES, PERSISTENCE, Model
from edge.predict.series import CLEANING, History, Series
from edge.readings import Array
from tests.forecast.school import NETWORK, NODES, START, block, day_of, ns

HOURS = 3000
HOURLY = Wish(horizons=(3600, 10800), unit_s=3600, limit=30.0)


def series(value: Array, name: str = "a", unit_s: int = 3600) -> Series:
    return Series(name, "Asia/Seoul", unit_s, START // unit_s, {"pm25": value})


def wave(seed: int = 0, size: int = HOURS) -> Array:
    """Air that swings by the hours, with noise."""
    step = np.arange(size)
    swing = 25 + 12 * np.sin(step / 9) + 6 * np.sin(step / 3.1)
    return np.maximum(swing + np.random.default_rng(seed).normal(0, 0.7, size), 0)


def walk(seed: int = 0) -> Array:
    """Air that nobody can foresee: every step is new."""
    return np.abs(60 + np.cumsum(np.random.default_rng(seed).normal(0, 0.5, HOURS)))


@pytest.fixture(scope="module")
def taught() -> Model:
    return train([series(wave())], HOURLY, [START // 3600 + 2400])[0]


def test_what_can_be_learnt_is_installed(taught: Model) -> None:
    assert taught.installed == (3600, 10800)
    assert len(taught.encode()) <= MOST_BYTES
    past = [series(wave())]
    for one in report(taught, judge(taught, past, [START // 3600 + 2400]), past):
        assert one["skill_persistence"] > 0.8
        assert one["coverage"] == pytest.approx(0.9, abs=0.06)
        assert one["onset"]["average_precision"] > 0.8
        assert one["onset"]["eer"] < 0.15
        assert one["onset"]["lead_time"] > 0


def test_what_cannot_be_learnt_is_left_to_persistence() -> None:
    _, found = train([series(walk(seed), str(seed)) for seed in range(2)], HOURLY)
    for verdict in found.verdicts:
        assert verdict.rmse is not None
        assert verdict.persistence_rmse is not None
        assert verdict.rmse <= verdict.persistence_rmse
        assert verdict.installed == (verdict.rmse < verdict.persistence_rmse)


def test_a_constant_place_teaches_nothing_and_breaks_nothing() -> None:
    model, found = train([series(np.full(HOURS, 7.0))], HOURLY)
    assert model.installed == ()
    assert all(verdict.r2 is None for verdict in found.verdicts)
    assert Model.decode(model.encode()) == model


def test_too_little_is_no_ground_for_a_model() -> None:
    for past in ([], [series(wave(size=FEWEST_ROWS))]):
        model, found = train(past, Wish())
        assert model.installed == ()
        assert [one.ends for one in model.values] == [one.ends for one in PERSISTENCE.values]
        assert all(verdict.rmse is None for verdict in found.verdicts)


def test_the_same_past_gives_the_same_bytes_and_the_future_teaches_nothing(taught: Model) -> None:
    spoilt = wave()
    spoilt[2400:] = 400.0
    again, _ = train([series(spoilt)], HOURLY, [START // 3600 + 2400])
    assert again.encode() == taught.encode()


def test_the_simplest_that_cannot_be_told_from_the_best_wins() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 15)
    errors = {"plain": 10 + noise, "small": 10 + noise[::-1] - 0.1, "large": 5 + noise}
    assert simplest(errors) == "large"
    assert simplest({"plain": errors["plain"], "small": errors["small"]}) == "plain"


def test_a_trained_model_serves() -> None:
    past = History(ns(START), ns(START + 2 * 86400))
    past.add(block(day_of(NODES, 2 * 86400, step=30)))
    trained = past.series(NETWORK, ns(START))
    assert [one.name for one in trained] == ["a", "b", "c"]
    model, found = train(trained)
    assert (found.places, model.installed) == (3, (600, 1800, 3600))
    forecaster = Forecaster(Model.decode(model.encode()))
    forecaster.ingest(block(day_of(NODES, 3 * 3600, seed=2)), ns(START + 3 * 3600))
    said = forecaster.predict(NETWORK, ns(START + 3 * 3600 - 1))
    truth = 20 + 12 * np.sin((3 * 3600 + 600) / 5400 + np.arange(4))
    room = np.array([node != "out" for node in said.nodes])
    assert np.abs(said.value[room, 0] - truth[room]).max() < 2.0


def test_cleaning_is_learnt_where_its_reports_are_known() -> None:
    past = History(ns(START), ns(START + 7200))
    past.add(block([("a", START + 60 * minute, 5.0, 1) for minute in range(120)]))
    past.act("p", ns(START + 600), 2)
    past.act("p", ns(START + 3600), 0)
    (one,) = past.series(NETWORK, ns(START))
    cleaning = one.columns[CLEANING]
    assert np.isnan(cleaning[:10]).all()
    assert set(cleaning[10:60]) == {4.0}
    assert set(cleaning[60:]) == {0.0}
