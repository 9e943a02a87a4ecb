"""`gongi node wifi --port`: real MicroPython on a pty, its files on a real LittleFS."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from firmware.toolkit.ports import Port, opened
from firmware.toolkit.repl import Repl
from gateway import command
from tests.toolkit.board import Board
from tests.toolkit.conftest import Plug

CONFIG = {
    "id": "n1",
    "site": "hana",
    "brokers": [["old", 1]],
    "wifi": [["old", "password-1"]],
    "kept": [1, "µ"],
}
WIFI = """
[[network]]
ssid = "학교"
password = "sesame-open"

[[broker]]
host = "other"
port = 2
"""


def board_with(plug: Plug, **files: bytes) -> Board:
    board = plug(installed=True)
    with opened(Port(board.port)) as line:
        repl = Repl(line, board.port)
        repl.enter()
        repl.copy({name.replace("__", "."): data for name, data in files.items()}, lambda done: None)
    return board


def on(board: Board, *names: str) -> list[bytes]:
    """Files of the board, after its reset."""
    with opened(Port(board.port)) as line:
        repl = Repl(line, board.port)
        repl.enter()
        return [repl.read(name) for name in names]


@pytest.fixture
def wifi(tmp_path: Path) -> Path:
    path = tmp_path / "wifi.toml"
    path.write_text(WIFI, "utf-8")
    return path


def call(device: str, wifi: Path, board: Board, *more: str) -> Result:
    words = ["node", "wifi", device, "--networks", str(wifi), "--port", board.port, "--json", *more]
    return CliRunner().invoke(command.gongi, words)


def test_networks_are_written_and_nothing_else(plug: Plug, wifi: Path) -> None:
    board = board_with(plug, config__json=json.dumps(CONFIG).encode())
    boots = board.boots
    dry = call("n1", wifi, board, "--dry-run")
    assert json.loads(dry.stdout)["devices"] == {"n1": "would be written"}
    done = call("n1", wifi, board)
    assert json.loads(done.stdout) == {"devices": {"n1": "written"}, "dry_run": False, "networks": ["학교"]}
    assert "sesame" not in done.output
    found: dict[str, Any] = json.loads(on(board, "config.json")[0])
    assert found == CONFIG | {"wifi": [["학교", "sesame-open"]]}
    assert board.boots > boots
    assert json.loads(call("n1", wifi, board).stdout)["devices"] == {"n1": "has them already"}


def test_what_came_over_the_air_stays_true(plug: Plug, wifi: Path) -> None:
    """A change by cable ends the turns: brokers, authorities and site of theirs become the cable's."""
    change = {"brokers": [["new", 3]], "site": "duri", "tls": {"ca": ["/turn-7-0"]}}
    turns = {"turn": 7, "change": change, "trial": None}
    files = {"config__json": json.dumps(CONFIG).encode(), "turns__json": json.dumps(turns).encode()}
    board = board_with(plug, **files, **{"turn-7-0": b"\x30\x82DER"})
    assert call("n1", wifi, board).exit_code == 0
    config, authority = on(board, "config.json", "ca0.pem")
    found = json.loads(config)
    assert (found["brokers"], found["site"], found["tls"]) == ([["new", 3]], "duri", {"ca": ["/ca0.pem"]})
    assert found["wifi"] == [["학교", "sesame-open"]]
    assert authority == b"\x30\x82DER"


def test_another_board_on_the_cable_is_left_as_it_is(plug: Plug, wifi: Path) -> None:
    board = board_with(plug, config__json=json.dumps(CONFIG).encode())
    assert "the board on the cable is n1" in str(call("n2", wifi, board).exception)
    assert json.loads(on(board, "config.json")[0]) == CONFIG
