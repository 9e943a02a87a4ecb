"""Quality control: each test's edge, and that the stream says what one pass over the sorted data says."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.channels import combine
from edge.check import REACH, WINDOW, CheckState, Test, check, evaluate, late, rebuild
from edge.limits import CLOCK_STEP, GAP, LONGEST_GAP, limits, mistakes
from edge.limits import WINDOW as LIMITS_WINDOW
from edge.network import Fitted, Network, Node, Placement
from edge.readings import SECOND, Column, Flag, Readings, concat
from tests.edge.series import START, network, revise, rows, same, told

NET = network("n1", "n2", "n3")


def flags(readings: Readings, quantity: str = "pm25") -> list[int]:
    return readings.columns[quantity].flag.tolist()


def spoke(readings: Readings, quantity: str = "pm25") -> list[int]:
    return readings.columns[quantity].tests.tolist()


# One pass, by hand: the oracle

Cells = dict[str, tuple[int, int]]


@dataclass
class Last:
    """A quantity's last possible value, its time, since when it has been the same, the one before it where
    that was near, and what was said about it."""

    value: float
    time: int
    begin: int
    prior: float | None
    cells: Cells


def by_hand(readings: Readings, net: Network) -> dict[tuple[str, int, int], Cells]:
    """Quality control of one pass, sample by sample, as docs and table say it."""
    told: dict[tuple[str, int, int], Cells] = {}
    last: dict[tuple[str, str], Last] = {}
    clocks: dict[str, tuple[int, int, int, int]] = {}
    for place in readings.order().tolist():
        node, seq = readings.nodes[readings.node[place]], int(readings.seq[place])
        time, dt = int(readings.time[place]), int(readings.dt[place])
        up = int(readings.up[place]) + int(readings.row[place]) * dt
        cells = told[node, seq, int(readings.row[place])] = {}
        for quantity, column in sorted(readings.columns.items()):
            raw = float(column.raw[place])
            cells[quantity] = _one(raw, time, dt, up, quantity, node, last, net, cells)
        if node in net.nodes:
            _across(cells, {name: float(c.raw[place]) for name, c in readings.columns.items()})
            log, boot, start = int(readings.log[place]), int(readings.boot[place]), time - up * SECOND
            was = clocks.get(node, (0, 0, 0, 0))
            near = was[:2] == (log, boot) and time - was[3] <= LONGEST_GAP * SECOND
            for name in cells if near and abs(start - was[2]) > CLOCK_STEP * SECOND else ():
                _mark(cells, name, 3, Test.CLOCK)
            clocks[node] = log, boot, start, time
    return told


def _mark(cells: Cells, quantity: str, flag: int, test: Test) -> None:
    was, tests = cells[quantity]
    if was not in (0, 9):
        cells[quantity] = max(was, flag), tests | test


def _across(cells: Cells, raw: dict[str, float]) -> None:
    if raw.get("n03") == 0 and raw.get("pm10", 0) > 0:
        for name in cells.keys() & {"n03", "pm25", "pm10"}:
            _mark(cells, name, 3, Test.COUNTS)
    if raw.get("rh", 0) >= 99:
        _mark(cells, "rh", 3, Test.HUMID)
        for name in cells.keys() & {"pm25", "pm10"}:
            _mark(cells, name, 1, Test.HUMID)


def _one(
    raw: float,
    time: int,
    dt: int,
    up: int,
    quantity: str,
    node: str,
    last: dict[tuple[str, str], Last],
    net: Network,
    cells: Cells,
) -> tuple[int, int]:
    if np.isnan(raw):
        return 9, 0
    if node not in net.nodes:
        return 2, Test.NOWHERE
    kind = "scd4x" if quantity in ("co2", "temp", "rh") else "pms5003"
    bound = limits(kind, quantity, net.nodes[node].limits)
    warming = up < bound.warm
    if not bound.low <= raw <= bound.high:
        return 4, Test.RANGE | (Test.WARMING if warming else 0)
    flag, tests = (3, int(Test.WARMING)) if warming else (1, 0)
    if not bound.floor <= raw <= bound.ceiling:
        flag, tests = 3, tests | Test.RANGE
    was = last.get((node, quantity))
    seconds = (time - was.time) / SECOND if was else np.inf
    near = was is not None and seconds <= min(max(3 * dt, GAP), LONGEST_GAP)
    begin, prior = time, None
    if was is not None and near:
        if seconds > 0 and abs(raw - was.value) > max(bound.step, bound.rate * seconds):
            flag, tests = 3, tests | Test.RATE
        if was.prior is not None and abs(was.value - (was.prior + raw) / 2) > bound.spike:
            _mark(was.cells, quantity, 3, Test.SPIKE)
        begin, prior = was.begin if raw == was.value else time, was.value
    still = (time - begin) / SECOND
    rail = raw <= bound.rail_low or raw >= bound.rail_high
    if still >= (bound.rail_suspect if rail else bound.flat_suspect):
        flag, tests = max(flag, 3), tests | Test.FLAT
    if not rail and still >= bound.flat_fail:
        flag, tests = 4, tests | Test.FLAT
    last[node, quantity] = Last(raw, time, begin, prior, cells)
    return flag, tests


# Single tests


def test_a_value_outside_its_range_fails_and_a_zero_is_a_value() -> None:
    seen = evaluate(rows([0, 10, 20, 30, 40], {"pm25": [-1, 0, 12, 1000.5, 500.5]}), NET)
    assert flags(seen) == [Flag.FAIL, Flag.GOOD, Flag.SUSPECT, Flag.FAIL, Flag.SUSPECT]
    assert spoke(seen) == [Test.RANGE, 0, Test.SPIKE, Test.RANGE, Test.RANGE | Test.RATE]


def test_values_survive_whatever_is_said_about_them() -> None:
    before = rows([0, 10, 20], {"pm25": [-1, None, 2000]})
    after = evaluate(before, NET)
    np.testing.assert_array_equal(after.columns["pm25"].raw, before.columns["pm25"].raw)
    assert flags(after) == [4, 9, 4]


def test_a_jump_is_suspect_and_a_code_between_does_not_hide_or_make_one() -> None:
    seen = evaluate(rows([0, 10, 20, 30, 40], {"pm25": [10, 161, 161, -1, 160]}), NET)
    assert flags(seen) == [1, 3, 1, 4, 1]
    assert spoke(seen)[1] == Test.RATE


def test_after_a_long_silence_a_jump_says_nothing() -> None:
    seen = evaluate(rows([0, int(GAP) + 1], {"pm25": [10, 400]}), NET)
    assert flags(seen) == [1, 1]
    assert flags(evaluate(rows([0, int(GAP)], {"pm25": [10, 400]}), NET)) == [1, 3]


def test_hourly_samples_are_allowed_longer_gaps() -> None:
    jump = {"pm25": [10.0, 999.0]}
    assert flags(evaluate(rows([0, 10800], jump, dt=3600), NET))[1] == Flag.SUSPECT
    assert spoke(evaluate(rows([0, 10801], jump, dt=3600), NET))[1] == Test.RANGE


def test_equal_values_become_suspect_and_then_fail() -> None:
    seconds = list(range(0, 13 * 3600, 600))
    seen = evaluate(rows(seconds, {"pm25": [7.0] * len(seconds)}), NET)
    expected = [1 if s < 3 * 3600 else 3 if s < 12 * 3600 else 4 for s in seconds]
    assert flags(seen) == expected
    assert {spoke(seen)[i] for i, flag in enumerate(expected) if flag > 1} == {int(Test.FLAT)}


def test_clean_air_may_stand_at_zero_all_night_but_never_fails() -> None:
    seconds = list(range(0, 48 * 3600, 600))
    seen = evaluate(rows(seconds, {"pm25": [0.0] * len(seconds)}), NET)
    assert flags(seen) == [1 if s < 12 * 3600 else 3 for s in seconds]


def test_saturated_humidity_is_no_frozen_sensor() -> None:
    seconds = list(range(0, 48 * 3600, 600))
    seen = evaluate(rows(seconds, {"rh": [99.9] * len(seconds)}), NET)
    assert set(flags(seen, "rh")) == {Flag.SUSPECT}
    assert set(spoke(seen, "rh")) == {int(Test.HUMID)}


def test_absent_stays_absent_and_missing_missing() -> None:
    block = rows([0, 10], {"pm25": [1, None]}).with_columns({"co2": Column.absent(2)})
    seen = evaluate(block, NET)
    assert (flags(seen), flags(seen, "co2"), spoke(seen, "co2")) == ([1, 9], [0, 0], [0, 0])


def test_unknown_nodes_untimed_rows_and_rows_before_adoption_are_not_evaluated() -> None:
    net = network("n1", since=(START + 15) * SECOND)
    block = rows([10, 20, None, 20], {"pm25": [-1, -1, -1, -1]}, nodes=["n1", "n1", "n1", "stranger"])
    seen, state = check(block, CheckState.empty(), net)
    assert flags(seen) == [2, 4, 2, 2]
    assert spoke(seen) == [Test.NOWHERE, Test.RANGE, Test.UNTIMED, Test.NOWHERE]
    assert list(state.slots) == ["n1"]


def test_late_rows_wait_for_the_catch_up_pass_and_leave_the_state_alone() -> None:
    _, state = check(rows([100], {"pm25": [5]}), CheckState.empty(), NET)
    late, after = check(rows([50, 100, None], {"pm25": [900, 5, None]}), state, NET)
    assert (flags(late), spoke(late)) == ([2, 2, 9], [Test.LATE, Test.LATE, 0])
    assert after.newest.tolist() == state.newest.tolist()
    assert after.tracks.value[after.tracks.place["pm25"], 1] == 5


def test_a_block_leaves_the_state_before_it_untouched() -> None:
    _, state = check(rows([100], {"pm25": [5]}), CheckState.empty(), NET)
    before = (state.newest.copy(), state.tracks.value.copy())
    check(rows([200], {"pm25": [9]}), state, NET)
    assert state.newest.tolist() == before[0].tolist()
    np.testing.assert_array_equal(state.tracks.value, before[1])


def test_a_node_overrides_its_limits() -> None:
    net = network("n1", limits={"pm25.step": 5.0, "pm25.high": 100.0})
    assert flags(evaluate(rows([0, 10, 20], {"pm25": [1, 7, 101]}), net)) == [1, 3, 4]


def test_limits_follow_the_sensor_of_the_sample_time() -> None:
    place = (Placement(0, "hana", "1-1", "wall"),)
    swap = (Fitted(0, (("pms5003", "P"),)), Fitted((START + 50) * SECOND, (("reference", "R"),)))
    net = Network("g", {}, {"n1": Node("n1", place, swap)}, {})
    seen = evaluate(rows([0, 40, 50, 100], {"pm10": [1200, 1200, 1200, 1200]}), net)
    assert flags(seen, "pm10") == [4, 4, 3, 3]


def test_mistakes_in_overrides_are_named() -> None:
    wrong = {"pm25": 1.0, "air.step": 1.0, "pm25.spikes": 1.0, "pm25.flat_fail": 1e6, "pm25.step": 9.0}
    assert [key for key, _ in mistakes(wrong)] == ["pm25", "air.step", "pm25.spikes", "pm25.flat_fail"]
    assert limits("pms5003", "pm25", wrong).flat_fail == WINDOW - LONGEST_GAP


def test_no_test_looks_back_further_than_the_window() -> None:
    assert WINDOW == LIMITS_WINDOW == 12 * 3600 + LONGEST_GAP


def test_two_channels_are_combined_and_checked_as_one() -> None:
    block = rows([0, 10, 20], {"pm25_a": [10, 2000, None], "pm25_b": [12, 2000, 4]})
    seen = evaluate(block, NET)
    np.testing.assert_array_equal(seen.columns["pm25"].raw, [11, 2000, np.nan])
    assert flags(seen) == [1, 4, 9]
    same(evaluate(seen, NET), seen)
    assert combine(seen) is seen


# Stream = batch

LEVELS = st.sampled_from([None, 0.0, 0.0, 7.0, 7.0, 7.0, 200.0, 400.0, 600.0, -1.0])
STEPS = st.sampled_from([0, 10, 600, 900, 901, 1800, 3600, 10800, 10801])
DTS = st.sampled_from([10, 600, 3600])


@st.composite
def series(draw: st.DrawFn, steps: st.SearchStrategy[int] = STEPS) -> Readings:
    """Rows of up to three nodes and a stranger, sorted by time: runs of one step, some of one value."""
    runs = draw(st.lists(st.tuples(LEVELS, st.booleans(), steps, st.integers(1, 20)), min_size=1, max_size=6))
    seconds = np.cumsum([step for _, _, step, count in runs for _ in range(count)]).tolist()
    size = len(seconds)
    still = [level for level, _, _, count in runs for _ in range(count)]
    cells = st.lists(LEVELS, min_size=size, max_size=size)
    loose = [free for _, free, _, count in runs for _ in range(count)]
    rough = draw(cells)
    pm25 = [other if free else level for level, other, free in zip(still, rough, loose, strict=True)]
    names = draw(st.lists(st.sampled_from(["n1", "n1", "n1", "n2", "n9"]), min_size=size, max_size=size))
    dts = draw(DTS | st.lists(DTS, min_size=size, max_size=size))
    columns = {"pm25": pm25, "rh": rough}
    if draw(st.booleans()):
        columns |= {"n03": rough[::-1], "pm10": rough}
    block = rows(seconds, columns, nodes=names, dt=dts)
    ups = draw(st.just([0]) | st.lists(st.sampled_from([0, 0, 0, 31, -5000]), min_size=size, max_size=size))
    return replace(block, up=np.maximum(block.up + np.array(ups), 0))


FORWARD = STEPS.filter(bool)


@given(series())
def test_one_pass_says_what_the_table_says(block: Readings) -> None:
    assert told(evaluate(block, NET)) == by_hand(block, NET)


@given(series(), st.randoms(use_true_random=False))
def test_the_order_of_rows_in_a_block_does_not_matter(block: Readings, random: object) -> None:
    places = list(range(len(block)))
    random.shuffle(places)  # type: ignore[attr-defined]
    shuffled = block.take(np.array(places))
    seen = evaluate(shuffled, NET)
    same(seen, evaluate(block, NET))
    assert seen.seq.tolist() == shuffled.seq.tolist()


@given(series(steps=FORWARD), st.lists(st.integers(0, 60), max_size=6))
def test_any_split_into_blocks_gives_the_flags_of_one_pass(block: Readings, cuts: list[int]) -> None:
    """Of rows that the next block proves to be spikes the catch-up pass speaks, and of no others."""
    seen, owed = stream(split(block, cuts))
    stored, _ = catch_up(seen, CheckState.empty(), [time for _, time in owed]) if owed else (seen, None)
    same(stored, evaluate(block, NET))
    assert not owed or any(
        (cells.tests & Test.SPIKE).any() for cells in evaluate(block, NET).columns.values()
    )


@given(series(), st.integers(0, 60))
def test_a_pass_from_the_window_on_gives_the_final_flags(block: Readings, cut: int) -> None:
    since = int(block.time[min(cut, len(block) - 1)])
    inside = block.take(np.flatnonzero(block.time >= since - WINDOW * SECOND))
    seen, whole = evaluate(inside, NET), evaluate(block, NET)
    same(seen.take(seen.time >= since), whole.take(whole.time >= since))


@given(series(steps=FORWARD), st.integers(0, 60), st.lists(st.integers(0, 60), max_size=4))
def test_a_rebuilt_state_goes_on_as_the_old_one(block: Readings, cut: int, cuts: list[int]) -> None:
    """A gateway that starts again reads each node's last WINDOW, or knows at least its newest time."""
    past, rest = split(block, [cut])
    if not len(past) or not len(rest):
        return
    state = state_after(split(past, cuts))
    newest = {name: int(state.newest[slot]) for name, slot in state.slots.items()}
    last = np.array([newest.get(past.nodes[code], 0) for code in past.node.tolist()])
    tail = past.take(past.time >= last - WINDOW * SECOND)
    again = rebuild(tail, NET, newest)
    same(check(rest, again, NET)[0], check(rest, state, NET)[0])


