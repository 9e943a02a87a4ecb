"""Calibration: values, their uncertainty and the name of what made them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.calibrate import SPREAD_RH, USUAL_RH, calibrate, default_doubt
from edge.channels import combine
from edge.check import evaluate
from edge.network import Calibration
from edge.readings import SECOND, Array, Readings
from tests.edge.series import START, network, rows


def value(readings: Readings, quantity: str = "pm25") -> Array:
    return readings.columns[quantity].value


def u(readings: Readings, quantity: str = "pm25") -> Array:
    return readings.columns[quantity].u


def names(readings: Readings) -> list[str]:
    return [readings.cals[code] for code in readings.cal]


def test_without_a_calibration_the_value_is_the_raw_one_with_the_doubt_of_its_sensor() -> None:
    before = rows([0, 10, 20, 30], {"pm25": [12, 200, None, 0], "temp": [21.5, None, -3, 0]})
    seen = calibrate(before, network("n1"))
    np.testing.assert_array_equal(value(seen), [12, 200, np.nan, 0])
    np.testing.assert_allclose(u(seen), [10 / 3**0.5, 20 / 3**0.5, np.nan, 10 / 3**0.5])
    np.testing.assert_allclose(u(seen, "temp"), [0.8 / 3**0.5, np.nan, 0.8 / 3**0.5, 0.8 / 3**0.5])
    assert names(seen) == ["identity"] * 4


def test_gain_offset_humidity_and_uncertainty_of_the_sensors_serial() -> None:
    fit = Calibration(0, "P-1/2026-03", "P-1", "pm25", gain=0.524, offset=5.75, rh=-0.0862, u=2.5)
    other = Calibration(0, "P-9/2026-03", "P-9", "pm25", gain=9)
    net = network("n1", calibrations=(fit, other))
    seen = calibrate(rows([0, 10], {"pm25": [100, 0], "rh": [40, 90]}), net)
    np.testing.assert_allclose(value(seen), [0.524 * 100 - 0.0862 * 40 + 5.75, 0])
    np.testing.assert_allclose(u(seen), [2.5, 2.5])
    np.testing.assert_array_equal(seen.columns["pm25"].raw, [100, 0])
    assert names(seen) == ["P-1/2026-03"] * 2


def test_a_missing_humidity_widens_the_uncertainty() -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", rh=-0.1, u=3),))
    seen = calibrate(rows([0, 10], {"pm25": [50, 50], "rh": [None, 50]}), net)
    np.testing.assert_allclose(value(seen), [50 - 0.1 * USUAL_RH, 45])
    np.testing.assert_allclose(u(seen), [np.hypot(3, 0.1 * SPREAD_RH), 3])
    alone = calibrate(rows([0], {"pm25": [50]}), net)
    np.testing.assert_allclose(u(alone), [np.hypot(3, 0.1 * SPREAD_RH)])


def test_a_calibration_holds_from_its_date_on_and_each_row_names_its_own() -> None:
    late = (START + 20) * SECOND
    both = (
        Calibration(late, "P-1/b", "P-1", "pm25", gain=2),
        Calibration(late, "S-1/b", "S-1", "co2", offset=-10),
    )
    net = network("n1", "n2", calibrations=both)
    block = rows([0, 20, None], {"pm25": [10, 10, 10], "co2": [500, 500, 500]}, nodes=["n1", "n2", "n1"])
    seen = calibrate(block, net)
    assert names(seen) == ["identity", "P-1/b+S-1/b", ""]
    assert value(seen).tolist() == [10, 20, 10]
    assert value(seen, "co2").tolist() == [500, 490, 500]


def test_masses_are_never_negative_but_their_raw_values_may_be() -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", offset=-20),))
    seen = calibrate(rows([0, 10], {"pm25": [5, 30], "temp": [-5, 1]}), net)
    assert value(seen).tolist() == [0, 10]
    assert seen.columns["pm25"].raw.tolist() == [5, 30]
    assert value(seen, "temp").tolist() == [-5, 1]
    assert value(calibrate(rows([0], {"pm10": [-1]}), net), "pm10").tolist() == [0]


def test_a_calibration_without_uncertainty_keeps_the_sensors() -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", gain=2),))
    np.testing.assert_allclose(u(calibrate(rows([0], {"pm25": [100]}), net)), [20 / 3**0.5])


def test_an_absurd_raw_value_has_no_corrected_one() -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", gain=10),))
    seen = calibrate(rows([0], {"pm25": [1e308]}), net)
    assert np.isnan(value(seen)[0])
    assert seen.columns["pm25"].raw[0] == 1e308


def test_the_mean_of_two_channels_is_calibrated_too() -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", gain=2),))
    block = rows([0, 10], {"pm25_a": [10, 1.7e308], "pm25_b": [12, 1.7e308]})
    seen = calibrate(evaluate(block, net), net)
    assert value(seen)[0] == 22
    assert combine(block).columns["pm25"].raw.tolist() == [11, 1.7e308]


def test_types_have_their_own_doubts() -> None:
    assert default_doubt("sht4x", "rh").floor < default_doubt("scd4x", "rh").floor
    assert default_doubt("", "pm25") == default_doubt("pms5003", "pm25")


CELLS = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=20)


@given(CELLS, st.floats(-10, 10), st.floats(0, 10))
def test_calibrating_again_changes_nothing(cells: list[float | None], gain: float, doubt: float) -> None:
    net = network("n1", calibrations=(Calibration(0, "c", "P-1", "pm25", gain=gain, u=doubt),))
    block = rows([10 * place for place in range(len(cells))], {"pm25": cells, "rh": cells})
    once = calibrate(block, net)
    twice = calibrate(once, net)
    for cell in ("raw", "value", "u", "flag", "tests"):
        left, right = (getattr(seen.columns["pm25"], cell) for seen in (once, twice))
        np.testing.assert_array_equal(left, right)
    known = ~np.isnan(once.columns["pm25"].raw)
    assert (u(once)[known] >= 0).all()
    np.testing.assert_array_equal(np.isnan(value(once)), ~known)


@pytest.mark.parametrize("columns", [{}, {"pm25": []}])
def test_an_empty_block_stays_empty(columns: dict[str, list[float]]) -> None:
    assert len(calibrate(rows([], columns), network("n1"))) == 0
