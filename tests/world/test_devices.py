"""Devices on the world's wires: the firmware and Python's stand-ins through a real broker, off and on."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker import Broker
from gateway.world import World
from gateway.world.configuration import Brokers
from gateway.world.devices import Devices
from gateway.world.virtual import VirtualDevices
from tests.servers import wait_until
from tests.world.test_school_air import HOUR, MONDAY, NETWORK

NAMES = ("3-2-a", "3-2-p")
ROOT = Path(__file__).parents[2]


@dataclass
class Ear:
    """Hears everything on a broker and tells the time."""

    client: Client
    heard: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def batches(self, node: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.heard[f"gongi/v1/hana/{node}/obs"]]

    def states(self, actuator: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.heard[f"gongi/v1/hana/{actuator}/state"]]

    def last(self, topic: str) -> Any:
        return self.heard[topic][-1] if self.heard[topic] else None


@pytest.fixture
def world() -> Iterator[World]:
    with World(NETWORK, start=MONDAY + 10 * HOUR, speed=120) as world:
        yield world


@pytest.fixture
def ear(nats: Broker, world: World) -> Iterator[Ear]:
    ear = Ear(Client(CallbackAPIVersion.VERSION2))

    def hear(client: Client, data: object, message: MQTTMessage) -> None:
        ear.heard[message.topic].append(message.payload)

    ear.client.on_message = hear
    ear.client.connect("127.0.0.1", nats.port)
    ear.client.subscribe("gongi/v1/#", 1)
    ear.client.loop_start()
    ended = threading.Event()
    clock = threading.Thread(target=_tell_time, args=(ear.client, world, ended))
    clock.start()
    yield ear
    ended.set()
    clock.join()
    ear.client.disconnect()
    ear.client.loop_stop()


def _tell_time(client: Client, world: World, ended: threading.Event) -> None:
    while not ended.wait(0.2):
        client.publish("gongi/v1/time", str(world.second()))


Make = Callable[[], Devices | VirtualDevices]


@pytest.fixture(params=["micropython", "python"])
def make(request: pytest.FixtureRequest, nats: Broker, world: World, tmp_path: Path) -> Make:
    brokers = Brokers((("127.0.0.1", nats.port),))
    if request.param == "python":
        return lambda: VirtualDevices(world, brokers, NAMES)
    request.getfixturevalue("micropython")
    return lambda: Devices(world, tmp_path / "devices", brokers, NAMES)


def warm(ear: Ear) -> list[dict[str, Any]]:
    """The batches that have a time and whose sensors have warmed up."""
    return [batch for batch in ear.batches("3-2-a") if batch["t0"] and batch["pm25"][-1] is not None]


def test_a_node_tells_the_air_of_its_room_at_the_right_time(make: Make, ear: Ear, world: World) -> None:
    with make():
        wait_until(lambda: warm(ear), 30)
        batch = warm(ear)[0]
        truth = world.air("hana", "3-2")
    assert abs(batch["t0"] - world.second()) < 400
    assert batch["pm25"][-1] == pytest.approx(1.3 * truth.pm25, rel=0.6)
    assert batch["co2"][-1] == pytest.approx(truth.co2, rel=0.4)
    assert len({len(values) for values in batch.values() if isinstance(values, list)}) == 1


def test_power_cuts_keep_the_log_and_an_erased_flash_begins_another(make: Make, ear: Ear) -> None:
    with make() as devices:
        wait_until(lambda: len(ear.batches("3-2-a")) >= 2, 30)
        devices.kill("3-2-a")
        wait_until(lambda: ear.last("gongi/v1/hana/3-2-a/status") == b"offline", 30)
        before = ear.batches("3-2-a")[-1]
        devices.switch_on("3-2-a")
        wait_until(lambda: ear.batches("3-2-a")[-1]["boot"] == before["boot"] + 1, 30)
        after = ear.batches("3-2-a")[-1]
        assert (after["log"], after["seq"] > before["seq"]) == (before["log"], True)
        devices.erase("3-2-a")
        devices.switch_on("3-2-a")
        wait_until(lambda: ear.batches("3-2-a")[-1]["log"] != before["log"], 30)
        assert ear.batches("3-2-a")[-1]["seq"] == 1
        wait_until(lambda: ear.last("gongi/v1/hana/3-2-a/status") == b"online", 30)
        assert devices.dead == ()


def test_a_command_turns_the_purifier_in_the_room_and_ends_in_time(
    make: Make, ear: Ear, world: World
) -> None:
    with make() as devices:
        wait_until(lambda: ear.states("3-2-p") and ear.states("3-2-p")[-1]["at"], 30)
        command = {"id": "1-1", "issued": world.second(), "ttl": 240, "level": 3, "reason": "test"}
        ear.client.publish("gongi/v1/hana/3-2-p/set", json.dumps(command))
        wait_until(lambda: ear.states("3-2-p")[-1]["id"] == "1-1", 30)
        wait_until(lambda: world.level("3-2-p") == 3, 30)
        wait_until(lambda: any(state["cause"] == "expired" for state in ear.states("3-2-p")), 30)
        wait_until(lambda: world.level("3-2-p") == 1, 30)
        devices.kill("3-2-p")
        wait_until(lambda: world.level("3-2-p") == 0, 30)


def test_what_was_not_stored_is_sent_again(make: Make, ear: Ear) -> None:
    with make():
        wait_until(lambda: len(ear.batches("3-2-a")) >= 3, 30)
        first = ear.batches("3-2-a")[0]
        ask = {"op": "resend", "log": first["log"], "from": 1, "to": 2, "id": "1-7"}
        ear.client.publish("gongi/v1/hana/3-2-a/cmd", json.dumps(ask))
        reply = "gongi/v1/hana/3-2-a/reply"
        wait_until(lambda: ear.last(reply), 30)
        assert json.loads(ear.last(reply)) | ask == json.loads(ear.last(reply)) | {"sent": 2, "gone": []}
        wait_until(lambda: ear.batches("3-2-a").count(first) == 2, 30)


def test_the_button_reaches_the_real_actuator(
    nats: Broker, ear: Ear, world: World, tmp_path: Path, micropython: str
) -> None:
    with Devices(world, tmp_path / "devices", Brokers((("127.0.0.1", nats.port),)), ("3-2-p",)):
        wait_until(lambda: world.level("3-2-p") == 1, 30)
        world.press("3-2-p")
        wait_until(lambda: world.level("3-2-p") == 2, 30)
        wait_until(lambda: ear.states("3-2-p")[-1]["cause"] == "button", 30)


PARENT = """
import sys, time
from pathlib import Path
from gateway.world import World
from gateway.world.configuration import Brokers
from gateway.world.devices import Devices
from tests.world.test_school_air import MONDAY, NETWORK
world = World(NETWORK, start=MONDAY)
world.start()
devices = Devices(world, Path(sys.argv[1]), Brokers((("127.0.0.1", 9),)))
devices.start()
print(*(devices.pid(name) for name in devices.names), flush=True)
time.sleep(600)
"""


def test_devices_end_with_their_parent_however_it_ends(tmp_path: Path, micropython: str) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(_runs(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(_runs(pid) for pid in pids), 10)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed orphan may wait for a slow init to collect it.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
