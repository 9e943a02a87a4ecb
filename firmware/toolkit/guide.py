"""The pages of the build guide that follow from the firmware's own tables: pins, bills of material, drawings.

python -m firmware.toolkit.guide docs/build
"""

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from firmware.toolkit.application import FIRMWARE, drivers, pins
from firmware.toolkit.selftest import ADDRESSES

BOARD = "ESP32 DevKitC (ESP32-WROOM-32E)"
COLOURS = {"5V": "#c0392b", "3V3": "#d35400", "GND": "#2c3e50", "tx": "#1f77b4", "rx": "#2e8b57"}
COLOURS |= {"scl": "#1f77b4", "sda": "#2e8b57"}


@dataclass(frozen=True, slots=True)
class Module:
    """A sensor as it is bought: its supply, highest current [mA] and its pins by our signals."""

    name: str
    measures: str
    supply: str
    current_ma: int
    pins: Mapping[str, str]
    note: str = ""


# `tx` and `rx` are the board's, so the sensor's own stand crossed.
PLANTOWER = {"5V": "1 VCC", "GND": "2 GND", "tx": "4 RX", "rx": "5 TX"}
PLANTOWER_NOTE = "SET and RESET stay open. Its signals are of 3.3 V, its fan needs 5 V."
SCD = {"3V3": "VDD", "GND": "GND", "scl": "SCL", "sda": "SDA"}
MODULES = {
    "pms5003": Module("Plantower PMS5003", "PM", "5V", 100, PLANTOWER, PLANTOWER_NOTE),
    "pms7003": Module(
        "Plantower PMS7003",
        "PM",
        "5V",
        100,
        {"5V": "1 VCC", "GND": "3 GND", "tx": "7 RX", "rx": "9 TX"},
        PLANTOWER_NOTE,
    ),
    "sds011": Module(
        "Nova SDS011",
        "PM",
        "5V",
        80,
        {"5V": "5V", "GND": "GND", "tx": "RXD", "rx": "TXD"},
        "Its PWM pins stay open.",
    ),
    "sps30": Module(
        "Sensirion SPS30",
        "PM",
        "5V",
        80,
        {"5V": "1 VDD", "GND": "5 GND", "tx": "2 RX", "rx": "3 TX", "sda": "2 SDA", "scl": "3 SCL"},
        "Pin 4 (SEL) is open for UART, on GND for I²C, which wants 10 kΩ from SDA and SCL to 3.3 V.",
    ),
    "scd4x": Module(
        "Sensirion SCD40/SCD41", "CO₂, temperature, humidity", "3V3", 205, SCD, "A breakout has the pull-ups."
    ),
    "sht4x": Module(
        "Sensirion SHT4x", "temperature, humidity", "3V3", 1, SCD, "A breakout has the pull-ups."
    ),
}
SAME = {"scd40": "scd4x", "scd41": "scd4x", "sht40": "sht4x", "sht41": "sht4x", "sht45": "sht4x"}


