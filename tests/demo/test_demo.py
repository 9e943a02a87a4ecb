"""`gongi demo` for real: NATS, MicroPython, gateway, console and world, as a person starts them."""

import json
import re
import signal
import urllib.request
from typing import Any

import pytest

from tests.demo.conftest import Running, Start
from tests.servers import Mosquitto, wait_until

SECONDS = 20


@pytest.fixture
def outcome(start: Start, micropython: str) -> dict[str, Any]:
    running = start("--seconds", str(SECONDS), "--json")
    out, err = running.ended(SECONDS + 40)
    assert running.process.returncode == 0, out + err
    assert not any(running.temporary.iterdir())
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_run_stores_forecasts_commands_and_loses_nothing(outcome: dict[str, Any]) -> None:
    counts = outcome["counts"]
    assert outcome["ok"] is True
    assert outcome["failed"] == []
    assert (outcome["firmware"], outcome["nodes"], outcome["actuators"]) == (True, 9, 6)
    # A batch of six a simulated minute from each node, but for the minutes of its start.
    assert 9 * (SECONDS - 4) <= outcome["published"] <= 9 * (SECONDS + 2)
    assert counts["samples_stored"] >= 6 * outcome["published"] - 100
    assert counts["batches_stored"] >= outcome["published"]
    assert (outcome["missing"], outcome["gaps"], counts["lost"], counts["letters"]) == (0, 0, 0, 0)
    assert counts["forecasts"] > counts["batches_stored"]
    assert counts["acknowledgements"] > outcome["actuators"]
    assert outcome["lag_s"]["river_mean"] < 1.0
    _purifiers_start_ahead_and_serve(outcome)


def _purifiers_start_ahead_and_serve(outcome: dict[str, Any]) -> None:
    assert outcome["started_ahead"] >= 1
    assert all(one["measured"] <= one["limit"] <= one["risk"] for one in outcome["starts"] if one["ahead"])
    assert outcome["label"] == "simulated"
    for room in outcome["rooms"]:
        assert room["pm25"]["full"] <= room["pm25"]["commanded"] <= room["pm25"]["off"]
        assert 0 < room["energy"]["commanded"] <= room["energy"]["full"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demonstration_leaves_nothing_behind(
    start: Start, micropython: str, how: signal.Signals
) -> None:
    running = start()
    _page(running)
    assert sum("firmware/sim/main.py" in one for one in running.look()) == 15
    assert any("nats-server" in one for one in running.look())
    running.process.send_signal(how)
    running.process.send_signal(signal.SIGINT)  # an impatient second one changes nothing
    out, err = running.ended(30)
    assert (running.process.returncode, err) == (0, ""), out + err
    assert "✓ Nothing lost" in out
    wait_until(lambda: not running.alive(), 5)
    assert not any(running.temporary.iterdir())


def test_a_killed_demonstration_takes_its_children_with_it(start: Start, micropython: str) -> None:
    running = start("--json")
    wait_until(lambda: sum("firmware/sim/main.py" in one for one in running.look()) == 15, 30)
    running.process.kill()
    running.ended(10)
    wait_until(lambda: not running.alive(), 20)


def test_without_a_terminal_it_prints_lines_and_serves_its_page(start: Start) -> None:
    running = start("--seconds", "8", GONGI_MICROPYTHON="/nowhere/micropython", COLUMNS="100")
    page = _page(running)
    with urllib.request.urlopen(f"{page}api/v1/sites", timeout=10) as answer:
        assert "하나초등학교" in answer.read().decode()
    out, err = running.ended(40)
    assert running.process.returncode == 0, out + err
    assert "9 nodes and 6 purifiers (Python, as there is no MicroPython here)" in out
    assert re.search(r"^09:05 .*[1-9]\d* samples,", out, re.MULTILINE)
    assert "✓ Nothing lost" in out


def _page(running: Running) -> str:
    assert running.process.stdout is not None
    line = next(line for line in running.process.stdout if line.startswith("page: "))
    return line.removeprefix("page: ").strip()


def test_another_broker_serves_too_and_the_folder_is_kept(
    start: Start, micropython: str, mosquitto: Mosquitto
) -> None:
    folder = start.temporary / "kept"
    running = start(
        "--seconds", "8", "--json", "--mqtt", f"127.0.0.1:{mosquitto.port}", "--data", str(folder)
    )
    out, err = running.ended(40)
    assert running.process.returncode == 0, out + err
    assert json.loads(out)["counts"]["samples_stored"] > 0
    assert (folder / "data" / "journal.sqlite").exists()
    assert not (folder / "broker").exists()


def test_a_run_in_which_nothing_came_fails_and_says_why(start: Start, micropython: str) -> None:
    running = start("--seconds", "2", "--speed", "1")
    out, _ = running.ended(30)
    assert running.process.returncode == 1
    assert "✗ No sample was stored." in out


def test_a_used_folder_is_refused(start: Start) -> None:
    (start.temporary / "kept").mkdir()
    (start.temporary / "kept" / "journal.sqlite").touch()
    running = start("--data", str(start.temporary / "kept"))
    out, err = running.ended(30)
    assert (running.process.returncode, "isn't empty" in err) == (1, True), out + err
