"""A technician's bench: boards to plug in, a folder with wifi.toml, images, sensors on wires."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firmware.toolkit import secrets, settings
from firmware.toolkit.flashing import Order, Surroundings, Work, flash
from firmware.toolkit.images import CHIPS
from tests.firmware.workshop import Wires
from tests.toolkit.board import Board

GONGI = Path(sysconfig.get_path("scripts")) / "gongi"
WIFI = {"school": "chalk and slate"}
SENSORS = (settings.Sensor("pms5003", "P-2601"), settings.Sensor("scd4x", "S-2601"))
REACH = settings.Reach((settings.Wifi("school", WIFI["school"]),), (("127.0.0.1", 1),), False, "gongi/v1", "")
WIRED: dict[str, Any] = {
    "uarts": [{"tx": 17, "rx": 16, "baud": 9600, "host": "127.0.0.1", "greeting": "uart1 3-2-a\n"}],
    "i2cs": [{"scl": 22, "sda": 21, "addresses": [0x62], "host": "127.0.0.1", "greeting": "i2c1 3-2-a\n"}],
    "wifi": WIFI,
}

Plug = Callable[..., Board]


def image(path: Path, chip: str = "ESP32", size: int = 400_000) -> Path:
    """A file that begins as an image of that chip does; its body compresses as badly as code."""
    head = bytearray(b"\xe9\x04\x02\x20" + bytes(20))
    head[12:14] = CHIPS[chip].byte.to_bytes(2, "little")
    path.write_bytes(bytes(head) + os.urandom(size // 2) + bytes(size - size // 2))
    return path


@dataclass
class Desk:
    """The technician's folder, and what was shown there."""

    folder: Path
    shown: list[tuple[str, float]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def order(self, port: str, **more: Any) -> Order:
        device = settings.Device("3-2-a", "hana", SENSORS)
        credentials = secrets.Secrets(self.folder / "secrets").of("3-2-a")
        return Order(device, REACH, credentials, [], port=port, **{"examine": False} | more)

    def flash(self, port: str, source: str = "", **more: Any) -> Work:
        around = Surroundings(self.folder / "cache", list, None, self.told.append, source=source)
        return flash(self.order(port, **more), around, lambda name, share: self.shown.append((name, share)))

    def gongi(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call `gongi flash` here."""
        return subprocess.run(
            [GONGI, "flash", *arguments],
            cwd=self.folder,
            env=os.environ | {"GONGI_CACHE": str(self.folder / "cache")} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mpy-cross has compiled, for all tests of a run."""
    return tmp_path_factory.mktemp("mpy")


@pytest.fixture
def desk(tmp_path: Path, compiled: Path) -> Desk:
    """An empty folder of a technician."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mpy").symlink_to(compiled)
    (tmp_path / "wifi.toml").write_text(
        'tls = false\n[[network]]\nssid = "school"\npassword = "chalk and slate"\n'
        '[[broker]]\nhost = "127.0.0.1"\nport = 1\n'
    )
    return Desk(tmp_path)


@pytest.fixture
def plug(micropython: str, tmp_path: Path) -> Iterator[Plug]:
    """Plug boards in: `plug("esp32", installed=True, hardware={...})`."""
    boards: list[Board] = []

    def plug(
        chip: str = "esp32", flash_mib: int = 4, installed: bool = False, link: str = "", **hardware: Any
    ) -> Board:
        board = Board(tmp_path / f"board-{len(boards)}", micropython, chip, flash_mib)
        board.hardware |= json.loads(json.dumps(hardware))
        boards.append(board)
        if installed:
            board.install()
        board.plug(tmp_path / link if link else None)
        return board

    yield plug
    for board in boards:
        board.close()


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Sensors at the other end of every bus."""
    wires = Wires(speed=30)
    yield wires
    wires.close()


def wired(wires: Wires, **changes: Any) -> dict[str, Any]:
    """The hardware of a board whose sensors hang on `wires`, and what is different about it."""
    hardware: dict[str, Any] = json.loads(json.dumps(WIRED))
    for wire in (*hardware["uarts"], *hardware["i2cs"]):
        wire["port"] = wires.port
    return hardware | changes
