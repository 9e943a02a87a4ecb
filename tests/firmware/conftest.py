"""Fixtures of the bench: wires, an ear at a real Mosquitto, devices."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.firmware.workshop import ROOT, SPEED, Ear, Process, Wires
from tests.servers import Mosquitto

Start = Callable[..., Process]


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def ear(mosquitto: Mosquitto) -> Iterator[Ear]:
    ear = Ear(mosquitto.port)
    yield ear
    ear.close()


@pytest.fixture
def start(micropython: str, tmp_path: Path, wires: Wires, mosquitto: Mosquitto) -> Iterator[Start]:
    """Start a device: `start(NODE, sample_s=1, sim={"speed": 60})`."""
    started: list[Process] = []

    def begin(kind: dict[str, Any], sim: dict[str, Any] | None = None, **more: Any) -> Process:
        folder = tmp_path / f"device-{len(started)}"
        flash = {"flash": str(folder / "flash.img"), "flash_bytes": 1_310_720}
        config = kind | {
            "site": "hana",
            "root": ROOT,
            "brokers": [["127.0.0.1", mosquitto.port]],
            "user": None,
            "password": None,
            "sim": {"wiring": ["127.0.0.1", wires.port], "speed": SPEED} | flash | (sim or {}),
        }
        device = Process(micropython, folder, config | more)
        started.append(device)
        device.start()
        return device

    yield begin
    for device in started:
        device.kill()
