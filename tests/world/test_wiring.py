"""The wiring server, spoken to as the simulated board does: real sockets, real sensor bytes."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.world.workbench import Workbench

RECORDED = bytes.fromhex("424D001C0000000800080000000800 0800D20046002D001E00000000970002C5".replace(" ", ""))


@contextmanager
def wire(port: int, greeting: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(greeting.encode() + b"\n")
        yield link


def exactly(link: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = link.recv(count - len(got))
        assert part, f"hung up after {got!r}"
        got += part
    return got


@pytest.fixture
def bench() -> Workbench:
    return Workbench()


@pytest.fixture
def port(bench: Workbench) -> Iterator[int]:
    wiring = bench.wiring(start=1_763_778_000, speed=60)
    yield wiring.start()
    wiring.stop()


def test_a_pms5003_sends_the_recorded_frame_by_itself(port: int) -> None:
    with wire(port, "uart1 1-2-a") as link:
        assert exactly(link, 64) == RECORDED * 2


def test_a_pms5003_keeps_its_pace_in_simulated_time(port: int) -> None:
    with wire(port, "uart1 1-2-a") as link:
        exactly(link, 32)
        begun = time.monotonic()
        exactly(link, 32 * 20)
        assert 60 * (time.monotonic() - begun) == pytest.approx(20 * 2.3, rel=0.3)


def test_it_obeys_its_commands(port: int) -> None:
    with wire(port, "uart1 1-2-a") as link:
        link.sendall(bytes.fromhex("424DE100000170"))
        acknowledgement = bytes.fromhex("424D0004E1000174")
        heard = exactly(link, 8)
        while not heard.endswith(acknowledgement):  # frames already under way
            heard += exactly(link, 8)
        link.sendall(bytes.fromhex("424DE200000171"))
        assert exactly(link, 32) == RECORDED
        link.sendall(bytes.fromhex("424DE400000173"))
        assert exactly(link, 8) == bytes.fromhex("424D0004E4000177")
        link.sendall(bytes.fromhex("424DE200000171"))  # asleep: no answer
        link.sendall(bytes.fromhex("424DE400010174"))
        assert exactly(link, 32) == RECORDED


def test_an_scd4x_measures_over_the_wire(port: int) -> None:
    def write(link: socket.socket, data: str) -> bytes:
        body = bytes.fromhex(data)
        link.sendall(b"W\x62" + len(body).to_bytes(2, "big") + body)
        return exactly(link, 1)

    def read(link: socket.socket, count: int) -> bytes:
        link.sendall(b"R\x62" + count.to_bytes(2, "big"))
        return exactly(link, 1 + count)

    with wire(port, "i2c1 1-2-a") as link:
        deadline = time.monotonic() + 5
        while write(link, "3682") == b"N":  # its power-up
            assert time.monotonic() < deadline
        assert read(link, 9)[0:1] == b"A"
        assert write(link, "21B1") == b"A"
        assert write(link, "3682") == b"N"  # not allowed while it measures
        ready = b""
        while ready[:2] != b"A\x80" or ready[2] == 0:
            assert time.monotonic() < deadline
            write(link, "E4B8")
            ready = read(link, 4)
        assert write(link, "EC05") == b"A"
        assert int.from_bytes(read(link, 9)[1:3], "big") == 612
        link.sendall(b"W\x29\x00\x01\x00")
        assert exactly(link, 1) == b"N"  # no such chip


def test_an_actuator_turns_and_its_power_off_is_off(port: int, bench: Workbench) -> None:
    with wire(port, "gpio fan-1") as link:
        link.sendall(b"LEVEL 2\nLEV")
        link.sendall(b"EL 3\nnonsense\n")
        _until(lambda: len(bench.levels.get("fan-1", ())) == 2)
    _until(lambda: [level for _, level in bench.levels["fan-1"]] == [2, 3, 0])


def test_a_wire_to_nowhere_is_hung_up(port: int) -> None:
    with wire(port, "spi7 1-2-a") as link:
        assert link.recv(1) == b""
    with wire(port, "x" * 200) as link:
        assert link.recv(1) == b""


def test_a_restarted_device_takes_its_wire_over(port: int) -> None:
    with wire(port, "uart1 1-2-a") as old, wire(port, "uart1 1-2-a") as new:
        assert exactly(new, 32) == RECORDED
        old.settimeout(5)
        while old.recv(4096):
            pass


def test_stop_closes_every_wire(bench: Workbench) -> None:
    wiring = bench.wiring()
    port = wiring.start()
    with wire(port, "uart1 1-2-a") as link:
        _until(lambda: ("uart1", "1-2-a") in wiring.connected)
        wiring.stop()
        assert link.recv(1) == b""


def _until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_stopped_wiring_still_does_what_it_is_told(bench: Workbench) -> None:
    wiring, done = bench.wiring(), []
    wiring.start()
    wiring.call(lambda: done.append("in its thread"))
    _until(lambda: done)
    wiring.stop()
    wiring.call(lambda: done.append("here"))
    assert done == ["in its thread", "here"]
    assert not wiring.running
    wiring.stop()
