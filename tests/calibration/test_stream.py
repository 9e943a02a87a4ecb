"""Corrections in the stream: as the fit means them, and the same however the data came."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.calibrate import calibrate, correct
from edge.correction.inputs import Inputs
from edge.correction.memory import Memory
from edge.correction.model import Correction, Spread
from edge.correction.serve import BEYOND
from edge.correction.stream import reach, too_far
from edge.network import Calibration, Fitted, Network, Node, Placement
from edge.readings import SECOND, Column, Flag, Readings, concat
from tests.edge.series import network, rows

HOUR = 3600 * SECOND
BEGIN = 1_763_776_800
"""2025-11-22 02:00 UTC [s], a whole hour; `rows` count from 20 minutes past it."""
WIDE = Spread(0.1, (0.2, 0.3, 0.1, 0.1, 0.0, 0.0), -1.6, 1.7)
LAGGED = Correction(
    form="features", quantity="pm25", kind="linear", serial="P-1",
    valid={"pm25": (0.0, 80.0), "rh": (10.0, 95.0), "temp": (-10.0, 35.0)},
    terms=("raw", "raw.1", "raw.3", "rh", "temp"), weights=(0.4, 0.2, 0.1, -0.05, 0.02), intercept=3.0,
    spread=WIDE,
)  # fmt: skip
TWINS = replace(LAGGED, terms=("low", "high.1", "channels", "dry", "sin"), weights=(0.5, 0.2, 0.1, 0.1, 1.0))
CURVE = replace(LAGGED, kind="curve", terms=(), weights=(), knots=((0.0, 1.0), (20.0, 12.0), (90.0, 40.0)))
EPA = Correction(form="epa-2021", quantity="pm25", kind="epa-2021")
KINDS = {"lagged": LAGGED, "twins": TWINS, "curve": CURVE, "published": EPA}


def entry(correction: Correction, serial: str = "P-1", since: int = 0, **more: Any) -> Calibration:
    return Calibration(since, "fit", serial, "pm25", correction=correction, **more)


def school(correction: Correction, *nodes: str) -> Network:
    """Nodes with a sensor and a correction each; that of the second is twice the first's."""
    carried = {node: f"P-{place}" for place, node in enumerate(nodes, 1)}
    made = {node: Node(node, (Placement(0, "hana", "1-1", ""),), (Fitted(0, (("pms5003", carried[node]),)),))
            for node in nodes}  # fmt: skip
    own = [replace(correction, intercept=correction.intercept * place) for place in range(1, len(nodes) + 1)]
    entries = tuple(entry(one, serial) for one, serial in zip(own, carried.values(), strict=True))
    return Network("gongi/v1", {}, made, {}, calibrations=entries)


def marked(readings: Readings) -> Readings:
    """The rows as quality control would have found them good."""
    good = {
        name: replace(cells, flag=np.where(np.isnan(cells.raw), Flag.MISSING, Flag.GOOD).astype(np.uint8))
        for name, cells in readings.columns.items()
    }
    return readings.with_columns(good)


def through(blocks: Sequence[Readings], net: Network) -> Readings:
    memory, done = Memory.empty(), []
    for block in blocks:
        seen, memory = correct(block, memory, net)
        done.append(seen)
    return concat(done)


def told(readings: Readings) -> dict[tuple[str, int], tuple[object, ...]]:
    columns = sorted(readings.columns.items())
    return {
        (readings.nodes[readings.node[at]], int(readings.seq[at])): (
            readings.cals[readings.cal[at]],
            *(
                str((float(c.value[at]), float(c.u[at]), int(c.flag[at]), int(c.tests[at])))
                for _, c in columns
            ),
        )
        for at in range(len(readings))
    }


CELL = some.none() | some.sampled_from((-1.0, 0.0, 600.0)) | some.floats(0, 120, width=32)


