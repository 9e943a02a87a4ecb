"""What happens to nodes, from publishing to history: by hand through a broker, and with the firmware."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.readings import SECOND, Clock, Flag, Readings
from gateway.network import load
from gateway.publish import Publisher
from gateway.receive import Broker
from tests.firmware.workshop import NODE, SPEED, Ear, Process, Wires
from tests.proof.bench import cells
from tests.proof.conftest import network_text
from tests.proof.gateway import Gateway
from tests.proof.lives import START, Batch, truth
from tests.servers import Mosquitto, wait_until

ROOT = "gongi/v1/hana"
DAY = 86_400


@pytest.fixture
def begin(tmp_path: Path, network: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., Gateway]]:
    gateways: list[Gateway] = []

    def start(*options: str) -> Gateway:
        gateway = Gateway(tmp_path, network, mosquitto.port, None, *options)
        gateways.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in gateways:
        gateway.stop()


@pytest.fixture
def line(mosquitto: Mosquitto) -> Iterator[Publisher]:
    line = Publisher(Broker("127.0.0.1", mosquitto.port), "by-hand")
    line.start()
    yield line
    line.stop()


def batch(log: int, seq: int, boot: int, up: int, begun: int, clock: bool, *values: float | None) -> Batch:
    """A batch of node n1 whose boot began `begun` s after START."""
    t0 = START + begun + up if clock else None
    return Batch("n1", log, seq, boot, up, t0, True, START + begun, values)


STORY: dict[str, tuple[Batch, ...]] = {
    "power cut twice before the clock is set": (
        batch(1, 1, 1, 0, 0, False, 10, 10),
        batch(1, 2, 1, 1200, 0, False, 12.5),
        batch(1, 3, 2, 0, 4000, False, 400, 400),
        batch(1, 4, 3, 0, 7000, False, 10, 998),
        batch(1, 5, 3, 1200, 7000, True, 10, 10),
        batch(1, 6, 3, 2400, 7000, True, 10, None, 10),
    ),
    "two days late": (batch(1, 7, 3, 4200, 7000, True, -1, 10, 10),),
    "after it": (
        batch(1, 8, 3, 2 * DAY, 7000, True, 10, 10),
        batch(1, 9, 3, 2 * DAY + 1200, 7000, True, 300),
    ),
    "impossible times": (
        replace(batch(1, 10, 3, 2 * DAY + 1800, 7000, True, 11), t0=4_000_000_000, true=False),
        replace(batch(1, 11, 4, 0, 9 * DAY, True, 11), t0=3, true=False),
    ),
    "flash erased": (batch(2, 1, 1, 0, 3 * DAY, True, 10, 10), batch(2, 2, 1, 1200, 3 * DAY, True, 500)),
    "board swapped": (batch(3, 1, 17, 0, 4 * DAY, False, 20), batch(3, 2, 17, 600, 4 * DAY, True, 20)),
}
ORDER = (
    "power cut twice before the clock is set",
    "after it",
    "impossible times",
    "two days late",
    "flash erased",
    "board swapped",
)


def test_whatever_happens_to_nodes_every_sample_stands_once(
    begin: Callable[..., Gateway], line: Publisher, network: Path
) -> None:
    """Each part arrives backwards and twice; the gateway is killed after each of them."""
    gateway = begin()
    wait_until(lambda: heard(line, gateway), 20, 0.1)
    delivered: list[Batch] = []
    for number, name in enumerate(ORDER):
        part = [*reversed(STORY[name]), *STORY[name]]
        if name == "flash erased":
            say(line, gateway, log=1, cursor=14)  # 12 and 13 are on their way when the flash is erased
            say(line, gateway, log=2, cursor=3)
        delivered += part
        for one in part:
            line.publish(f"{ROOT}/{one.message[0]}", one.message[1])
        wanted = len({one.name for one in delivered})
        wait_until(lambda wanted=wanted: batches(gateway) == wanted, 20, 0.05)
        if number % 2:
            wait_until(gateway.settled, 10, 0.05)
        gateway.kill()
        gateway.start()
    told = STORY[ORDER[0]][2].clocked()
    line.publish(f"{ROOT}/{told.message[0]}", told.message[1])
    delivered.append(told)
    expected = cells(truth(delivered, load(network)))
    wait_until(lambda: cells(gateway.stored()) == expected or not gateway.settled(), 20, 0.2)
    wait_until(lambda: gateway.settled() and told_of(gateway, told), 20, 0.1)
    assert cells(gateway.stored()) == expected
    wait_until(lambda: gateway.ledger()["n1", "00000001"]["ended"], 10, 0.1)
    ledger = gateway.ledger()
    assert [row["gaps"] for row in ledger.values()] == [[], [], []]
    assert ledger["n1", "00000001"]["lost"] == [{"from": 12, "to": 13, "reason": "log ended"}]
    assert gateway.counted("conflicts") == gateway.counted("stage_failures") == 0


def told_of(gateway: Gateway, told: Batch) -> bool:
    """Whether that batch's rows have their time."""
    rows = gateway.stored()
    mine = (rows.log == told.log) & (rows.seq == told.seq)
    return bool(rows.timed()[mine].all())


