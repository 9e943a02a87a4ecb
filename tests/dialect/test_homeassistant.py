"""Home Assistant: what a real gateway announces on a real Mosquitto, and what it lets itself be asked.

`python -m bench.homeassistant` shows the same to a real Home Assistant.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench.homeassistant import NETWORK, Monitor
from edge.discovery import USER
from firmware.toolkit.rights import rights
from gateway.network import load
from tests.dialect.devices import Controller
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until

SENSOR = {
    "unique_id": str,
    "device_class": str,
    "state_class": str,
    "unit_of_measurement": str,
    "suggested_display_precision": int,
    "state_topic": str,
    "value_template": str,
    "json_attributes_topic": str,
    "json_attributes_template": str,
    "expire_after": int,
    "availability": list,
    "availability_mode": str,
    "device": dict,
    "origin": dict,
}
UNITS = {"pm1": "µg/m³", "pm25": "µg/m³", "pm10": "µg/m³"}
"""What Home Assistant allows for these classes."""


class Home:
    """What a Home Assistant hears and says."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, bytes] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, "home")
        self._client.on_connect = lambda client, *_: client.subscribe(
            [("homeassistant/#", 1), ("gongi/#", 1)]
        )
        self._client.on_message = self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _arrived(self, _: Client, __: Any, message: MQTTMessage) -> None:
        self.heard[message.topic] = message.payload

    def config(self, topic: str) -> Any:
        """An announcement; None before it and after it was taken away."""
        payload = self.heard.get(f"homeassistant/{topic}/config")
        return json.loads(payload) if payload else None

    def now(self, device: str) -> Any:
        """What the gateway shows of a device."""
        return json.loads(self.heard.get(f"gongi/v1/hana/{device}/now", b"{}"))

    def say(self, topic: str, said: object) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        self._client.publish(topic, text, 1).wait_for_publish(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def home(mosquitto: Mosquitto) -> Iterator[Home]:
    one = Home(mosquitto.port)
    yield one
    one.stop()


@pytest.fixture
def monitor(mosquitto: Mosquitto) -> Iterator[Monitor]:
    one = Monitor(mosquitto.port)
    yield one
    one.stop()


@pytest.fixture
def purifier(mosquitto: Mosquitto) -> Iterator[Controller]:
    one = Controller(mosquitto.port, "p-1")
    yield one
    one.stop()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    path.write_text(NETWORK, "utf-8")
    return path


@pytest.fixture
def gateway(tmp_path: Path, network: Path, mosquitto: Mosquitto) -> Iterator[Gateway]:
    one = Gateway(tmp_path / "gateway", network, mosquitto.port)
    one.start()
    yield one
    one.kill()


def test_monitors_are_announced_shown_and_taken_away(
    gateway: Gateway, home: Home, monitor: Monitor, network: Path
) -> None:
    wait_until(lambda: home.config("sensor/gongi-n-1/pm25"), 20)
    said = home.config("sensor/gongi-n-1/pm25")
    assert {key: type(value) for key, value in said.items()} == SENSOR
    assert (said["device_class"], said["unit_of_measurement"]) == ("pm25", UNITS["pm25"])
    assert (said["state_topic"], said["expire_after"]) == ("gongi/v1/hana/n-1/now", 180)
    assert (said["device"]["name"], said["device"]["suggested_area"]) == (
        "하나초 1학년 1반 n-1",
        "하나초 1학년 1반",
    )
    assert [one["topic"] for one in said["availability"]] == [
        "gongi/v1/gateway/gateway/status",
        "gongi/v1/hana/n-1/status",
    ]

    monitor.say(47.4)
    wait_until(lambda: home.now("n-1").get("pm25") == 47.4)
    assert "간이측정기" in home.now("n-1")["notice"]
    monitor.say(None)
    wait_until(lambda: home.now("n-1")["pm25"] is None)
    assert home.now("n-1")["pm10"] == 40.0
    assert "co2" not in home.now("n-1")

    home.heard.clear()
    home.say("homeassistant/status", "online")
    wait_until(lambda: home.config("sensor/gongi-n-1/pm25") and home.now("n-1"), 20)

    without_fan = NETWORK[: NETWORK.index("[[actuator]]")]
    network.write_text(without_fan, "utf-8")
    wait_until(lambda: home.heard.get("homeassistant/fan/gongi-p-1/config") == b"", 20)
    assert home.config("sensor/gongi-n-1/pm25")

    gateway.stop()
    network.write_text(without_fan.replace("homeassistant = true", ""), "utf-8")
    gateway.start()
    wait_until(lambda: home.config("sensor/gongi-n-1/pm25") is None, 20)


def test_a_purifier_is_asked_for_a_level_for_a_time(
    gateway: Gateway, home: Home, purifier: Controller
) -> None:
    wait_until(lambda: home.config("fan/gongi-p-1"), 20)
    said = home.config("fan/gongi-p-1")
    assert (said["speed_range_min"], said["speed_range_max"]) == (1, 3)
    ask, at = said["percentage_command_topic"], int(time.time())
    home.say(ask, {"level": 3, "at": at})
    wait_until(lambda: purifier.level == 3)
    wait_until(lambda: home.now("p-1").get("mode") == "hand")
    assert home.now("p-1")["who"] == "Home Assistant"
    home.say(ask, {"on": True, "at": at})  # it runs already
    home.say(ask, {"level": 1, "at": at - 3600})  # kept by a broker for an hour
    home.say(ask, {"level": 9, "at": at})
    home.say(ask, {"level": "high", "at": at})
    wait_until(lambda: gateway.counted("asks") == 4)
    assert (purifier.level, gateway.counted("letters")) == (3, 1)
    home.say(ask, {"on": False, "at": at})
    wait_until(lambda: purifier.level == 0)
    home.say(ask, {"mode": "auto", "at": at})
    wait_until(lambda: home.now("p-1")["mode"] == "auto")
    assert gateway.counted("unknown_topics") == 0


def test_it_may_ask_and_command_nothing(network: Path) -> None:
    found = {one.device: one for one in rights(load(network), {}, time.time_ns())}
    assert "gongi/v1/hana/p-1/ask" in found[USER].write
    assert not [topic for topic in found[USER].write if topic.endswith(("/set", "/obs", "#"))]
    assert "homeassistant/sensor/+/+/config" in found["gateway"].write
    network.write_text(NETWORK.replace("homeassistant = true", ""), "utf-8")
    without = {one.device: one for one in rights(load(network), {}, time.time_ns())}
    assert USER not in without
    assert not [topic for topic in without["gateway"].write if topic.startswith("homeassistant")]
