"""The whole way without a hand: a blank board, esptool, MicroPython, a broker and the gateway, all real."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from firmware.toolkit.ports import Port, opened
from firmware.toolkit.register import entries, newest
from firmware.toolkit.repl import Repl
from tests.firmware.workshop import Wires
from tests.servers import Mosquitto, free_port, wait_until
from tests.toolkit.board import Board
from tests.toolkit.conftest import GONGI, WIFI, Desk, Plug, image, wired

NETWORK = """\
[[site]]
id = "hana"
ko = "하나초등학교"
en = "Hana Elementary School"
tz = "Asia/Seoul"

[[site.room]]
id = "3-2"
ko = "3학년 2반"
en = "Class 3-2"
volume = 189.0

[[node]]
id = "3-2-a"
sample_s = 1
batch_s = 2
duty = true
placed = [{since = 2026-03-02, site = "hana", room = "3-2", placement = "indoor", height = 1.2}]
fitted = [{since = 2026-03-02, sensors = [{type = "scd4x", serial = "S-2601"}]}]
"""


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/api/v1/sites", timeout=5):
        return True
    return False


@pytest.fixture
def gateway(desk: Desk, mosquitto: Mosquitto) -> Iterator[str]:
    """`gongi serve` beside the technician's folder; its address."""
    (desk.folder / "network.toml").write_text(NETWORK, "utf-8")
    port = free_port()
    command = [GONGI.with_name("gongi"), "serve", "network.toml", "--mqtt", f"127.0.0.1:{mosquitto.port}"]
    with (desk.folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--console", f"127.0.0.1:{port}"], cwd=desk.folder, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(url), within_s=30, every_s=0.1)
    yield url
    process.terminate()
    process.wait(20)


def test_a_blank_board_is_heard_by_the_gateway(
    desk: Desk, plug: Plug, wires: Wires, mosquitto: Mosquitto, gateway: str
) -> None:
    (desk.folder / "wifi.toml").write_text(
        f'tls = false\n[[network]]\nssid = "school"\npassword = "{WIFI["school"]}"\n'
        f'[[broker]]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'
    )
    image(desk.folder / "image.bin")
    board = plug(link="port", **wired(wires))
    call = ("--port", board.port, "--node", "3-2-a", "--network", "network.toml", "--json")
    done = desk.gongi(*call, "--image", "image.bin", GONGI_URL=gateway)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["flashed"][0]
    assert told["values"] == {"co2": "500 ppm"}
    assert (told["mac"], told["chip"], told["micropython"]) == ("24:6f:0a:0b:0c:0d", "ESP32", "1.29.0")
    assert "✓ 3-2-a in hana" in done.stderr
    entry = newest(desk.folder / "flashed.csv")["3-2-a"]
    assert (entry["mac"], entry["site"], entry["generation"]) == (told["mac"], "hana", "1")
    assert "3-2-a" in (desk.folder / "labels" / "labels.html").read_text("utf-8")
    assert (desk.folder / "labels" / "3-2-a.svg").exists()
    again(desk, board, call)


def again(desk: Desk, board: Board, call: tuple[str, ...]) -> None:
    """A board that runs the right MicroPython gets the application alone, and only what differs of it."""
    assert board.loader
    board.loader.seen.clear()
    done = desk.gongi(*call, "--no-wait", "--no-self-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert board.loader.seen == []
    assert json.loads(done.stdout)["flashed"][0]["copied"] == 0
    with opened(Port(board.port)) as line:
        repl = Repl(line, board.port)
        repl.enter()
        config = json.loads(repl.read("config.json"))
    assert (config["duty"], config["batch_s"], config["pins"]["i2c1"]) == (True, 2, [0, 22, 21])
    assert abs(config["built"] - time.time()) < 600
    assert len(entries(desk.folder / "flashed.csv")) == 2
