"""The real esptool against the emulated ROM loader on a pty, and real MicroPython after it."""

from pathlib import Path

import pytest

from firmware.toolkit import loader
from firmware.toolkit.flashing import FIRST_S, Surroundings, flash
from firmware.toolkit.images import CHIPS, BadImage
from firmware.toolkit.loader import Found, Loader, LoaderFailed, WrongBoard
from firmware.toolkit.ports import NoPort
from tests.toolkit.conftest import Desk, Plug, image

ERASE = 0xD0


@pytest.mark.parametrize(("board", "chip"), [("esp32s3", "ESP32-S3"), ("esp32c3", "ESP32-C3")])
def test_esptool_recognises_a_chip_and_writes_its_image(
    plug: Plug, tmp_path: Path, board: str, chip: str
) -> None:
    one = plug(board)
    line, shares = Loader(one.port, lines=False), list[float]()
    found = line.identify()
    assert (found.chip, found.mac, found.flash_bytes) == (chip, "24:6f:0a:0b:0c:0d", 4 << 20)
    file = image(tmp_path / "image.bin", chip)
    line.write(file, CHIPS[chip].offset, shares.append)
    data = file.read_bytes()
    assert one.flash[: len(data)] == data
    assert len(set(shares)) > 5
    assert shares[-1] == 1.0


def test_a_blank_board_becomes_a_node(plug: Plug, desk: Desk) -> None:
    board = plug()
    file = image(desk.folder / "image.bin")
    work = desk.flash(board.port, image=file)
    data = file.read_bytes()
    assert board.flash[0x1000 : 0x1000 + len(data)] == data
    assert board.loader
    assert board.loader.erased == 1
    assert board.loader.stub is False
    assert (work.mac, work.chip) == ("24:6f:0a:0b:0c:0d", "ESP32")
    assert "main.py" in work.changed
    assert [share for _, share in desk.shown] == sorted(share for _, share in desk.shown)
    assert desk.shown[-1] == ("done", 1.0)
    assert not list((desk.folder / "cache" / "flash").glob("*.json"))


def test_a_torn_cable_is_told_and_taken_up_again(plug: Plug, desk: Desk) -> None:
    board = plug(link="port")
    file = image(desk.folder / "image.bin")
    assert board.loader
    board.loader.unplug_after = 150_000
    with pytest.raises(LoaderFailed, match="unplugged") as torn:
        desk.flash(board.port, image=file)
    assert "goes on where it stopped" in torn.value.advice
    assert board.flash[0x1000] == 0xE9
    board.unplug()
    board.unplug_after = None
    board.plug(desk.folder / "port")
    work = desk.flash(board.port, image=file)
    assert board.loader.erased == 0  # the new loader: nothing was erased again
    data = file.read_bytes()
    assert board.flash[0x1000 : 0x1000 + len(data)] == data
    assert "stopped on" in work.resumed
    assert "when it was erased" in desk.told[-1]


def test_a_board_that_runs_the_right_micropython_keeps_its_files(plug: Plug, desk: Desk) -> None:
    board = plug(installed=True)
    desk.flash(board.port, image=image(desk.folder / "ESP32_GENERIC-20260824-v1.29.0.bin"))
    assert board.loader
    assert board.loader.seen == []
    work = desk.flash(board.port, image=image(desk.folder / "OWN-v1.29.1.bin"), dry=True)
    assert work.running is None, "another release is wanted"
    assert work.found


def test_a_board_that_is_another_node_of_the_batch_is_left_as_it_is(plug: Plug, desk: Desk) -> None:
    board = plug(installed=True)
    with pytest.raises(WrongBoard, match="this board is 5-1-a already"):
        desk.flash(board.port, others={"24:6f:0a:0b:0c:0d": "5-1-a"})
    assert desk.flash(board.port, others={"24:6f:0a:0b:0c:0d": "3-2-a"}, dry=True).mac


def test_a_board_is_begun_anew_where_that_is_asked_for(plug: Plug, desk: Desk) -> None:
    board = plug(installed=True)
    work = desk.flash(board.port, image=image(desk.folder / "image.bin"), erase=True)
    assert board.loader
    assert board.loader.erased == 1
    assert "main.py" in work.changed


