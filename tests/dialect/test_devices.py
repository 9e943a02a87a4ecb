"""Purifiers of every dialect on a real Mosquitto, run by a real gateway that is killed in the end."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.dialect.devices import EspHomeFan, TasmotaFan, TasmotaPlug, Thing, ZigbeePlug, ZigbeePurifier
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until

THINGS: dict[str, tuple[type[Thing], str, str, str]] = {
    "plug": (TasmotaPlug, "tasmota", "tasmota_1A2B3C", "levels = [{}, {cadr = 600, power = 45}]"),
    "fan": (
        TasmotaFan,
        "tasmota",
        "tasmota_4D5E6F",
        "levels = [{}, {cadr = 200}, {cadr = 400}, {cadr = 700}]",
    ),
    "zigbee": (
        ZigbeePurifier,
        "zigbee2mqtt",
        "classroom 3",
        'levels = [{}, {cadr = 200, say = "3"}, {cadr = 400, say = "6"}, {cadr = 700, say = "9"}]',
    ),
    "socket": (ZigbeePlug, "zigbee2mqtt", "socket", "timer = true\nlevels = [{}, {cadr = 600}]"),
    "esp": (
        EspHomeFan,
        "homeassistant",
        "purifier",
        "levels = [{}, {cadr = 200}, {cadr = 400}, {cadr = 700}]",
    ),
}
SITE = '[[site]]\nid = "hana"\ntz = "UTC"\n'
ROOM = """
[[site.room]]
id = "{id}"
volume = 180.0
timetable = {{mon-sun = "00:00-24:00"}}
"""
PARTS = """
[[node]]
id = "n-{id}"
placed = [{{since = 2020-01-01T00:00:00Z, site = "hana", room = "{id}", placement = "indoor"}}]
fitted = [{{since = 2020-01-01T00:00:00Z, sensors = [{{type = "pms5003", serial = "P-{id}"}}]}}]

[[actuator]]
id = "{id}"
kind = "purifier"
site = "hana"
room = "{id}"
dialect = "{dialect}"
address = "{address}"
{levels}
"""


def address(name: str) -> str:
    _, dialect, said, _ = THINGS[name]
    return f"fan/{said}" if dialect == "homeassistant" else said


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    rooms = "".join(ROOM.format(id=name) for name in THINGS)
    parts = (
        PARTS.format(id=name, dialect=dialect, address=address(name), levels=levels)
        for name, (_, dialect, _, levels) in THINGS.items()
    )
    path.write_text(SITE + rooms + "".join(parts), "utf-8")
    return path


@pytest.fixture
def things(mosquitto: Mosquitto) -> Iterator[dict[str, Thing]]:
    made = {name: kind(mosquitto.port, said) for name, (kind, _, said, _) in THINGS.items()}
    yield made
    for one in made.values():
        one.stop()


@pytest.fixture
def gateway(tmp_path: Path, network: Path, mosquitto: Mosquitto) -> Iterator[Gateway]:
    one = Gateway(tmp_path / "gateway", network, mosquitto.port)
    one.start()
    yield one
    one.kill()


class Air:
    """Every room's node."""

    def __init__(self, port: int) -> None:
        self._seq = 0
        self._client = Client(CallbackAPIVersion.VERSION2, "air")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def say(self, pm25: float) -> None:
        """A fresh batch in every room."""
        self._seq += 1
        head = {"log": "00000001", "seq": self._seq, "boot": 1, "up": 60 * self._seq, "dt": 10}
        batch = {**head, "t0": int(time.time()) - 59, "pm25": [pm25 + n / 10 for n in range(6)]}
        for name in THINGS:
            self._client.publish(f"gongi/v1/hana/n-{name}/obs", json.dumps(batch), 1)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def air(mosquitto: Mosquitto) -> Iterator[Air]:
    one = Air(mosquitto.port)
    yield one
    one.stop()


def acting(gateway: Gateway) -> dict[str, dict[str, Any]]:
    rooms = gateway.ask("sites/hana")["rooms"]
    return {one["id"]: one for room in rooms for one in room["actuators"]}


def test_purifiers_of_every_dialect_obey_and_end_as_they_can(
    gateway: Gateway, things: dict[str, Thing], air: Air
) -> None:
    wait_until(lambda: all(one["online"] for one in acting(gateway).values()), 20)
    air.say(120.0)
    wait_until(lambda: all(thing.level for thing in things.values()), 20)
    wait_until(lambda: all(one["acknowledged"] for one in acting(gateway).values()), 20)
    assert {name: one["level"] for name, one in acting(gateway).items()} == {
        name: levels_of(name).index(thing.level) for name, thing in things.items()
    }
    # Nothing waits at the broker for a device that comes later.
    assert not [topic for thing in things.values() for topic in thing.retained]

    things["fan"].switch(1)  # somebody turned its knob
    wait_until(lambda: acting(gateway)["fan"]["cause"] == "button")

    gateway.kill()
    for thing in things.values():
        thing.pass_time(301)
    off = {name for name, thing in things.items() if not thing.level}
    assert off == {"plug", "socket"}, "what has a timer of its own ends by it, and only that"


def levels_of(name: str) -> list[int]:
    return [0, 3, 6, 9] if name == "zigbee" else [0, 1, 2, 3]


def test_what_isnt_understood_is_kept_with_its_reason(gateway: Gateway, things: dict[str, Thing]) -> None:
    wait_until(lambda: all(one["online"] for one in acting(gateway).values()), 20)
    things["zigbee"].say("zigbee2mqtt/classroom 3", '{"fan_state":"ON","fan_mode":"auto"}')
    wait_until(lambda: gateway.counted("letters") == 1)
