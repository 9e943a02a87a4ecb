"""Sequence intervals, held to a set of numbers; the content hash is held in `test_wire`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.identity import Intervals

PAIRS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))), max_size=20
)


def numbers(pairs: list[tuple[int, int]]) -> set[int]:
    return {number for low, high in pairs for number in range(low, high + 1)}


@given(PAIRS)
def test_intervals_are_a_set_of_numbers(pairs: list[tuple[int, int]]) -> None:
    kept, expected = Intervals(pairs), numbers(pairs)
    assert numbers(list(kept)) == expected
    assert kept.count == len(expected)
    assert kept.high == (max(expected) if expected else None)
    assert {number for number in range(80) if number in kept} == expected


@given(PAIRS)
def test_intervals_neither_touch_nor_overlap(pairs: list[tuple[int, int]]) -> None:
    ends = np.array(list(Intervals(pairs))).reshape(-1, 2)
    assert (ends[:, 0] <= ends[:, 1]).all()
    assert (ends[1:, 0] > ends[:-1, 1] + 1).all()


@given(PAIRS, st.integers(0, 70), st.integers(0, 70))
def test_missing_is_what_is_not_there(pairs: list[tuple[int, int]], low: int, high: int) -> None:
    gaps = Intervals(pairs).missing(low, high)
    assert numbers(gaps) == set(range(low, high + 1)) - numbers(pairs)
    assert len(Intervals(gaps)) == len(gaps)


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_adding_does_not_matter(pairs: list[tuple[int, int]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Intervals(shuffled) == Intervals(pairs)


@given(PAIRS)
def test_intervals_load_what_they_list(pairs: list[tuple[int, int]]) -> None:
    assert Intervals(Intervals(pairs)) == Intervals(pairs)
