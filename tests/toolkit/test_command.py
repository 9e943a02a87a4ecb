"""`gongi flash` as a technician calls it."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from firmware.toolkit.register import newest
from gateway.command import main
from tests.servers import wait_until
from tests.toolkit.board import Board
from tests.toolkit.conftest import GONGI, Desk, Plug, image

CALL = ("--no-wait", "--no-self-test", "--json")
SENSORS = ("--sensor", "pms5003:P-1", "--sensor", "scd4x:S-1")


def problem(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is False
    return dict(told["problem"])


def test_a_dry_run_changes_nothing(desk: Desk, plug: Plug) -> None:
    board = plug(installed=True)
    before = (bytes(board.flash), sorted(path.name for path in desk.folder.iterdir()))
    done = desk.gongi("--node", "3-2-a", "--site", "hana", *SENSORS, "--port", board.port, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "ESP32 24:6f:0a:0b:0c:0d" in done.stderr
    assert "nothing was changed" in done.stderr
    assert (bytes(board.flash), sorted(path.name for path in desk.folder.iterdir())) == before


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ((), 2, "either --node or --batch"),
        (("--node", "3-2-a"), 1, "where does 3-2-a stand?"),
        (("--node", "3-2-a", "--site", "hana"), 1, "which sensors does 3-2-a carry?"),
        (("--node", "3 2 a", "--site", "hana"), 1, "1 to 32 of a-z"),
        (("--node", "a", "--site", "hana", *SENSORS), 1, "GONGI_URL is not set"),
        (("--node", "a", "--site", "hana", *SENSORS, "--no-wait", "--port", "COM99"), 1, "no such port"),
        (("--node", "a", "--site", "hana", *SENSORS, "--wifi", "x.toml"), 1, "x.toml: there is no such file"),
    ],
)
def test_a_call_that_lacks_something_says_what(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("GONGI_CACHE", str(desk.folder / "cache"))
    monkeypatch.delenv("GONGI_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["flash", *call])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (status, "")
    assert words in said.err


def test_a_problem_is_told_as_json_too(desk: Desk) -> None:
    told = problem(desk.gongi("--node", "a", "--site", "hana", *SENSORS, *CALL, "--port", "COM99"))
    assert told["what"] == "there is no such port"
    assert told["where"] == "COM99"


def test_an_actuator_of_the_network_file_is_flashed_as_one(desk: Desk, plug: Plug) -> None:
    school = Path(__file__).parents[2] / "examples" / "school" / "network.toml"
    board = plug(installed=True)
    done = desk.gongi("--node", "3-2-p", "--network", str(school), "--port", board.port, *CALL)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["flashed"][0]
    assert (told["kind"], told["site"]) == ("actuator", "hana")


class Batch:
    """A running batch: what it says, line by line."""

    def __init__(self, desk: Desk, *call: str) -> None:
        self.said: list[str] = []
        self.port = desk.folder / "port"
        with (desk.folder / "out.json").open("wb") as out:
            self.process = self._start(desk, call, out)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _start(self, desk: Desk, call: tuple[str, ...], out: IO[bytes]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [GONGI, "flash", "--batch", "nodes.csv", "--port", str(self.port), *call, *CALL],
            cwd=desk.folder,
            env=os.environ | {"GONGI_CACHE": str(desk.folder / "cache")},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)

    def says(self, words: str) -> bool:
        return any(words in line for line in tuple(self.said))

    def swap(self, board: Board) -> None:
        """Pull a board out when that is asked for."""
        wait_until(lambda: self.says("pull the board out"), within_s=40)
        self.port.unlink()
        board.unplug()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stderr
        self.process.stderr.close()


@pytest.fixture
def batch(desk: Desk) -> Iterator[Callable[..., Batch]]:
    """Begin a batch over some lines."""
    begun: list[Batch] = []

    def begin(*lines: str, call: tuple[str, ...] = ()) -> Batch:
        (desk.folder / "nodes.csv").write_text("\n".join(("node,site,sensors", *lines, "")))
        begun.append(Batch(desk, *call))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


def test_a_batch_goes_from_board_to_board(desk: Desk, plug: Plug, batch: Callable[..., Batch]) -> None:
    one = batch("3-2-a,hana,pms5003:P-1 scd4x:S-1", "5-1-a,hana,pms5003:P-2 scd4x:S-2")
    wait_until(lambda: one.says("plug in the board for 3-2-a (1 of 2)"), within_s=20)
    first = plug(installed=True, link="port", mac="246f00000001")
    one.swap(first)
    wait_until(lambda: one.says("plug in the board for 5-1-a (2 of 2)"))
    plug(installed=True, link="port", mac="246f00000002")
    assert one.process.wait(40) == 0, one.said
    flashed = json.loads((desk.folder / "out.json").read_text())["flashed"]
    assert [entry["node"] for entry in flashed] == ["3-2-a", "5-1-a"]
    entries = newest(desk.folder / "flashed.csv")
    assert [entries[node]["mac"] for node in entries] == ["24:6f:00:00:00:01", "24:6f:00:00:00:02"]
    again = desk.gongi("--batch", "nodes.csv", *CALL)
    assert "0 of 2 are left" in again.stderr


def test_a_failed_board_of_a_batch_is_taken_again(
    desk: Desk, plug: Plug, batch: Callable[..., Batch]
) -> None:
    image(desk.folder / "image.bin", "ESP32-C3")
    one = batch("3-2-a,hana,scd4x:S-1", call=("--image", "image.bin"))
    first = plug("esp32", link="port")
    one.swap(first)
    wait_until(lambda: sum("plug in the board for 3-2-a (1 of 1)" in line for line in tuple(one.said)) == 2)
    plug("esp32c3", link="port")
    assert one.process.wait(60) == 0, one.said
    assert one.says("✗ 3-2-a")
    assert one.says("for an ESP32-C3, the board has an ESP32")
