"""Whether an actuator does what it confirms: power readings, and particles with a known loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proof import Decay, by_decay, by_power, decay


@pytest.mark.parametrize(
    ("level", "watts", "expected", "key"),
    [
        (0, 0.4, 0.0, "off"),
        (0, 8.0, 0.0, "other"),
        (1, 41.0, 45.0, "power"),
        (1, 0.6, 45.0, "asleep"),
        (1, 20.0, 45.0, "other"),
        (2, 9.0, 8.0, "power"),
    ],
)
def test_a_power_reading_proves_a_level_or_says_what_is_wrong(
    level: int, watts: float, expected: float, key: str
) -> None:
    found = by_power(level, watts, expected)
    assert found is not None
    assert (found.key, found.proved) == (key, key in ("off", "power"))


@pytest.mark.parametrize("expected", [0.0, 2.5])
def test_a_level_that_draws_next_to_nothing_isnt_told_from_standing_by(expected: float) -> None:
    assert by_power(1, 2.5, expected) is None


def particles(rate: float, start: float, floor: float, seed: int, minutes: int = 10) -> Decay | None:
    time = np.arange(0, minutes * 60, 10.0)
    noise = np.random.default_rng(seed).normal(0, 1.5, time.size)
    return decay(time, np.round(floor + start * np.exp(-rate * time / 3600) + noise), floor)


def test_its_standard_error_is_what_the_rates_scatter_by() -> None:
    found = [one for seed in range(300) if (one := particles(2.0, 80.0, 6.0, seed))]
    scores = np.array([(one.rate - 2.0) / one.error for one in found])
    assert abs(scores.mean()) < 0.2
    assert 0.8 < scores.std() < 1.2


def test_levels_are_told_apart_by_how_fast_particles_go() -> None:
    off, good, clogged = (particles(rate, 80.0, 6.0, 7) for rate in (0.9, 4.2, 1.9))
    assert by_decay(1, off, good, 3.3).key == "faster"
    assert by_decay(1, off, clogged, 3.3).key == "weak"
    assert by_decay(1, off, off, 3.3).key == "idle"
    assert by_decay(1, off, good, 0.0).key == "unnamed"


def test_a_clean_room_tells_nothing_and_too_short_a_look_is_said_to_be_unsure() -> None:
    dusty, clean = particles(0.9, 80.0, 6.0, 7), particles(4.2, 6.0, 6.0, 7)
    assert by_decay(1, dusty, clean, 3.3).key == "clean"
    assert by_decay(1, clean, dusty, 3.3).key == "clean"
    assert by_decay(1, dusty, None, 3.3).key == "clean"
    short = Decay(2.0, 3.0, 8, 60.0)
    assert by_decay(1, dusty, short, 3.3).key == "unsure"


@given(st.lists(st.floats(-1e3, 1e4) | st.just(float("nan")), max_size=60), st.floats(0, 500))
def test_any_series_is_fitted_or_declined(values: list[float], floor: float) -> None:
    found = decay(np.arange(len(values)) * 10.0, np.array(values), floor)
    assert found is None or (np.isfinite([found.rate, found.error]).all() and found.samples >= 6)
