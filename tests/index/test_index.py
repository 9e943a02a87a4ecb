"""Indices against their golden vectors (tests/vectors/index.json), at their edges, and with holes."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.index import INDICES, Hours, korea, us, world
from edge.index.hours import running
from edge.index.korea import rank
from edge.index.learning import conditions
from edge.index.lesson import outdoors
from edge.readings import SECOND, Array

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "index.json").read_text())
TABLES = {"kr-pm": korea.TABLES[-1], "us-aqi": us.TABLES[-1]}
TODAY = date(2026, 11, 22)
VALUES = st.lists(st.none() | st.floats(0, 2000), min_size=1, max_size=40)


def array(values: list[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], float)


def hours(**means: list[float | None]) -> Hours:
    count = len(next(iter(means.values())))
    return Hours(
        np.arange(1, count + 1) * 3600 * SECOND, {name: array(cells) for name, cells in means.items()}
    )


@pytest.mark.parametrize(
    ("index", "quantity", "concentration", "value"),
    [(index, *row) for index in TABLES for row in VECTORS[index]],
)
def test_breakpoints(index: str, quantity: str, concentration: float, value: float) -> None:
    found = TABLES[index].value(quantity, np.array([concentration]))[0]
    assert np.floor(found + 0.5) == value


@pytest.mark.parametrize("case", VECTORS["predicted_day"])
def test_the_predicted_day(case: dict[str, Any]) -> None:
    found = korea.predicted_day(array(case["hours"]), case["quantity"])[-1]
    assert found == pytest.approx(case["day"] if case["day"] is not None else np.nan, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("case", VECTORS["nowcast"])
def test_nowcast(case: dict[str, Any]) -> None:
    found = us.nowcast(array(case["hours"]))[-1]
    expected = np.nan if case["nowcast"] is None else case["nowcast"]
    assert found == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_the_worse_quantity_speaks_and_one_alone_is_enough() -> None:
    both = hours(pm25=[20.0] * 12, pm10=[200.0] * 12)
    alone = hours(pm10=[200.0] * 12)
    assert INDICES["kr-pm"].of(both)[-1] == INDICES["kr-pm"].of(alone)[-1] > 200
    assert np.isnan(INDICES["kr-pm"].of(hours(rh=[50.0] * 12))).all()


@pytest.mark.parametrize(
    ("table", "concentration", "band"),
    [
        (world.WHO_DAY, 15.0, 0),
        (world.WHO_DAY, 15.1, 1),
        (world.WHO_DAY, 75.1, 5),
        (world.WHO_YEAR, 5.0, 0),
        (world.WHO_YEAR, 36.0, 5),
        (world.EU_HOUR, 5.0, 0),
        (world.EU_HOUR, 50.1, 3),
        (world.EU_HOUR, 141.0, 5),
    ],
)
def test_bands_end_with_their_last_value(table: Any, concentration: float, band: int) -> None:
    assert table.band("pm25", np.array([concentration]))[0] == band


def test_a_mean_needs_three_quarters_of_its_hours() -> None:
    assert np.isnan(running(array([1.0] * 17), 24)).all()
    assert running(array([1.0] * 18), 24)[-1] == 1.0
    assert np.isnan(INDICES["who-24h"].of(hours(pm25=[1.0] * 17))).all()


@given(VALUES)
def test_an_hour_knows_only_what_was_before_it(values: list[float | None]) -> None:
    for index in INDICES.values():
        whole = dict.fromkeys(index.quantities, values)
        first = dict.fromkeys(index.quantities, values[:-1]) if len(values) > 1 else None
        found = index.of(hours(**whole))
        if first:
            np.testing.assert_array_equal(found[:-1], index.of(hours(**first)))


@given(VALUES)
def test_every_value_has_a_band_and_every_hole_has_none(values: list[float | None]) -> None:
    for index in INDICES.values():
        found = index.of(hours(**dict.fromkeys(index.quantities, values)))
        band = index.band(found)
        np.testing.assert_array_equal(np.isnan(band), np.isnan(found))
        assert all(0 <= place < len(index.bands) for place in band[~np.isnan(band)])


@given(st.sampled_from(["kr-pm", "us-aqi", "eu-eaqi"]), st.lists(st.floats(0, 700), min_size=2, max_size=9))
def test_more_dust_is_never_a_better_index(index: str, levels: list[float]) -> None:
    steady = [INDICES[index].of(hours(pm25=[level] * 24))[-1] for level in sorted(levels)]
    assert steady == sorted(steady)


def test_conditions_for_learning() -> None:
    best, warm, all_three = conditions(
        np.array([20.0, 30.0, 25.0]), np.array([600.0, 600.0, 2100.0]), np.array([0.0, 0.0, 40.0])
    )
    assert best == 100.0
    assert warm == pytest.approx(80.0)
    assert all_three == pytest.approx(100 * 0.9 * 0.88 * 0.94)


def test_a_lesson_outdoors_ends_when_the_forecast_turns_bad() -> None:
    advice = outdoors({"pm25": 20.0, "pm10": 25.0}, [(60, "pm25", 34.0), (180, "pm25", 50.0)], TODAY)
    assert advice is not None
    assert (advice.rank, advice.minutes, advice.lesson.sensitive) == (1, 180, 30)


def test_a_lesson_is_held_indoors_from_unhealthy_on() -> None:
    advice = outdoors({"pm25": 36.0}, [(60, "pm25", 10.0)], TODAY)
    assert advice is not None
    assert (advice.rank, advice.minutes) == (2, 0)
    assert outdoors({"co2": 500.0}, [], TODAY) is None


def test_a_quantity_without_grades_has_no_rank() -> None:
    assert rank("co2", 5000.0, TODAY) is None
