"""Training: it learns what can be learnt, installs nothing that loses, and says so."""

from dataclasses import replace

import numpy as np
import pytest

from edge.forecast import Forecaster
from edge.lessons import Grid, Past, Series
from edge.model import PERSISTENCE, Model
from edge.readings import Array
from edge.train import FEWEST_ROWS, train
from tests.forecast.school import NETWORK, NODES, START, block, day_of, ns

MINUTES = 4 * 1440
TIME = ns(START) + np.arange(MINUTES) * ns(60)


def series(value: Array, name: str = "a") -> Series:
    return Series.of(name, "Asia/Seoul", Grid.of(TIME, value))


def wave(seed: int = 0) -> Array:
    """A room that swings by the hours of the day, with noise."""
    minute = np.arange(MINUTES)
    swing = 25 + 12 * np.sin(minute / 90) + 6 * np.sin(minute / 31)
    return np.maximum(swing + np.random.default_rng(seed).normal(0, 0.7, MINUTES), 0)


def walk(seed: int = 0) -> Array:
    """A room that nobody can foresee: every step is new."""
    steps = np.random.default_rng(seed).normal(0, 0.05, MINUTES)
    return np.abs(60 + np.cumsum(steps))


def test_what_can_be_learnt_is_installed() -> None:
    model, report = train([series(wave())])
    assert model.installed == (600, 1800, 3600)
    for verdict in report.verdicts:
        assert verdict.skill is not None
        assert verdict.skill > 0.7
        assert verdict.coverage == pytest.approx(0.9, abs=0.05)


def test_what_cannot_be_learnt_is_left_to_persistence() -> None:
    model, report = train([series(walk(seed)) for seed in range(3)])
    for verdict, head in zip(report.verdicts, model.heads, strict=True):
        assert verdict.rmse is not None
        assert verdict.persistence_rmse is not None
        assert verdict.installed == (verdict.rmse < verdict.persistence_rmse) == bool(head.coef)
    assert len(model.installed) < 3


def test_a_constant_room_teaches_nothing_and_breaks_nothing() -> None:
    model, report = train([series(np.full(MINUTES, 7.0))])
    assert model.installed == ()
    assert all(verdict.r2 is None for verdict in report.verdicts)
    assert Model.decode(model.encode()) == model


def test_too_little_is_no_ground_for_a_model() -> None:
    short = Series.of("a", "Asia/Seoul", Grid.of(TIME[:FEWEST_ROWS], wave()[:FEWEST_ROWS]))
    for past in ([], [short]):
        model, report = train(past)
        assert model.installed == ()
        assert [h.lower for h in model.heads] == [h.lower for h in PERSISTENCE.heads]
        assert all(verdict.rmse is None for verdict in report.verdicts)


def test_the_same_past_gives_the_same_model() -> None:
    past = [series(wave(1)), series(wave(2), "b")]
    assert train(past) == train(past)


def test_the_held_out_time_teaches_nothing() -> None:
    value = wave()
    spoilt = value.copy()
    spoilt[int(0.8 * MINUTES) :] = 400.0
    honest, judged = train([series(value)])
    blind, misjudged = train([series(spoilt)])
    assert honest.mean == blind.mean
    assert honest.span == blind.span
    held = [(one.coef, one.lower, one.upper) for one in honest.heads]
    assert [(one.coef, one.lower, one.upper) for one in blind.heads if one.coef] == [
        one for one, head in zip(held, blind.heads, strict=True) if head.coef
    ]
    assert judged.verdicts != misjudged.verdicts


def test_gaps_go_by_time_not_by_row() -> None:
    value, kept = wave(), np.ones(MINUTES, bool)
    kept[2000:2600] = False
    kept[::7] = False
    past = Series.of("a", "Asia/Seoul", Grid.of(TIME[kept], value[kept]))
    model, report = train([past])
    assert model.installed == (600, 1800, 3600)
    assert report.verdicts[0].taught < kept.sum() * 0.8


def test_a_trained_model_serves() -> None:
    past = Past(ns(START), ns(START + 2 * 86400))
    past.add(block(day_of(NODES, 2 * 86400, step=30)))
    trained = past.series(NETWORK, ns(START))
    assert [one.name for one in trained] == ["a", "b", "c"]
    model, report = train(trained)
    assert (report.rooms, model.installed) == (3, (600, 1800, 3600))
    forecaster = Forecaster(Model.decode(model.encode()))
    rows = day_of(NODES, 3 * 3600, seed=2)
    forecaster.ingest(block(rows), ns(START + 3 * 3600))
    said = forecaster.predict(NETWORK, ns(START + 3 * 3600 - 1))
    truth = 20 + 12 * np.sin((3 * 3600 + 600) / 5400 + np.arange(4))
    room = np.array([node != "out" for node in said.nodes])
    assert np.abs(said.value[room, 0] - truth[room]).max() < 1.5


def test_cleaning_is_learnt_where_its_reports_are_known() -> None:
    past = Past(ns(START), ns(START + 7200))
    past.add(block([("a", START + 60 * minute, 5.0, 1) for minute in range(120)]))
    past.act("p", ns(START + 600), 2)
    past.act("p", ns(START + 3600), 0)
    (one,) = past.series(replace(NETWORK), ns(START))
    assert np.isnan(one.cleaning[:10]).all()
    assert set(one.cleaning[10:60]) == {4.0}
    assert set(one.cleaning[60:]) == {0.0}
