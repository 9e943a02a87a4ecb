"""Which port is meant, what to do when there is none, and the same board under another name."""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from firmware.toolkit import ports
from firmware.toolkit.ports import BRIDGES, NoPort, Port, PortBusy, choose, find_again, unopened, without_port

CH340 = Port("/dev/ttyUSB0", 0x1A86, 0x7523, "", "1-2")
CP210X = Port("/dev/ttyUSB1", 0x10C4, 0xEA60, "0001", "1-3")
NATIVE = Port("/dev/ttyACM0", 0x303A, 0x1001, "24:6F:0A:0B:0C:0D", "1-4:1.0")
MOUSE = Port("/dev/ttyS9", 0x046D, 0xC077)


def test_the_only_board_is_meant() -> None:
    assert choose("", lambda: [MOUSE, CH340], None) == CH340


def test_a_named_port_is_meant_and_a_path_needs_no_table(tmp_path: Path) -> None:
    assert choose("/DEV/TTYUSB1", lambda: [CH340, CP210X], None) == CP210X
    pty = tmp_path / "pts-1"
    pty.touch()
    assert choose(str(pty), list, None) == Port(str(pty))
    assert choose("rfc2217://box:4000", list, None) == Port("rfc2217://box:4000")


def test_windows_and_macos_name_their_ports_in_two_ways() -> None:
    com = Port("COM12", 0x1A86, 0x7523)
    assert choose("com12", lambda: [com], None) == com
    callout = Port("/dev/cu.usbserial-0001", 0x10C4, 0xEA60)
    for name in ("/dev/tty.usbserial-0001", "/dev/cu.usbserial-0001"):
        assert choose(name, lambda: [callout], None) == callout


def test_a_port_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NoPort) as told:
        choose("COM7", lambda: [CH340], None)
    assert told.value.advice == "there is: /dev/ttyUSB0"


def test_of_several_boards_the_person_picks_one() -> None:
    def second(found: Sequence[Port]) -> Port:
        return found[1]

    assert choose("", lambda: [CH340, CP210X], second) == CP210X
    with pytest.raises(NoPort, match=r"2 boards are connected: /dev/ttyUSB0 \(CH340\), /dev/ttyUSB1") as told:
        choose("", lambda: [CH340, CP210X], None)
    assert "PORT=" in told.value.advice


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_without_a_board_each_system_has_its_advice(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(NoPort, match="no board is connected") as told:
        choose("", list, None)
    assert told.value.advice == ports.NO_PORT[platform]
    assert all(bridge.drivers[platform] for bridge in BRIDGES.values())


def test_a_bridge_that_brltty_took_away_is_found_on_the_usb(tmp_path: Path) -> None:
    for name, product, tty in (("1-2", "7523", False), ("1-3", "7523", True), ("usb1", "", False)):
        device = tmp_path / name
        (device / f"{name}:1.0" / ("ttyUSB0" if tty else "nothing")).mkdir(parents=True)
        (device / "idVendor").write_text("1a86\n")
        (device / "idProduct").write_text(f"{product}\n")
    (found,) = without_port(tmp_path)
    assert found.name == "CH340"
    assert "brltty" in found.drivers["linux"]


def test_a_board_is_found_again_under_another_name() -> None:
    back = Port(
        "/dev/ttyACM1", 0x303A, 0x4001, "246f0a0b0c0d", "2-9"
    )  # MicroPython's own USB, another socket
    assert find_again(NATIVE, lambda: [CH340, back]) == back
    moved = Port("/dev/ttyUSB7", 0x1A86, 0x7523, "", "1-2")
    assert find_again(CH340, lambda: [CP210X, moved]) == moved
    twins = (Port("COM3", 0x10C4, 0xEA60, "0001", "1-1"), Port("COM4", 0x10C4, 0xEA60, "0001", "1-2"))
    assert not twins[0].same(twins[1])  # cheap boards share a serial number
    with pytest.raises(NoPort, match="did not come back"):
        find_again(CH340, list, timeout_s=0.1)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), PortBusy, "dialout"),
        (OSError(errno.EBUSY, "Device or resource busy"), PortBusy, "another program"),
        (OSError("could not open port COM3: FileNotFoundError(2, …)"), NoPort, "plug the board in"),
        (
            OSError("could not open port 'COM3': PermissionError(13, 'Access…')"),
            PortBusy,
            "dialout",
        ),
        (OSError("[Errno 5] Input/output error"), PortBusy, "plug the board in again"),
    ],
)
def test_an_error_at_opening_has_its_advice(
    monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type, words: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    problem = unopened(CH340, error)
    assert isinstance(problem, kind)
    assert words in problem.advice


def test_a_port_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoPort), ports.opened(Port(str(tmp_path / "gone"))):
        pass


def test_the_present_ports_are_listed() -> None:
    assert all(port.vid is not None for port in ports.present())
