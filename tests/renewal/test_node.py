"""`gongi node` with real MicroPython: a radio that behaves, a Mosquitto, a Wi-Fi list that leads nowhere."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware.toolkit import register
from firmware.toolkit.secrets import Secrets
from gateway import command
from tests.firmware.workshop import NODE, ROOT, SPEED, Board, Ear, Wires, copied
from tests.networks import network, school
from tests.renewal.test_commands import BOTH, WIFI
from tests.servers import Mosquitto, wait_until

POINTS = {"school": "sesame-open", "bench": "password-1"}
Say = Callable[..., dict[str, Any]]


@pytest.fixture
def node(tmp_path: Path, micropython: str, mosquitto: Mosquitto, wires: Wires, ear: Ear) -> Iterator[Board]:
    """A node on the bench's network, which its broker has heard."""
    key = Secrets(tmp_path / "secrets").of("1-2-a").key
    flash = {"flash": str(tmp_path / "node" / "flash.img"), "flash_bytes": 1_310_720}
    config = NODE | {
        "site": "hana",
        "root": ROOT,
        "brokers": [["127.0.0.1", mosquitto.port]],
        "user": None,
        "password": None,
        "update_key": key,
        "wifi": [["bench", POINTS["bench"]]],
        "sim": {"wiring": ["127.0.0.1", wires.port], "speed": SPEED, "points": POINTS, "exit": True} | flash,
    }
    node = Board(micropython, tmp_path / "node", config, copied(tmp_path / "firmware"))
    node.start()
    wait_until(lambda: ear.heard("info"), 30)
    yield node
    node.kill()


@pytest.fixture
def say(tmp_path: Path, mosquitto: Mosquitto) -> Say:
    """Call `gongi node`; what it answers, which must end so."""
    (tmp_path / "network.toml").write_text(school("1-2-a"))
    (tmp_path / "wifi.toml").write_text(WIFI)

    def call(*words: str, status: int = 0) -> dict[str, Any]:
        fixed = [
            "--network",
            str(tmp_path / "network.toml"),
            "--secrets",
            str(tmp_path / "secrets"),
            "--json",
        ]
        fixed += ["--broker", f"127.0.0.1:{mosquitto.port}", "--register", str(tmp_path / "flashed.csv")]
        done = CliRunner().invoke(command.gongi, ["node", *words, *fixed])
        assert done.exit_code == status, (done.output, done.exception)
        assert "sesame" not in done.output
        return dict(json.loads(done.stdout))

    return call


def test_it_joins_another_network_and_returns_from_one_that_is_not_there(
    node: Board, ear: Ear, say: Say, tmp_path: Path
) -> None:
    wifi = ("wifi", "1-2-a", "--networks", str(tmp_path / "wifi.toml"), "--trial", "240")
    assert say(*wifi)["devices"] == {"1-2-a": "joined"}
    assert ear.heard("info")[-1]["wifi"]["ssid"] == "school"
    (tmp_path / "wifi.toml").write_text(WIFI.replace("school", "library"))
    assert say(*wifi, status=1)["devices"] == {"1-2-a": "given back: wifi"}
    assert ear.heard("info")[-1]["wifi"]["ssid"] == "school"
    assert "sesame" not in node.log


def test_it_moves_to_another_site(node: Board, ear: Ear, say: Say, tmp_path: Path) -> None:
    entry = dict.fromkeys(register.COLUMNS, "") | {"node": "1-2-a", "kind": "node", "site": "hana"}
    register.enter(tmp_path / "flashed.csv", entry)
    (tmp_path / "network.toml").write_text(network({"1-2-a": BOTH}, sites=BOTH))
    assert say("move")["moved"] == ["1-2-a"]
    wait_until(lambda: ear.heard("obs", "duri/1-2-a"), 20)
    assert ear.messages[f"{ROOT}/hana/1-2-a/info"][-1] == b"", "what was retained is cleared"
    assert ear.statuses("hana/1-2-a")[-1] == ""
    logs = {batch["log"] for site in ("hana", "duri") for batch in ear.heard("obs", f"{site}/1-2-a")}
    assert len(logs) == 1
