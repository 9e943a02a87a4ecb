"""Blocks of readings: taking, sorting, joining."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import CELLS, KEYS, Column, Flag, Readings, concat
from edge.wire import decode
from tests.edge.series import rows

CELL = st.none() | st.floats(-1e3, 1e3)


@st.composite
def blocks(draw: st.DrawFn) -> Readings:
    size = draw(st.integers(0, 8))
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=size, max_size=size))
    seconds = draw(st.lists(st.none() | st.integers(0, 5), min_size=size, max_size=size))
    quantities = draw(st.sets(st.sampled_from(["pm25", "rh", "co2"])))
    cells = {name: draw(st.lists(CELL, min_size=size, max_size=size)) for name in sorted(quantities)}
    return rows(seconds, cells, nodes=names)


def spelt(block: Readings) -> list[tuple[object, ...]]:
    """Each row in full, with the columns that it has."""
    told = []
    for place in range(len(block)):
        keys = tuple(int(getattr(block, key)[place]) for key in KEYS if key not in ("node", "cal"))
        cells = tuple(
            (name, *(str(getattr(column, cell)[place]) for cell in CELLS))
            for name, column in sorted(block.columns.items())
            if column.flag[place] != Flag.ABSENT
        )
        told.append((block.nodes[block.node[place]], block.cals[block.cal[place]], keys, cells))
    return told


@given(st.lists(blocks(), max_size=4))
def test_joining_keeps_every_row_in_order(made: list[Readings]) -> None:
    assert spelt(concat(made)) == [row for block in made for row in spelt(block)]


@given(blocks(), st.data())
def test_taking_rows_takes_all_their_cells(block: Readings, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, max(len(block) - 1, 0)), max_size=5 if len(block) else 0))
    assert spelt(block.take(np.array(places, np.int64))) == [spelt(block)[place] for place in places]


@given(st.lists(blocks(), max_size=3))
def test_the_order_is_node_time_log_sequence_row(made: list[Readings]) -> None:
    block = concat(made)
    kept = block.take(block.order())
    keys = list(zip(kept.node, kept.time, kept.log, kept.seq, kept.row, strict=True))
    assert keys == sorted(keys)


def test_a_block_knows_its_batches() -> None:
    def payload(seq: int, log: str, size: int) -> bytes:
        body = {"log": log, "seq": seq, "boot": 1, "up": 0, "t0": None, "dt": 10, "pm25": [1] * size}
        return json.dumps(body).encode()

    payloads = [payload(1, "00000001", 3), payload(1, "00000002", 2), payload(2, "00000002", 1)]
    block = decode(["a", "a", "a"], ["t"] * 3, payloads, None).readings
    assert block.batches().tolist() == [0, 3, 5]
    assert Readings.empty().batches().tolist() == []


def test_zero_is_not_missing_and_missing_is_not_absent() -> None:
    column = Column.of_raw(np.array([0.0, np.nan, np.nan]), np.array([True, True, False]))
    assert column.flag.tolist() == [Flag.UNKNOWN, Flag.MISSING, Flag.ABSENT]
    assert Column.absent(2).flag.tolist() == [Flag.ABSENT] * 2


def test_a_replaced_column_leaves_the_old_block_alone() -> None:
    block = rows([0, 10], {"pm25": [1, 2]})
    changed = block.with_columns({"rh": Column.of_raw(np.array([1.0, 2.0]))})
    assert (set(block.columns), set(changed.columns)) == ({"pm25"}, {"pm25", "rh"})
