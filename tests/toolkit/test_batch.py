"""Which board is the next node's: one at a time, whatever its port is called."""

from collections.abc import Iterator, Sequence

from firmware.toolkit import batch
from firmware.toolkit.ports import Port
from tests.toolkit.test_ports import CH340, CP210X, MOUSE, NATIVE

BACK = Port("/dev/ttyACM1", 0x303A, 0x4001, "246f0a0b0c0d", "1-4:1.0")


def moments(*ports: Sequence[Port]) -> Iterator[Sequence[Port]]:
    """What is plugged in at one look after the other; the last stays."""
    yield from ports
    while True:
        yield ports[-1]


def test_several_boards_are_told_and_the_last_one_left_is_taken() -> None:
    said: list[str] = []
    seen = moments([], [CH340, CP210X], [CH340, CP210X], [MOUSE, CP210X])
    assert batch.await_board("", lambda: next(seen), said.append) == CP210X
    assert len(said) == 1
    assert "2 boards are connected (/dev/ttyUSB0 (CH340), /dev/ttyUSB1" in said[0]


def test_a_named_port_is_taken_beside_others() -> None:
    assert batch.await_board(CP210X.device, lambda: [CH340, CP210X], print) == CP210X


def test_a_board_whose_port_changes_its_name_is_not_taken_for_the_next() -> None:
    nodes, said = ["a", "b"], list[str]()
    looks = moments([NATIVE], [BACK], [BACK], [], [CH340])
    pairs = batch.boards(nodes, "", lambda: next(looks), said.append)
    assert next(pairs) == ("a", NATIVE.device)
    nodes.remove("a")
    assert next(pairs) == ("b", CH340.device)
    assert said == [
        "plug in the board for a (1 of 2)",
        "pull the board out",
        "plug in the board for b (2 of 2)",
    ]