@settings(max_examples=200)
@given(series(), st.data())
def test_late_and_doubled_rows_end_with_the_flags_of_one_pass(block: Readings, data: st.DataObject) -> None:
    """Rows come in any order, in blocks; late ones are caught up after some of the blocks."""
    places = data.draw(st.permutations(range(len(block))))
    cuts = data.draw(st.lists(st.integers(0, 60), max_size=6))
    stored, state = Readings.empty(), CheckState.empty()
    owed: list[int] = []
    for part in split(block.take(np.array(places, np.int64)), cuts):
        seen, state = check(part, state, NET)
        stored = concat([stored, seen])
        owed += seen.time[late(seen)].tolist() + [time for _, time in state.owed]
        if owed and data.draw(st.booleans()):
            stored, state = catch_up(stored, state, owed)
            owed = []
    if owed:
        stored, state = catch_up(stored, state, owed)
    same(stored, evaluate(block, NET))


def test_a_late_row_between_equal_ones_ends_their_run_for_the_rows_to_come() -> None:
    seconds = list(range(0, 4 * 3600, 600))
    values = [7.0] * len(seconds)
    values[12] = 8.0
    block = rows(seconds, {"pm25": values}, dt=600)
    past, hit, rest = block.take(np.r_[0:12, 13:17]), block.take(np.array([12])), block.take(np.r_[17:24])
    stored, state = (
        concat([(seen := check(past, CheckState.empty(), NET))[0], check(hit, seen[1], NET)[0]]),
        seen[1],
    )
    assert stored.columns["pm25"].tests[-1] == Test.LATE
    wrong, _ = check(rest, state, NET)
    stored, state = catch_up(stored, state, hit.time.tolist())
    right, _ = check(rest, state, NET)
    assert (flags(wrong)[-1], flags(right)[-1]) == (Flag.SUSPECT, Flag.GOOD)
    same(concat([stored, right]), evaluate(block, NET))