def heard(line: Publisher, gateway: Gateway) -> bool:
    line.publish(f"{ROOT}/n1/status", b"online")
    return gateway.counted("messages") > 0


def say(line: Publisher, gateway: Gateway, log: int, cursor: int) -> None:
    """The node's `info`, and wait until the ledger has it."""
    payload = {"kind": "node", "log": f"{log:08x}", "first": 1, "next": cursor, "cursor": cursor}
    line.publish(f"{ROOT}/n1/info", json.dumps(payload).encode())
    wait_until(lambda: ("n1", f"{log:08x}") in gateway.ledger(), 10, 0.05)
    wait_until(lambda: gateway.ledger()["n1", f"{log:08x}"]["next"] >= cursor, 10, 0.05)


def batches(gateway: Gateway) -> int:
    return sum(high - low + 1 for row in gateway.ledger().values() for low, high in row["stored"])


# -- the firmware -------------------------------------------------------------------------------------


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def node(micropython: str, tmp_path: Path, wires: Wires, mosquitto: Mosquitto) -> Iterator[Process]:
    """A node of the real firmware with its flash, not started yet."""
    folder = tmp_path / "device"
    flash = {"flash": str(folder / "flash.img"), "flash_bytes": 1_310_720}
    place: dict[str, Any] = {"site": "hana", "root": "gongi/v1", "user": None, "password": None}
    place["brokers"] = [["127.0.0.1", mosquitto.port]]
    place["sim"] = {"wiring": ["127.0.0.1", wires.port], "speed": SPEED} | flash
    node = Process(micropython, folder, NODE | place)
    yield node
    node.kill()


def test_the_firmware_loses_nothing_and_says_what_its_erased_flash_took(
    begin: Callable[..., Gateway], mosquitto: Mosquitto, network: Path, node: Process
) -> None:
    """Two power cuts before there is a clock, gateway and broker killed, then an erased flash.

    Each sequence of both logs is stored or named lost; samples of boots without a clock are kept untimed, all
    others stand at their true time.
    """
    text = network_text("1-2-a").replace("sample_s = 600", "sample_s = 10")
    network.write_text(text.replace("batch_s = 3600", "batch_s = 60"), "utf-8")
    gateway = begin("--clock", "data")
    for _ in range(2):
        node.start()
        more(gateway, 2)  # one may be the last boot's
        node.kill()
    ear = Ear(mosquitto.port)
    node.start()
    told = time.monotonic()
    wait_until(lambda: (ear.time(START + second(told)), gateway.counted("samples_stored"))[1] > 30, 30, 0.1)
    gateway.kill()
    mosquitto.kill()
    mosquitto.forget()
    mosquitto.start()
    gateway.start()
    more(gateway, 3, lambda: ear.time(START + second(told)))
    node.kill()
    (node.folder / "flash.img").unlink()
    (first,) = gateway.ledger()
    node.start()
    wait_until(lambda: (ear.time(START + second(told)), len(gateway.ledger()))[1] == 2, 30, 0.1)
    wait_until(lambda: (ear.time(START + second(told)), closed(gateway, first))[1], 30, 0.1)
    node.kill()
    ear.close()
    wait_until(gateway.settled, 10, 0.1)
    rows = gateway.stored()
    assert len(cells(rows)) == len(rows)
    mine = rows.take(rows.log == int(first[1], 16))
    assert set(mine.boot.tolist()) == {1, 2, 3}
    assert np.array_equal(mine.timed(), mine.boot == 3)
    flags = mine.columns["co2"].flag[~mine.timed()]
    assert set(flags.tolist()) <= {Flag.UNKNOWN, Flag.MISSING}
    at_true_times(mine.take(mine.timed()), START, START + second(told))
    assert gateway.counted("conflicts") == gateway.counted("stage_failures") == 0


def more(gateway: Gateway, wanted: int, also: Callable[[], None] = lambda: None) -> None:
    """Wait until so many more batches are stored."""
    target = batches(gateway) + wanted
    wait_until(lambda: (also(), batches(gateway))[1] >= target, 40, 0.1)


def second(since: float) -> int:
    """Simulated seconds since that moment of the machine's clock."""
    return int((time.monotonic() - since) * SPEED)


def closed(gateway: Gateway, log: tuple[str, str]) -> bool:
    """Whether that log has ended and each of its sequences is stored or named lost."""
    row = gateway.ledger()[log]
    return bool(row["ended"] and not row["gaps"])


def at_true_times(rows: Readings, start: int, end: int) -> None:
    """Rows of one boot lie within these seconds, at its clock's time or where that places them; a time that
    was told a quarter of a second late has moved that clock."""
    seconds = rows.time // SECOND
    assert start - SPEED <= seconds.min()
    assert seconds.max() <= end
    begun = seconds - rows.up - rows.row * rows.dt
    assert begun.max() - begun.min() <= SPEED / 4
    assert set(rows.clock.tolist()) <= {Clock.OWN, Clock.PLACED}
