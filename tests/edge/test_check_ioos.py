"""Spike, rate of change and flat line say what the package `ioos-qc` says about random series."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from ioos_qc import qartod

from edge.check import Test, evaluate
from edge.readings import SECOND, Array, Readings
from tests.edge.series import network, rows

STEP = 600
# Quarters: sums and halves of them are exact, so both sides meet a threshold alike.
WALKS = st.lists(st.integers(0, 1600).map(lambda quarters: quarters / 4), min_size=3, max_size=80)
# Whole numbers of few values, as counters show them in clean air.
STILL = st.lists(st.sampled_from([0, 0, 0, 0, 0, 1, 2]).map(float), min_size=3, max_size=80)


def judged(values: list[float], **limits: float) -> tuple[Readings, Array]:
    """The series at steps of ten minutes, all tests off but those with these limits; which tests spoke."""
    off = {"step": np.inf, "spike": np.inf, "flat_suspect": np.inf, "flat_fail": np.inf}
    own = {f"pm25.{name}": value for name, value in {**off, "rail_low": -1.0, **limits}.items()}
    block = rows([STEP * place for place in range(len(values))], {"pm25": values}, dt=STEP)
    return block, evaluate(block, network("n1", limits=own)).columns["pm25"].tests


def seconds(block: Readings) -> Array:
    return (block.time // SECOND).astype("datetime64[s]")


@given(WALKS, st.integers(1, 400).map(lambda quarters: quarters / 4))
def test_spikes(values: list[float], limit: float) -> None:
    _, tests = judged(values, spike=limit)
    theirs = np.ma.filled(qartod.spike_test(values, limit, None), 2)
    ours = np.where(tests & Test.SPIKE, 3, 1)
    ours[[0, -1]] = 2  # neither end has two neighbours
    assert ours.tolist() == theirs.tolist()


@given(WALKS, st.integers(1, 64))
def test_rate_of_change(values: list[float], steps: int) -> None:
    block, tests = judged(values, step=0.0, rate=steps / 64)
    theirs = qartod.rate_of_change_test(values, seconds(block), steps / 64)
    assert np.where(tests & Test.RATE, 3, 1).tolist() == theirs.tolist()


@settings(max_examples=200)
@given(STILL, st.integers(1, 6), st.integers(1, 12), st.sampled_from([0.1, 0.5, 1.0]))
def test_flat_lines_of_whole_numbers(values: list[float], suspect: int, more: int, tolerance: float) -> None:
    """A range below the resolution is one value: any tolerance up to 1 is the same."""
    first, last = suspect * STEP, (suspect + more) * STEP
    block, tests = judged(values, flat_suspect=first, flat_fail=last)
    theirs = qartod.flat_line_test(values, seconds(block), first, last, tolerance)
    flag = (
        evaluate(
            block,
            network("n1", limits={"pm25.flat_suspect": first, "pm25.flat_fail": last, "pm25.rail_low": -1.0}),
        )
        .columns["pm25"]
        .flag
    )
    assert flag.tolist() == theirs.tolist()
    assert ((tests & Test.FLAT) != 0).tolist() == (theirs > 1).tolist()


def test_the_series_meet_the_limits() -> None:
    """What is compared above isn't silence."""
    assert judged([0, 100, 0], spike=99)[1].tolist() == [0, Test.SPIKE, 0]
    assert judged([0, 100], step=0.0, rate=0.1)[1].tolist() == [0, Test.RATE]
    assert judged([7, 7, 7], flat_suspect=1200.0)[1].tolist() == [0, 0, Test.FLAT]