def test_a_run_goes_on_across_blocks() -> None:
    seconds = list(range(0, 4 * 3600, 600))
    block = rows(seconds, {"pm25": [7.0] * len(seconds)})
    assert flags(stream(split(block, list(range(24))))[0]) == flags(evaluate(block, NET))
    assert flags(evaluate(block, NET))[-1] == Flag.SUSPECT


def test_a_late_row_is_owed_an_answer_whichever_of_its_cells_is_there() -> None:
    _, state = check(rows([100], {"pm25": [5], "rh": [40]}), CheckState.empty(), NET)
    block = rows([50, 60, 70, 200], {"pm25": [1, None, None, 3], "rh": [None, 40, None, 4]})
    seen, _ = check(block, state, NET)
    assert late(seen).tolist() == [0, 1]
    assert late(Readings.empty()).tolist() == []


def catch_up(stored: Readings, state: CheckState, owed: list[int]) -> tuple[Readings, CheckState]:
    """As the gateway does it: history around the late rows in, revisions out, the state adopted."""
    reach = REACH * SECOND
    history = stored.take(
        np.flatnonzero((stored.time >= min(owed) - reach) & (stored.time <= max(owed) + reach))
    )
    revisions, after = revise(history, min(owed), max(owed), NET)
    revised = np.isin(stored.seq, revisions.seq)  # in these tests a sequence names a row
    return concat([stored.take(~revised), revisions]), state.adopt(after)


def split(block: Readings, cuts: list[int]) -> list[Readings]:
    edges = sorted({0, len(block), *(min(cut, len(block)) for cut in cuts)})
    if len(edges) < 2:
        return [block, block.take(np.zeros(0, np.int64))]
    parts = [block.take(np.arange(a, b)) for a, b in pairwise(edges)]
    return parts if len(cuts) != 1 or len(parts) == 2 else [*parts, block.take(np.zeros(0, np.int64))]


def stream(blocks: list[Readings]) -> tuple[Readings, list[tuple[str, int]]]:
    """What the stream says at once, and what it owes."""
    state, seen, owed = CheckState.empty(), [], []
    for part in blocks:
        flagged, state = check(part, state, NET)
        seen.append(flagged)
        owed += state.owed
    return concat(seen), owed


def state_after(blocks: list[Readings]) -> CheckState:
    state = CheckState.empty()
    for part in blocks:
        _, state = check(part, state, NET)
    return state
