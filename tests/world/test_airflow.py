"""The mass balance: conserved, exact at any step, and where the closed forms say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.world.air import Floats, growth
from gateway.world.airflow import modes

flow = st.floats(0.0, 2000.0)
volume = st.floats(5.0, 500.0)
amount = st.floats(0.0, 5000.0)


@st.composite
def zones(draw: st.DrawFn) -> tuple[Floats, Floats, Floats, Floats]:
    """Capacity, exchange, state and source of up to five zones."""
    n = draw(st.integers(1, 5))
    square = np.array(draw(st.lists(flow, min_size=n * n, max_size=n * n))).reshape(n, n)
    exchange = np.triu(square, 1)
    lists = [draw(st.lists(kind, min_size=n, max_size=n)) for kind in (volume, amount, amount)]
    capacity, state, source = (np.array(values) for values in lists)
    return capacity, exchange + exchange.T, state, source


@given(zones(), st.floats(0.0, 1000.0))
def test_closed_zones_keep_their_mass(zones: tuple[Floats, ...], hours: float) -> None:
    capacity, exchange, state, source = zones
    closed = modes(capacity, exchange, np.zeros_like(capacity))
    end, _ = closed.advance(state, source, hours)
    before = capacity @ state + hours * source.sum()
    assert capacity @ end == pytest.approx(before, rel=1e-8, abs=1e-6)


@given(zones(), st.floats(0.1, 500.0), st.floats(1e-4, 100.0))
def test_what_comes_in_goes_out_or_stays(zones: tuple[Floats, ...], loss: float, hours: float) -> None:
    capacity, exchange, state, source = zones
    end, mean = modes(capacity, exchange, np.full_like(capacity, loss)).advance(state, source, hours)
    lost = hours * loss * mean.sum()
    assert capacity @ (end - state) == pytest.approx(hours * source.sum() - lost, rel=1e-6, abs=1e-4)


@given(zones(), st.floats(0.0, 500.0), st.floats(0.001, 5.0), st.integers(2, 6))
def test_one_step_is_many_steps(zones: tuple[Floats, ...], loss: float, hours: float, parts: int) -> None:
    capacity, exchange, state, source = zones
    solved = modes(capacity, exchange, np.full_like(capacity, loss))
    whole, _ = solved.advance(state, source, hours)
    for _ in range(parts):
        state, _ = solved.advance(state, source, hours / parts)
    assert state == pytest.approx(whole, rel=1e-7, abs=1e-6)


@given(zones(), st.floats(0.0, 500.0), st.floats(0.0, 1e6))
def test_no_step_makes_air_negative_or_explode(zones: tuple[Floats, ...], loss: float, hours: float) -> None:
    capacity, exchange, state, _ = zones
    end, _ = modes(capacity, exchange, np.full_like(capacity, loss)).advance(state, 0 * state, hours)
    assert np.all(end >= -1e-6)
    assert np.all(end <= state.max() + 1e-6)


@given(st.floats(20, 400), st.floats(0.1, 5), st.floats(0.1, 3), st.floats(0, 1500), st.floats(1, 300))
def test_one_zone_follows_the_closed_form(v: float, a: float, k: float, cadr: float, outside: float) -> None:
    rate = a + k + cadr / v
    steady = 0.8 * a * outside / rate
    room = modes(np.array([v]), np.zeros((1, 1)), np.array([rate * v]))
    source = np.array([0.8 * a * v * outside])
    assert room.steady(source)[0] == pytest.approx(steady)
    end, mean = room.advance(np.array([50.0]), source, 0.4)
    left = math.exp(-rate * 0.4)
    assert end[0] == pytest.approx(steady + (50 - steady) * left)
    assert mean[0] == pytest.approx(steady + (50 - steady) * (1 - left) / (rate * 0.4))


@pytest.mark.parametrize(("cadr", "minutes"), [(9.9, 33), (15.9, 22), (21.3, 17)])
def test_a_purifier_takes_ninety_percent_in_the_published_minutes(cadr: float, minutes: int) -> None:
    room = modes(np.array([170.6]), np.zeros((1, 1)), np.array([0.7 * 170.6 + 60 * cadr]))
    left = [room.advance(np.array([100.0]), np.zeros(1), m / 60)[0][0] for m in (minutes - 1, minutes + 1)]
    assert left[0] > 10 > left[1]


@pytest.mark.parametrize(
    ("outside", "cadr", "minutes"), [(50, 9.9, 12), (50, 21.3, 5), (100, 9.9, 31), (100, 15.9, 17)]
)
def test_lead_times_to_fifteen_are_the_published_ones(outside: float, cadr: float, minutes: int) -> None:
    calm = modes(np.array([170.6]), np.zeros((1, 1)), np.array([0.7 * 170.6]))
    source = np.array([0.8 * 0.5 * 170.6 * outside])
    running = modes(np.array([170.6]), np.zeros((1, 1)), np.array([0.7 * 170.6 + 60 * cadr]))
    begun = calm.steady(source)
    left = [running.advance(begun, source, m / 60)[0][0] for m in (minutes - 1, minutes + 1)]
    assert left[0] > 15 > left[1]


@pytest.mark.parametrize(("rh", "times"), [(60, 1.27), (80, 1.73), (90, 2.64)])
def test_particles_grow_by_the_published_factors(rh: float, times: float) -> None:
    assert growth(rh, 0.3) == pytest.approx(times, abs=0.005)


def test_growth_is_one_in_dry_air_and_bounded_in_fog() -> None:
    assert growth(0.0, 0.3) == growth(-3.0, 0.3) == 1.0
    assert growth(100.0, 0.3) == growth(95.0, 0.3) < 5