@some.composite
def series(draw: some.DrawFn) -> Readings:
    """A few hours of two nodes, with gaps, jumps of the interval and missing cells."""
    parts, seq = [], 0
    for node in ("n1", "n2"):
        second = draw(some.integers(0, 5000))
        for _ in range(draw(some.integers(1, 5))):
            dt, count = draw(some.sampled_from((300, 600, 1200, 3600))), draw(some.integers(1, 9))
            columns = {
                name: draw(some.lists(CELL, min_size=count, max_size=count))
                for name in ("pm25", "pm25_a", "pm25_b", "rh", "temp")
            }
            seconds = [second + dt * at for at in range(count)]
            parts.append(rows(seconds, columns, node, dt, list(range(seq, seq + count))))
            seq += count
            second += dt * (count + draw(some.sampled_from((0, 0, 0, 3, 40))))
    return marked(concat(parts))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(readings=series(), cuts=some.lists(some.integers(0, 80), max_size=6), chance=some.randoms())
def test_a_stream_says_to_the_last_bit_what_one_pass_says(
    kind: str, readings: Readings, cuts: list[int], chance: object
) -> None:
    net = school(KINDS[kind], "n1", "n2")
    by_time = readings.take(np.lexsort((readings.node, readings.time)))
    edges = sorted({0, len(readings), *(cut for cut in cuts if cut < len(readings))})
    blocks = [by_time.take(np.arange(first, end)) for first, end in pairwise(edges)]
    for at, block in enumerate(blocks):
        order = np.arange(len(block))
        chance.shuffle(order)  # type: ignore[attr-defined]
        blocks[at] = block.take(order)
    assert told(through(blocks, net)) == told(calibrate(readings.take(readings.order()), net))