def outputs() -> dict[str, int]:
    """The actuator's pins, from the firmware's own table."""
    for node in ast.parse((FIRMWARE / "esp32" / "board_esp32.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(OUTPUT, BUTTON, LED)":
            return dict(zip(("output", "button", "led"), ast.literal_eval(node.value), strict=True))
    raise AssertionError("board_esp32.py has OUTPUT, BUTTON, LED")


def pages() -> dict[str, str]:
    """Every generated file of the guide, by its name."""
    made = {"pins.md": pin_page()}
    for kind, buses in drivers().items():
        if kind in MODULES:
            made |= {f"{kind}-{bus}.svg": drawing(kind, f"{bus}1") for bus in buses}
    return made


def pin_page() -> str:
    """The table of pins, and each sensor's bill and drawing."""
    rows = [
        f"| `{bus}` | {signal.upper()} | GPIO{pin} |"
        for bus, one in pins().items()
        for signal, pin in one.items()
    ]
    rows += [f"| actuator | {name} | GPIO{pin} |" for name, pin in outputs().items()]
    parts = "".join(_section(kind, buses) for kind, buses in drivers().items() if kind in MODULES)
    same = ", ".join(f"`{kind}` as `{other}`" for kind, other in SAME.items())
    return f"""\
# Pins and wiring · 핀 배치와 배선

This page and its drawings are generated from the table that the firmware uses
(`python -m firmware.toolkit.guide docs/build`); a test holds them equal. Board: {BOARD}.

## Pins · 핀

| bus | signal of the board | pin |
|---|---|---|
{chr(10).join(rows)}

TX and RX are the board's: TX goes to the sensor's RX, RX to its TX. A second sensor of a kind goes on the
second bus (`uart2`, `i2c2`); I²C sensors with different addresses share one bus.

## Sensors · 센서

Wired alike: {same}.
{parts}"""


def _section(kind: str, buses: tuple[str, ...]) -> str:
    one = MODULES[kind]
    supply = one.supply.replace("5V", "5 V").replace("3V3", "3.3 V")
    address = f", I²C address 0x{ADDRESSES[kind]:02x}" if kind in ADDRESSES else ""
    images = "\n\n".join(f"![{one.name} on {bus}1]({kind}-{bus}.svg)" for bus in buses)
    return f"""
### {one.name} (`{kind}`)

Measures {one.measures}; {supply}, at most {one.current_ma} mA{address}. {one.note}

{images}
"""


def wires(kind: str, bus: str) -> list[tuple[str, str, str]]:
    """Each wire of a sensor on a bus: signal, the board's pin, the sensor's."""
    one, table = MODULES[kind], pins()[bus]
    supply = [(name, name, one.pins[name]) for name in (one.supply, "GND")]
    made = supply + [(name, f"GPIO{pin}", one.pins[name]) for name, pin in table.items()]
    return [*made, ("GND", "GND", "4 SEL")] if kind == "sps30" and bus.startswith("i2c") else made


def drawing(kind: str, bus: str) -> str:
    """The wiring of one sensor as SVG."""
    rows = wires(kind, bus)
    height = 96 + 44 * len(rows)
    lines = [_line(n, *row) for n, row in enumerate(rows)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" font-family="sans-serif" '
            f'font-size="15" role="img" aria-label="{escape(MODULES[kind].name)} on {bus}">',
            f'<rect width="640" height="{height}" fill="#ffffff"/>',
            _box(20, height, "ESP32 DevKitC", bus),
            _box(440, height, MODULES[kind].name, kind),
            *lines,
            "</svg>",
            "",
        )
    )


def _box(x: int, height: int, title: str, under: str) -> str:
    return (
        f'<rect x="{x}" y="12" width="180" height="{height - 24}" rx="8" fill="#f4f6f8" stroke="#5f6b76"/>'
        f'<text x="{x + 90}" y="36" text-anchor="middle" font-weight="bold" fill="#1b2228">'
        f"{escape(title)}</text>"
        f'<text x="{x + 90}" y="56" text-anchor="middle" font-size="13" fill="#5f6b76">{escape(under)}</text>'
    )


def _line(n: int, signal: str, ours: str, theirs: str) -> str:
    y = 88 + 44 * n
    colour = COLOURS[signal]
    return (
        f'<line x1="200" y1="{y}" x2="440" y2="{y}" stroke="{colour}" stroke-width="4"/>'
        f'<circle cx="200" cy="{y}" r="6" fill="{colour}"/><circle cx="440" cy="{y}" r="6" fill="{colour}"/>'
        f'<text x="188" y="{y + 5}" text-anchor="end" fill="#1b2228">{escape(ours)}</text>'
        f'<text x="452" y="{y + 5}" fill="#1b2228">{escape(theirs)}</text>'
        f'<text x="320" y="{y - 8}" text-anchor="middle" font-size="13" fill="{colour}">'
        f"{signal.upper()}</text>"
    )


def main() -> None:
    """Write the pages into the folder that is given."""
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
