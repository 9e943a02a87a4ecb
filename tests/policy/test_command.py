"""A command's bytes and its life."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.command import Command, Delivery, Due, command_id, due, rank

COMMAND = Command("1763778000-17", 1763778010, 300, 2, "forecast 48 µg/m³ in 30 min")


def test_its_bytes_are_the_wire_s() -> None:
    assert json.loads(COMMAND.encode()) == {
        "id": "1763778000-17",
        "issued": 1763778010,
        "ttl": 300,
        "level": 2,
        "reason": "forecast 48 µg/m³ in 30 min",
    }


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_ids_grow_with_term_and_counter(a: int, b: int, c: int, d: int) -> None:
    assert (rank(command_id(a, b)) < rank(command_id(c, d))) == ((a, b) < (c, d))


def test_a_bad_id_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        rank("yesterday")


def life(acknowledged_at: int | None, seconds: int = 200) -> list[tuple[int, Due]]:
    delivery, said = Delivery(COMMAND), []
    for second in range(seconds):
        now = COMMAND.issued + second
        if second == acknowledged_at:
            delivery = delivery.heard(COMMAND.id)
        what = due(delivery, now, repeat_s=15, repeats=3)
        if what is not Due.NOTHING:
            said.append((second, what))
        if what in (Due.SEND, Due.REPEAT):
            delivery = delivery.sent(now)
        elif what is Due.ALARM:
            delivery = delivery.raised()
        elif what is Due.REFRESH:
            break
    return said


def test_an_acknowledged_command_is_refreshed_at_half_its_life() -> None:
    assert life(2) == [(0, Due.SEND), (150, Due.REFRESH)]


def test_an_unheard_command_is_repeated_then_raised_then_renewed() -> None:
    expected = [
        (0, Due.SEND),
        (15, Due.REPEAT),
        (30, Due.REPEAT),
        (45, Due.REPEAT),
        (60, Due.ALARM),
        (150, Due.REFRESH),
    ]
    assert life(None) == expected


def test_a_late_acknowledgement_ends_the_repetition() -> None:
    assert life(20) == [(0, Due.SEND), (15, Due.REPEAT), (150, Due.REFRESH)]


def test_another_command_s_acknowledgement_is_none() -> None:
    assert not Delivery(COMMAND).heard("1763778000-16").acknowledged
    assert not Delivery(COMMAND).heard(None).acknowledged
