"""The time of samples that were taken before their boot had a clock."""

import json
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.place import KEPT_BOOTS, Boots, place, told_by_doubles
from edge.readings import SECOND, UNTIMED, Clock, Readings, concat
from edge.wire import decode

T0 = 1_763_778_000
LOG = 0x7F3A09C1


def batch(
    seq: int,
    up: int,
    t0: int | None = None,
    boot: int = 1,
    node: str = "n1",
    log: str = "7f3a09c1",
    size: int = 3,
) -> Readings:
    """A batch as it comes off the wire, 10 s between samples."""
    body = {"log": log, "seq": seq, "boot": boot, "up": up, "t0": t0, "dt": 10, "pm25": [1.0] * size}
    return decode([node], [node], [json.dumps(body).encode()], None).readings


def seconds(readings: Readings) -> list[int | None]:
    return [None if time == UNTIMED else time // SECOND - T0 for time in readings.time.tolist()]


def test_earlier_batches_get_their_time_once_the_boot_has_one() -> None:
    boots, early = Boots(), concat([batch(1, 5), batch(2, 65)])
    assert boots.observe(early) == set()
    assert seconds(place(early, boots)) == [None] * 6
    assert boots.observe(batch(3, 125, T0 + 125)) == {("n1", LOG, 1)}
    placed = place(early, boots)
    assert seconds(placed) == [5, 15, 25, 65, 75, 85]
    assert set(placed.clock.tolist()) == {Clock.PLACED}
    assert seconds(early) == [None] * 6


def test_the_lowest_sequence_with_a_time_decides() -> None:
    boots = Boots()
    boots.observe(batch(9, 500, T0 + 507))
    assert boots.observe(batch(10, 560, T0 + 999)) == set()
    assert boots.offset("n1", LOG, 1) == T0 + 7
    assert boots.observe(batch(4, 200, T0 + 203)) == {("n1", LOG, 1)}
    assert seconds(place(batch(1, 5, size=1), boots)) == [8]


def test_observing_the_same_offset_from_a_lower_sequence_changes_nothing() -> None:
    boots = Boots()
    boots.observe(batch(9, 500, T0 + 500))
    assert boots.observe(batch(8, 440, T0 + 440)) == set()
    assert boots.observe(batch(9, 500, T0 + 500)) == set()


def test_power_cut_twice_before_the_clock_each_boot_for_itself() -> None:
    boots = Boots()
    blocks = [batch(1, 5, boot=1), batch(2, 4, boot=2), batch(3, 3, boot=3)]
    assert boots.observe(batch(4, 63, T0 + 63, boot=3)) == {("n1", LOG, 3)}
    assert [seconds(place(block, boots))[0] for block in blocks] == [None, None, 3]


def test_boots_of_other_logs_and_nodes_are_others() -> None:
    boots = Boots()
    boots.observe(batch(4, 63, T0 + 63))
    assert seconds(place(batch(1, 5, node="n2", size=1), boots)) == [None]
    assert seconds(place(batch(1, 5, log="00000001", size=1), boots)) == [None]


def test_a_later_batch_with_an_impossible_time_is_placed_by_its_boot() -> None:
    boots = Boots()
    boots.observe(batch(4, 60, T0 + 60))
    assert seconds(place(batch(5, 120, 12), boots)) == [120, 130, 140]


def test_a_rows_own_time_is_never_touched() -> None:
    boots = Boots()
    boots.observe(batch(4, 60, T0 + 60))
    own = batch(6, 180, T0 + 999)
    assert place(own, boots) is own


def test_placed_rows_move_with_a_better_offset_and_teach_nothing() -> None:
    boots = Boots()
    boots.observe(batch(9, 500, T0 + 507))
    placed = place(batch(1, 5, size=1), boots)
    assert Boots().observe(placed) == set()
    boots.observe(batch(4, 200, T0 + 203))
    assert seconds(place(placed, boots)) == [8]


def test_an_impossible_uptime_stays_untimed() -> None:
    boots = Boots()
    boots.observe(batch(4, 60, T0 + 60))
    assert seconds(place(batch(1, 2**48, size=1), boots)) == [None]


def test_a_double_that_brings_the_time_is_marked_and_teaches_its_boot() -> None:
    doubles = told_by_doubles(concat([batch(1, 5, T0 + 5), batch(2, 65)]))
    assert seconds(doubles) == [5, 15, 25]
    assert set(doubles.clock.tolist()) == {Clock.DOUBLE}
    boots = Boots()
    assert boots.observe(doubles) == {("n1", LOG, 1)}


def test_a_snapshot_brings_everything_back_and_old_boots_are_forgotten() -> None:
    boots = Boots()
    for boot in range(1, KEPT_BOOTS + 3):
        boots.observe(batch(boot, 5, T0 + boot, boot=boot))
    again = Boots.load(json.loads(json.dumps(boots.dump())))
    assert again.dump() == boots.dump()
    assert len(boots.dump()) == KEPT_BOOTS
    assert (again.offset("n1", LOG, 2), again.offset("n1", LOG, 3)) == (None, T0 - 2)


def test_nothing_in_nothing_out() -> None:
    assert Boots().observe(Readings.empty()) == set()
    assert len(place(Readings.empty(), Boots())) == 0


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)), st.integers(0, 7))
def test_whatever_the_order_of_arrival_the_times_end_the_same(
    order: list[int], clocked: set[int], cut: int
) -> None:
    made = [batch(seq + 1, 60 * seq, T0 + 60 * seq + seq if seq in clocked else None) for seq in range(8)]
    boots = Boots()
    stored = [made[place_] for place_ in order]
    boots.observe(concat(stored[:cut]))
    half = [place(block, boots) for block in stored]
    boots.observe(concat(stored[cut:]))
    final = concat([place(block, boots) for block in half])
    offset = min(clocked) if clocked else None
    for seq, row, time in zip(final.seq.tolist(), final.row.tolist(), final.time.tolist(), strict=True):
        lost = seq - 1 if seq - 1 in clocked else offset
        assert time == (UNTIMED if lost is None else (T0 + 60 * (seq - 1) + lost + 10 * row) * SECOND)


def test_rows_of_one_batch_may_stand_apart() -> None:
    boots, whole = Boots(), batch(4, 60, T0 + 60)
    assert boots.observe(replace(whole.take(np.array([2])))) == {("n1", LOG, 1)}
    assert boots.offset("n1", LOG, 1) == T0
