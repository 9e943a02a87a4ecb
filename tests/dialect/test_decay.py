"""A purifier without a meter, proved by its room's particles: a real gateway on the data's own clock."""

import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.remote import Remote
from gateway.walk import Patience, Walk
from tests.dialect.devices import ZigbeePlug
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until

NETWORK = """
[[site]]
id = "hana"
tz = "Asia/Seoul"

[[site.room]]
id = "1-1"
volume = 180.0

[[node]]
id = "n"
placed = [{since = 2020-01-01T00:00:00Z, site = "hana", room = "1-1", placement = "indoor"}]
fitted = [{since = 2020-01-01T00:00:00Z, sensors = [{type = "pms5003", serial = "P"}]}]

[[actuator]]
id = "p"
kind = "purifier"
site = "hana"
room = "1-1"
dialect = "zigbee2mqtt"
address = "p"
levels = [{}, {cadr = 900}]
"""
START = 1_790_000_000
SPEED = 100
"""Seconds of the room in one of the machine's."""


class Unmetered(ZigbeePlug):
    """A plug that measures no power."""

    def report(self) -> None:
        self.say(f"zigbee2mqtt/{self.address}", json.dumps({"state": "ON" if self.level else "OFF"}))


class Classroom:
    """A room that loses 0.9/h by itself, and 5/h more while its purifier runs and isn't asleep."""

    def __init__(self, port: int, purifier: Unmetered) -> None:
        self.purifier, self.cleans, self.pm25, self.now = purifier, True, 300.0, START
        self._client = Client(CallbackAPIVersion.VERSION2, "classroom")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        values: list[float] = []
        while not self._ended.wait(10 / SPEED):
            self.now += 10
            rate = 0.9 + (5.0 if self.purifier.level and self.cleans else 0.0)
            self.pm25 *= math.exp(-rate * 10 / 3600)
            values.append(round(self.pm25 + math.sin(self.now), 1))
            self._client.publish("gongi/v1/time", str(self.now))
            if len(values) == 6:
                self._say(values)
                values = []

    def _say(self, values: list[float]) -> None:
        first = self.now - 50
        head = {"log": "00000001", "seq": (first - START) // 60, "boot": 1, "up": first - START, "dt": 10}
        self._client.publish("gongi/v1/hana/n/obs", json.dumps({**head, "t0": first, "pm25": values}), 1)


@pytest.fixture
def purifier(mosquitto: Mosquitto) -> Iterator[Unmetered]:
    one = Unmetered(mosquitto.port, "p")
    yield one
    one.stop()


@pytest.fixture
def classroom(mosquitto: Mosquitto, purifier: Unmetered) -> Iterator[Classroom]:
    one = Classroom(mosquitto.port, purifier)
    yield one
    one.stop()


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Gateway]:
    network = tmp_path / "network.toml"
    network.write_text(NETWORK, "utf-8")
    one = Gateway(tmp_path / "gateway", network, mosquitto.port, None, "--clock", "data")
    one.start()
    yield one
    one.kill()


def test_particles_prove_a_purifier_and_find_the_one_that_only_says_it_runs(
    gateway: Gateway, classroom: Classroom
) -> None:
    remote = Remote(gateway.url)
    wait_until(lambda: "pm25" in remote.get("sites/hana")["rooms"][0]["values"], 30)
    patience = Patience(acknowledge=1200, reading=0, settle=0, hold=6, poll=0.1)
    proved = Walk(remote, "p", patience).run()
    assert [step.finding.key for step in proved] == ["rests", "faster"], [step.row() for step in proved]
    assert proved[1].decay is not None
    assert abs(proved[1].decay.rate - 5.9) < 4 * proved[1].decay.error

    classroom.cleans, classroom.pm25 = False, 300.0
    asleep = Walk(remote, "p", patience).run()
    assert [step.finding.key for step in asleep] == ["untold", "idle"], [step.row() for step in asleep]
    assert "버튼" in asleep[1].said("ko")
