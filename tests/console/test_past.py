"""Series: means by step, worst flags, nothing lost and nothing invented."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import SECOND, UNTIMED, Array, Column, Flag, Readings
from gateway.console.answers import Notice, Series
from gateway.console.past import Window, series
from gateway.console.sample import readings

LAW = Notice(instrument="", grade="", network="")
START = 1_795_000_200


@dataclass
class Held:
    """A history in memory."""

    rows: Readings

    def read(self, start_ns: int, end_ns: int, nodes: Collection[str] | None) -> Readings:
        return self.rows.take((self.rows.time >= start_ns) & (self.rows.time < end_ns))


def _column(raw: list[float], value: list[float], flag: list[int]) -> Column:
    column = Column.of_raw(np.array(raw, float))
    return replace(column, value=np.array(value, float), flag=np.array(flag, np.uint8))


def _series(seconds: list[int], column: Column, window: Window) -> Series:
    time = np.array(seconds, np.int64) * SECOND
    return series(Held(readings("a", time, lambda id, time: {"pm25": column})), "a", "pm25", window, LAW)


def test_a_step_is_the_mean_of_what_quality_control_believes_and_shows_its_worst_flag() -> None:
    nan = float("nan")
    column = _column([10, 20, 900, nan, 7], [11, 21, 901, nan, 8], [1, 3, 4, 9, 1])
    got = _series(
        [START, START + 10, START + 20, START + 30, START + 130], column, Window(START, START + 180, 60)
    )
    assert got.time == [START, START + 60, START + 120]
    assert got.value == [16.0, None, 8.0]
    assert got.raw == [310.0, None, 7.0]
    assert got.flag == [Flag.FAIL, Flag.ABSENT, Flag.GOOD]
    assert got.samples == [4, 0, 1]
    assert got.unit == "µg/m³"


def test_zero_is_not_missing() -> None:
    assert _series([START], _column([0], [0], [1]), Window(START, START + 60, 60)).value == [0.0]


def test_rows_without_a_time_and_of_other_nodes_are_left_out() -> None:
    rows = readings("a", np.array([UNTIMED]), lambda id, time: {"pm25": _column([5], [5], [2])})

    class All(Held):
        def read(self, start_ns: int, end_ns: int, nodes: Collection[str] | None) -> Readings:
            return self.rows

    window = Window(START, START + 60, 60)
    assert series(All(rows), "a", "pm25", window, LAW).samples == [0]
    assert series(All(rows), "b", "pm25", window, LAW).samples == [0]
    assert series(All(Readings.empty()), "b", "pm25", window, LAW).value == [None]


@given(
    st.lists(st.integers(0, 86399), max_size=50, unique=True).map(sorted),
    st.integers(1, 600),
)
def test_every_sample_in_the_window_is_counted_once(offsets: list[int], points: int) -> None:
    cells = [1.0] * len(offsets)
    window = Window.of(START, START + 86400, points)
    got = _series([START + offset for offset in offsets], _column(cells, cells, [1] * len(cells)), window)
    assert sum(got.samples) == len(offsets)
    assert len(got.time) == len(got.value) == len(got.raw) == len(got.flag) <= points + 2
    assert all(value in (None, 1.0) for value in got.value)


@given(st.integers(0, 1 << 32), st.integers(1, 1 << 26), st.integers(1, 2000))
def test_a_window_covers_what_was_asked_in_whole_steps(start: int, length: int, points: int) -> None:
    window = Window.of(start, start + length, points)
    times: Array = window.times
    assert window.start <= start
    assert window.end >= start + length
    assert window.start % window.step == window.end % window.step == 0
    assert times.size == (window.end - window.start) // window.step
