"""The build guide's pages are what the firmware's tables say."""

from pathlib import Path
from xml.etree import ElementTree

from firmware.toolkit import guide
from firmware.toolkit.application import drivers, pins

FOLDER = Path(__file__).parents[2] / "docs" / "build"


def test_the_committed_pages_are_the_generated_ones() -> None:
    made = guide.pages()
    for name, text in made.items():
        assert (FOLDER / name).read_text("utf-8") == text, (
            f"python -m firmware.toolkit.guide docs/build ({name})"
        )
    assert {path.name for path in FOLDER.glob("*.svg")} == {name for name in made if name.endswith(".svg")}


def test_every_sensor_has_its_wires_and_no_pin_serves_twice() -> None:
    assert set(drivers()) == set(guide.MODULES) | set(guide.SAME)
    used = [pin for one in pins().values() for pin in one.values()] + list(guide.outputs().values())
    assert len(used) == len(set(used))
    rows = guide.wires("pms5003", "uart2")
    assert ("rx", f"GPIO{pins()['uart2']['rx']}", "5 TX") in rows
    assert ("5V", "5V", "1 VCC") in rows


def test_the_drawings_are_whole() -> None:
    for name, text in guide.pages().items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(text).get("aria-label")