def hours(values: Sequence[float], minutes: int = 10) -> Readings:
    """Hours with samples that swing about their mean, from the whole hour BEGIN on."""
    count = 60 // minutes
    swing = np.tile(np.array([1.0, -1.0]), count // 2)
    seconds = [BEGIN - 1_763_778_000 + minutes * 60 * at for at in range(count * len(values))]
    pm = (np.repeat(values, count) + np.tile(swing, len(values))).tolist()
    steady = {"rh": [50.0] * len(pm), "temp": [10.0] * len(pm)}
    return marked(rows(seconds, {"pm25": pm, **steady}, dt=minutes * 60))


def test_the_mean_of_an_hours_samples_is_the_correction_of_its_mean() -> None:
    """What was fitted on hours holds for them, however finely they are sampled."""
    truth = [10.0, 20.0, 14.0, 30.0, 25.0, 12.0]
    seen = calibrate(hours(truth), school(LAGGED, "n1"))
    mean = seen.columns["pm25"].value.reshape(6, -1).mean(axis=1)
    time = BEGIN * SECOND + np.arange(6) * HOUR
    climate = {"rh": np.full(6, 50.0), "temp": np.full(6, 10.0)}
    whole = LAGGED.value(Inputs.of("pm25", time, HOUR, {"pm25": np.array(truth), **climate}))
    np.testing.assert_allclose(mean, whole, rtol=1e-9)


def test_an_hour_covered_by_less_than_three_quarters_is_not_known() -> None:
    """Then the sample's own value stands for it, as in the fit."""
    full = hours([10.0, 40.0])
    thin = full.take(np.array([0, 1, 2, 3, 6]))
    value = calibrate(thin, school(LAGGED, "n1")).columns["pm25"].value
    known = calibrate(full, school(LAGGED, "n1")).columns["pm25"].value
    assert known[6] == pytest.approx(0.4 * 41 + 0.2 * 10 + 0.1 * 41 + 3 - 2.5 + 0.2)
    assert value[4] == pytest.approx(0.7 * 41 + 3 - 2.5 + 0.2)


def test_out_of_range_or_missing_inputs_are_suspect_with_twice_the_doubt() -> None:
    pm = [20.0, 90.0, 20.0, 20.0, None]
    block = marked(rows([0, 10, 20, 30, 40], {"pm25": pm, "rh": [50, 50, 99, None, 50], "temp": [10.0] * 5}))
    block = block.with_columns(
        {"pm25": replace(block.columns["pm25"], flag=np.array([1, 1, 4, 1, 9], np.uint8))}
    )
    cells = calibrate(block, school(LAGGED, "n1")).columns["pm25"]
    assert cells.flag.tolist() == [Flag.GOOD, Flag.SUSPECT, Flag.FAIL, Flag.SUSPECT, Flag.MISSING]
    assert (cells.tests & BEYOND > 0).tolist() == [False, True, True, True, False]
    inside = replace(LAGGED, valid={})
    narrow = calibrate(block, school(inside, "n1")).columns["pm25"]
    np.testing.assert_allclose(cells.u[1], 2 * narrow.u[1])
    assert np.isnan(cells.value[4])
    assert np.isnan(cells.u[4])


def test_a_new_sensor_is_served_by_the_fleet_with_more_doubt_and_unchanged_flags() -> None:
    """The hours of the sensor before it are no hours of its own."""
    swap = (BEGIN + 2 * 3600) * SECOND
    fleet = replace(LAGGED, serial="", spread=replace(WIDE, lower=-3.0, upper=3.0))
    node = Node(
        "n1", (Placement(0, "hana", "1-1", ""),),
        (Fitted(0, (("pms5003", "P-1"),)), Fitted(swap, (("pms5003", "P-2"),))),
    )  # fmt: skip
    entries = (entry(LAGGED), replace(entry(fleet, ""), id="fleet", type="pms5003"))
    net = Network("gongi/v1", {}, {"n1": node}, {}, calibrations=entries)
    seen = calibrate(hours([20.0, 20.0, 40.0, 40.0]), net)
    names = [seen.cals[code] for code in seen.cal]
    assert names == [f"fit@{LAGGED.id}"] * 12 + [f"fleet@{fleet.id}"] * 12
    cells = seen.columns["pm25"]
    assert set(cells.flag.tolist()) == {Flag.GOOD}
    assert cells.u[12] > cells.u[0]
    # 0.2 · raw.1 and 0.1 · raw.3: its own value at first, then its own hour before.
    assert cells.value[12] == pytest.approx(0.7 * 41 + 3 - 2.5 + 0.2)
    assert cells.value[18] == pytest.approx(0.4 * 41 + 0.2 * 40 + 0.1 * 41 + 3 - 2.5 + 0.2)


def test_an_entrys_gain_offset_and_doubt_come_on_top_of_its_model() -> None:
    block = hours([20.0])
    plain = calibrate(block, network("n1", calibrations=(entry(EPA),))).columns["pm25"]
    more = calibrate(block, network("n1", calibrations=(entry(LAGGED, gain=2.0, offset=-1.0, u=1.0),)))
    bare = calibrate(block, network("n1", calibrations=(entry(LAGGED),))).columns["pm25"]
    np.testing.assert_allclose(more.columns["pm25"].value, 2 * bare.value - 1)
    np.testing.assert_allclose(more.columns["pm25"].u, np.hypot(2 * bare.u, 1))
    assert plain.u[0] == pytest.approx(10 / 3**0.5)  # a published form knows no doubt: the sensor's


def test_a_correction_looks_no_further_back_than_a_stream_does() -> None:
    daily = replace(LAGGED, step=24 * HOUR)
    assert too_far(daily)
    assert not too_far(LAGGED)
    assert not too_far(replace(daily, terms=("raw",), weights=(1.0,)))
    assert reach(replace(daily, terms=("raw",), weights=(1.0,))) == 0  # not even for its spread
    assert reach(LAGGED) == 3


def test_a_nodes_memory_is_adopted_where_it_has_come_as_far() -> None:
    net = school(LAGGED, "n1", "n2")
    whole = hours([10.0, 20.0, 30.0])
    _, early = correct(whole.take(np.arange(8)), Memory.empty(), net)
    _, late = correct(whole, Memory.empty(), net)
    for one, other in ((early, late), (late, early)):
        adopted = one.adopt(other)
        last = marked(rows([BEGIN - 1_763_778_000 + 3 * 3600], {"pm25": [10], "rh": [50], "temp": [10]}))
        value = correct(last, adopted, net)[0].columns["pm25"].value
        assert value[0] == correct(last, late, net)[0].columns["pm25"].value[0]


def test_a_column_that_was_never_sent_is_no_hour_before() -> None:
    block = rows([0], {"pm10": [5.0]})
    seen = calibrate(block, school(LAGGED, "n1"))
    np.testing.assert_array_equal(seen.columns["pm10"].value, Column.of_raw(np.array([5.0])).value)
