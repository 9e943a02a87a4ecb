"""The build guide's pages are what the boards' table says, and that table what the chips have."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from firmware.toolkit import guide, modules
from firmware.toolkit.application import drivers
from firmware.toolkit.boards import BOARDS, Board
from firmware.toolkit.images import CHIPS

FOLDER = Path(__file__).parents[2] / "docs" / "build"
# By the chips' data sheets: what isn't there, is the flash's, the USB's or the console's, and what chooses
# how the chip starts (the button may: it is the boards' BOOT).
TAKEN = {
    "ESP32": {1, 3, *range(6, 12), 20, 24, *range(28, 32), *range(34, 40), 0, 5, 12, 15},
    "ESP32-S3": {19, 20, *range(22, 38), 43, 44, 0, 3, 45, 46},
    "ESP32-C3": {*range(11, 22), 2, 8, 9},
}
LAST = {"ESP32": 39, "ESP32-S3": 48, "ESP32-C3": 21}
I2CS = {"ESP32": 2, "ESP32-S3": 2, "ESP32-C3": 1}
UARTS = {"ESP32": 3, "ESP32-S3": 3, "ESP32-C3": 2}


def test_the_committed_pages_are_the_generated_ones() -> None:
    made = guide.pages()
    for name, text in made.items():
        assert (FOLDER / name).read_text("utf-8") == text, (
            f"python -m firmware.toolkit.guide docs/build ({name})"
        )
    for lang, name in guide.FLASH.items():
        page = (FOLDER / name).read_text("utf-8")
        assert guide.pin_table(lang) in page
        assert guide.filled(page, lang) == page
    drawings = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.svg")}
    assert drawings == {name for name in made if name.endswith(".svg")}


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.id)
def test_a_board_s_pins_are_its_chip_s(board: Board) -> None:
    pins = [pin for bus in board.buses.values() for pin in bus.pins.values()] + [board.output, board.led]
    assert len({*pins, board.button}) == len(pins) + 1, "no pin serves twice"
    assert not TAKEN[board.chip].intersection(pins)
    assert max(pins) <= LAST[board.chip]
    assert all(bus.number < UARTS[board.chip] for name, bus in board.buses.items() if "uart" in name)
    assert all(bus.number < I2CS[board.chip] for name, bus in board.buses.items() if "i2c" in name)
    assert all(bus.number > 0 for name, bus in board.buses.items() if "uart" in name), "0 is the console"


def test_every_chip_has_its_board_and_every_sensor_its_module() -> None:
    assert BOARDS.keys() == CHIPS.keys()
    assert set(drivers()) == set(modules.MODULES) | set(modules.SAME)


def test_every_sensor_is_drawn_on_every_bus_of_every_board() -> None:
    made = guide.pages()
    for board in BOARDS.values():
        for kind, buses in drivers().items():
            for bus in (bus for bus in board.buses if bus.rstrip("12") in buses and kind in modules.MODULES):
                text = made[f"wiring/{board.id}-{kind}-{bus}.svg"]
                assert all(f">GPIO{pin}<" in text for pin in board.buses[bus].pins.values())
        for name, kinds in modules.NODES.items():
            assert all(modules.MODULES[kind].name in made[f"wiring/{board.id}-{name}.svg"] for kind in kinds)
        assert f">GPIO{board.output}<" in made[f"wiring/{board.id}-actuator.svg"]
    for name in guide.PAGES.values():
        assert all(f"]({path})" in made[name] for path in made if path.endswith(".svg"))


def test_tx_and_rx_cross() -> None:
    part = guide.sensor(modules.MODULES["pms5003"], BOARDS["ESP32-C3"], "uart1")
    assert [(wire.ours, wire.theirs) for wire in part.wires] == [
        ("5V", "1 VCC"),
        ("GND", "2 GND"),
        ("GPIO5", "4 RX"),
        ("GPIO4", "5 TX"),
    ]


def test_the_drawings_are_whole() -> None:
    for name, text in guide.pages().items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(text).get("aria-label")
