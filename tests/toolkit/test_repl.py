"""Our raw REPL client against real MicroPython on a pty, its files on a real LittleFS."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.toolkit import application
from firmware.toolkit.ports import Port, opened
from firmware.toolkit.repl import DeviceError, NoRepl, Repl
from tests.toolkit.board import Board
from tests.toolkit.conftest import Plug

OWN = Path(__file__).parents[2] / "examples" / "extend" / "mhz19.py"
ENDLESS = b"import time\nprint('runs')\nwhile True:\n    time.sleep_ms(10)\n"


def none(share: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def board(plug: Plug) -> Board:
    return plug(installed=True)


@pytest.fixture
def repl(board: Board) -> Iterator[Repl]:
    with opened(Port(board.port)) as line:
        repl = Repl(line, board.port)
        repl.enter()
        yield repl


def test_it_asks_who_is_there(repl: Repl) -> None:
    who = repl.who()
    assert (who.release, who.mac) == ("1.29.0", "24:6f:0a:0b:0c:0d")
    assert who.machine.endswith("ESP32")


def test_files_arrive_byte_by_byte_and_only_those_that_differ(repl: Repl) -> None:
    files = {"a.bin": os.urandom(5000), "deep/down/b.py": "x = 'µ한'\n".encode(), "empty": b""}
    shares: list[float] = []
    assert repl.copy(files, shares.append) == list(files)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert {path: repl.read(path) for path in files} == files
    files["a.bin"] = b"new"
    assert repl.copy(files, none) == ["a.bin"]
    assert repl.copy(files, none) == []
    assert repl.sums(["nowhere"]) == {"nowhere": ""}


def test_programs_reach_a_device_without_raw_paste(board: Board) -> None:
    with opened(Port(board.port)) as line:
        repl = Repl(line, board.port, paste=False)
        repl.enter()
        assert repl.run(f"print(len({'x' * 2000!r}))") == "2000\n"


def test_an_error_on_the_board_is_told_by_its_last_line(repl: Repl) -> None:
    with pytest.raises(DeviceError, match="ZeroDivisionError") as failed:
        repl.run("def f():\n    return 1 / 0\nf()\n")
    assert "line 2, in f" in failed.value.trace
    with pytest.raises(DeviceError, match="SyntaxError"):
        repl.run("x = (1\n" + "y = 2\n" * 200)
    assert repl.run("print('alive')") == "alive\n"


def test_a_full_file_system_is_told(repl: Repl) -> None:
    with pytest.raises(DeviceError, match="OSError") as failed:
        repl.run("f = open('/big', 'wb')\nwhile True:\n    f.write(bytes(65536))\n", 60)
    assert "--erase" in failed.value.advice


def test_a_running_application_is_interrupted_and_a_reset_begins_it_anew(board: Board, repl: Repl) -> None:
    repl.copy({"main.py": ENDLESS}, none)
    repl.reset()
    repl.enter()
    assert board.boots == 2
    assert repl.run("print(1)") == "1\n"


def test_nobody_interrupts_a_board_before_its_files_are_its_own(plug: Plug) -> None:
    """Else an emulated board would be the machine itself."""
    board = plug(installed=True, late=0.2)
    with opened(Port(board.port)) as line:
        line.write(b"\x03" * 50)
        repl = Repl(line, board.port)
        repl.enter()
        assert repl.run("import os\nprint(os.listdir('/'))") == "[]\n"


def test_a_silent_line_is_told(plug: Plug) -> None:
    board = plug(installed=False)  # its loader waits
    with opened(Port(board.port)) as line, pytest.raises(NoRepl, match="no MicroPython"):
        Repl(line, board.port).enter(0.5)


def test_an_application_replaces_what_it_no_longer_has_and_leaves_the_rest(repl: Repl) -> None:
    mine = {"drivers/mine.py": b"# my own\n", "config.json": b"{}"}
    repl.copy(mine, none)
    repl.copy({"lib/clock.py": b"would shadow clock.mpy"}, none)
    application.install(repl, {"lib/clock.mpy": b"1", "lib/gone.mpy": b"2", "main.py": b"pass"}, none)
    application.install(repl, {"lib/clock.mpy": b"1", "main.py": b"pass"}, none)
    assert repl.sums(["lib/clock.py", "lib/gone.mpy"]) == {"lib/clock.py": "", "lib/gone.mpy": ""}
    assert {path: repl.read(path) for path in mine} == mine
    assert repl.read("version").decode() == application.version()


def test_the_cable_takes_over_from_an_update(repl: Repl) -> None:
    repl.copy({"slots.json": b'{"slot": "b", "release": 7, "trial": "a", "boots": 2, "tried": 8}'}, none)
    application.install(repl, {"main.py": b"pass"}, none)
    said = repl.run(
        "import json\nf = json.load(open('/slots.json'))\nprint(f['slot'] == '', f['trial'], f['tried'])\n"
    )
    assert said == "True None 8\n"


def test_every_module_of_both_applications_compiles_and_loads(repl: Repl, compiled: Path) -> None:
    files = application.build("node", compiled, [OWN]) | application.build("actuator", compiled)
    assert {"main.py", "boot.py", "lib/spool.mpy", "node/app.mpy", "actuator/app.mpy"} <= files.keys()
    needed = ("lib/", "node/", "drivers/")
    repl.copy({path: data for path, data in files.items() if path.startswith(needed)}, none)
    assert repl.run("import node.app\nprint(node.app.Node)") == "<class 'Node'>\n"
    said = repl.run("from lib.drivers import driver\nprint(driver('mhz19', 'uart2').columns)")
    assert said == "(('co2', 1),)\n", "one's own driver came with them"