def test_a_cable_torn_while_copying_costs_only_what_was_not_copied(plug: Plug, desk: Desk) -> None:
    board = plug(installed=True, link="port")
    copied: list[float] = []

    def tear(name: str, share: float) -> None:
        if name == "application" and board.lives:
            copied.append(share)
            if len(copied) == 20:
                board.unplug()

    around = Surroundings(desk.folder / "cache", list, None, desk.told.append)
    with pytest.raises(NoPort, match="unplugged"):
        flash(desk.order(board.port), around, tear)
    board.plug(desk.folder / "port")
    work = desk.flash(board.port)
    assert 0 < len(work.changed) < len(work.application)


def test_a_board_that_is_slow_to_start_is_not_taken_for_an_empty_one(plug: Plug, desk: Desk) -> None:
    """Its spool would be lost: one question for the loader is noise to MicroPython."""
    board = plug(installed=True, late=2 * FIRST_S)
    work = desk.flash(board.port)
    assert board.loader
    assert board.loader.seen == []
    assert work.changed


@pytest.mark.parametrize(
    ("board", "flash_mib", "words"),
    [
        ("esp32", 2, "2 MiB of flash, 4 are needed"),
        ("esp32-d2wd", 4, "ESP32-D2WD"),
        ("esp32-pico-v3-02", 4, "SPIRAM inside"),
        ("esp32-d0wdr2-v3", 4, "SPIRAM inside"),
        ("esp32s3-psram", 4, "octal SPIRAM"),
    ],
)
def test_a_board_that_the_image_cannot_run_on_is_refused(
    plug: Plug, board: str, flash_mib: int, words: str
) -> None:
    one = plug(board, flash_mib)
    found = Loader(one.port, lines=False).identify()
    with pytest.raises(WrongBoard, match=words) as refused:
        loader.suited(found, one.port, own_image=False)
    assert "IMAGE=" in refused.value.advice
    loader.suited(found, one.port, own_image=True)


def test_a_chip_that_gongi_does_not_run_on_is_refused() -> None:
    with pytest.raises(WrongBoard, match="ESP8266"):
        loader.suited(Found("ESP8266", "ESP8266EX", "", "00", 4 << 20), "COM3", own_image=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: image(path, "ESP32-S3"), "for an ESP32-S3, the board has an ESP32"),
        (lambda path: path.write_bytes(b"PK" + bytes(4000)), "begins with 0x50, not 0xE9"),
        (lambda path: image(path, size=4 << 20), "doesn't fit into 4 MiB"),
    ],
)
def test_a_wrong_image_is_refused_before_anything_is_erased(
    plug: Plug, desk: Desk, spoil, words: str
) -> None:  # type: ignore[no-untyped-def]
    board = plug()
    spoil(desk.folder / "image.bin")
    with pytest.raises(BadImage, match=words):
        desk.flash(board.port, image=desk.folder / "image.bin")
    assert board.loader
    assert ERASE not in board.loader.seen
    assert 0x10 not in board.loader.seen


def test_a_loader_that_refuses_the_stub_is_a_problem_with_a_way_out(plug: Plug) -> None:
    board = plug()
    assert board.loader
    board.loader.refuse_stub = True
    with pytest.raises(LoaderFailed) as failed:
        Loader(board.port, lines=False).identify()
    assert failed.value.advice


@pytest.mark.parametrize(
    ("said", "what", "advice"),
    [
        (
            "Failed to connect to ESP32: No serial data received.",
            "no loader",
            "hold BOOT",
        ),
        (
            "Failed to connect to ESP32: Wrong boot mode detected (0x13)!",
            "program",
            "BOOT",
        ),
        (
            "the port is busy or doesn't exist.\n([Errno 16] Device or resource busy",
            "can't be opened",
            "close",
        ),
        ("Invalid head of packet (0x46): Possible serial noise or corruption.", "noisy", "115200"),
        ("MD5 of file does not match data in flash!", "not what the flash holds", "repeat"),
        ("/usr/bin/python: No module named esptool", "missing", "pip install"),
        ("Something new\nError: never seen", "never seen", "repeat"),
    ],
)
def test_what_esptool_says_becomes_one_sentence(said: str, what: str, advice: str) -> None:
    problem = loader.failure(said, "COM3")
    assert what in problem.what
    assert advice in problem.advice
