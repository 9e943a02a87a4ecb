"""The pages of the build guide that follow from the boards' table: pins and drawings, in two languages.

python -m firmware.toolkit.guide docs/build
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from firmware.toolkit.application import drivers
from firmware.toolkit.boards import BOARDS, Board
from firmware.toolkit.drawing import Part, Wire, drawing
from firmware.toolkit.modules import BUTTON, CONTROL, LAMP, MODULES, NODES, SAME, Module
from firmware.toolkit.selftest import ADDRESSES

LANGUAGES = ("en", "ko")
PAGES = {"en": "pins.md", "ko": "pins.ko.md"}
FLASH = {"en": "flash.md", "ko": "flash.ko.md"}
MARKS = ("<!-- pins: python -m firmware.toolkit.guide docs/build -->", "<!-- end of pins -->")


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says in one language; `{}` are filled in."""

    title: str
    intro: str
    pins: str
    head: str
    crossed: str
    boards: str
    also: str
    lamp: str
    wrover: str
    nodes: str
    node: tuple[str, ...]
    sensors: str
    same: str
    module: str
    actuator: str
    control: str


WORDS = {
    "en": Words(
        title="Pins and wiring",
        intro="This page and its drawings are generated from the table that the cable writes into each board "
        "(`firmware/toolkit/boards.py`); a test holds them equal. [한국어](pins.ko.md)",
        pins="Pins",
        head="| | signal of the board |",
        crossed="TX and RX are the board's: TX goes to the sensor's RX, RX to its TX. The first sensor "
        "with a UART is on `uart1`, the second on `uart2`; I²C sensors with different addresses share "
        "`i2c1`. `--sensor sps30:S-1:i2c2` names another bus.",
        boards="Boards",
        also="with the same pins: {}",
        lamp="no plain lamp on the board: an LED with 330 Ω from GPIO{} to GND shows the [lamp's codes]"
        "(../lamp.md)",
        wrover="An ESP32-WROVER has no GPIO16 and 17: take a WROOM.",
        nodes="Nodes of the bill of materials",
        node=("Classroom: PMS5003 and SCD4x", "Outdoors: PMS5003 and SHT4x"),
        sensors="Sensors",
        same="Wired alike: {}.",
        module="Measures {measures}; {supply}, at most {current} mA{address}. {note}",
        actuator="Actuator",
        control="The output is a PWM signal of 25 kHz and 3.3 V: none at level 0, whole at the highest. It "
        "drives the low-voltage control input of a certified device: a converter of PWM to 0–10 V, or, with "
        "two levels, the 3.3 V input of a certified relay module. **Never mains.** A press of the button "
        "takes the next level by hand.",
    ),
    "ko": Words(
        title="핀 배치와 배선",
        intro="이 문서와 그림은 케이블이 보드마다 기록하는 표(`firmware/toolkit/boards.py`)에서 생성되며, "
        "서로 같은지 테스트가 확인합니다. [English](pins.md)",
        pins="핀",
        head="| | 보드의 신호 |",
        crossed="TX와 RX는 보드 기준입니다. TX는 센서의 RX에, RX는 센서의 TX에 연결합니다. UART 센서는 "
        "첫째가 `uart1`, 둘째가 `uart2`이고, 주소가 다른 I²C 센서는 `i2c1`을 함께 씁니다. 다른 버스는 "
        "`--sensor sps30:S-1:i2c2`처럼 지정합니다.",
        boards="보드",
        also="핀이 같은 보드: {}",
        lamp="보드에 단순 LED가 없음: GPIO{}에서 330 Ω 저항과 LED를 거쳐 GND로 이으면 "
        "[상태 표시](../lamp.md)를 볼 수 있음",
        wrover="ESP32-WROVER에는 GPIO16과 17이 없으므로 WROOM을 사용하세요.",
        nodes="부품 목록의 측정기",
        node=("교실용: PMS5003과 SCD4x", "실외용: PMS5003과 SHT4x"),
        sensors="센서",
        same="배선이 같은 센서: {}.",
        module="측정: {measures}. 전원 {supply}, 최대 {current} mA{address}. {note}",
        actuator="제어기",
        control="출력은 25 kHz, 3.3 V PWM 신호로, 0단계에서는 꺼지고 최고 단계에서는 계속 켜집니다. 인증된 "
        "기기의 저전압 제어 입력(PWM→0–10 V 변환기, 2단계라면 인증된 릴레이 모듈의 3.3 V 입력)에 연결합니다. "
        "**상용 전원(220 V)에는 절대 연결하지 않습니다.** 버튼을 누르면 수동으로 다음 단계가 됩니다.",
    ),
}


def pages() -> dict[str, str]:
    """Every file of the guide that is wholly generated, by its path in the guide's folder."""
    made = {PAGES[lang]: page(lang) for lang in LANGUAGES}
    for board in BOARDS.values():
        made |= {path: drawing(board, parts) for path, parts in drawn(board)}
    return made


def drawn(board: Board) -> Iterator[tuple[str, list[Part]]]:
    """The drawings of a board: each sensor on each bus it may hang on, whole nodes, the actuator."""
    for kind, module, bus in fits(board):
        yield f"wiring/{board.id}-{kind}-{bus}.svg", [sensor(module, board, bus)]
    for name, kinds in NODES.items():
        parts = [sensor(MODULES[kind], board, f"{drivers()[kind][0]}1") for kind in kinds]
        yield f"wiring/{board.id}-{name}.svg", [*parts, *_lamp(board)]
    control = Part(*CONTROL, (_wire("out", board.output, "IN"), _ground("GND")))
    button = Part(*BUTTON, (_wire("button", board.button, "1"), _ground("2")))
    yield f"wiring/{board.id}-actuator.svg", [control, button, *_lamp(board)]


@cache
def paths() -> frozenset[str]:
    """Every drawing's path."""
    return frozenset(path for board in BOARDS.values() for path, _ in drawn(board))


def fits(board: Board) -> Iterator[tuple[str, Module, str]]:
    """Each sensor type with each bus of a board that it may hang on."""
    for kind, module in MODULES.items():
        for bus in board.buses:
            if bus.rstrip("0123456789") in drivers()[kind]:
                yield kind, module, bus


def sensor(module: Module, board: Board, bus: str) -> Part:
    """A sensor with its wires to a board's bus."""
    supply = [Wire(name, name, module.pins[name]) for name in (module.supply, "GND")]
    signals = [_wire(name, pin, module.pins[name]) for name, pin in board.buses[bus].pins.items()]
    strap = [_ground(module.strap)] if module.strap and bus.startswith("i2c") else []
    return Part(module.name, bus, (*supply, *signals, *strap))


def _lamp(board: Board) -> list[Part]:
    wires = (_wire("led", board.led, "330 Ω → LED +"), _ground("LED −"))
    return [] if board.own_lamp else [Part(*LAMP, wires)]


def _wire(signal: str, pin: int, theirs: str) -> Wire:
    return Wire(signal, f"GPIO{pin}", theirs)


def _ground(theirs: str) -> Wire:
    return Wire("GND", "GND", theirs)


def page(lang: str) -> str:
    """The page of pins and drawings in one language."""
    words = WORDS[lang]
    same = words.same.format(", ".join(f"`{kind}` = `{other}`" for kind, other in SAME.items()))
    boards = "\n".join(_board(board, words) for board in BOARDS.values())
    nodes = "\n".join(_pictures(title, name) for title, name in zip(words.node, NODES, strict=True))
    sensors = "\n".join(_section(kind, module, lang) for kind, module in MODULES.items())
    parts = (
        f"# {words.title}\n\n{words.intro}",
        f"## {words.pins}\n\n{pin_table(lang)}\n\n{words.crossed}",
        f"## {words.boards}\n\n{boards}\n\n{words.wrover}",
        f"## {words.nodes}\n\n{nodes}",
        f"## {words.actuator}\n\n{words.control}\n\n{_gallery('actuator')}",
        f"## {words.sensors}\n\n{same}\n\n{sensors}",
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def pin_table(lang: str) -> str:
    """The table of pins: a column per board."""
    boards = list(BOARDS.values())
    head = WORDS[lang].head + "".join(f" {board.short} |" for board in boards)
    rows = [
        f"| `{bus}` | {signal.upper()} | " + " | ".join(_pin(board, bus, signal) for board in boards) + " |"
        for bus, one in boards[0].buses.items()
        for signal in one.pins
    ]
    for name in ("output", "button", "led"):
        rows.append(f"| {name} | | " + " | ".join(f"GPIO{board.pins()[name]}" for board in boards) + " |")
    return "\n".join((head, "|" + "---|" * (2 + len(boards)), *rows))


def _pin(board: Board, bus: str, signal: str) -> str:
    return f"GPIO{board.buses[bus].pins[signal]}" if bus in board.buses else "–"


def _board(board: Board, words: Words) -> str:
    lamp = "" if board.own_lamp else "; " + words.lamp.format(board.led)
    return f"- **{board.name}**: {words.also.format(board.also)}{lamp}."


def _section(kind: str, module: Module, lang: str) -> str:
    address = f", I²C 0x{ADDRESSES[kind]:02x}" if kind in ADDRESSES else ""
    supply = {"5V": "5 V", "3V3": "3.3 V"}[module.supply]
    n = LANGUAGES.index(lang)
    told = WORDS[lang].module.format(
        measures=module.measures[n],
        supply=supply,
        current=module.current_ma,
        address=address,
        note=module.note[n],
    )
    buses = dict.fromkeys(bus for one in BOARDS.values() for name, _, bus in fits(one) if name == kind)
    galleries = "\n\n".join(f"`{bus}`\n\n{_gallery(f'{kind}-{bus}')}" for bus in buses)
    return f"### {module.name} (`{kind}`)\n\n{told.strip()}\n\n{galleries}\n"


def _pictures(title: str, name: str) -> str:
    return f"### {title}\n\n{_gallery(name)}\n"


def _gallery(name: str) -> str:
    """The drawings of that name, a board after the other."""
    there = [board for board in BOARDS.values() if f"wiring/{board.id}-{name}.svg" in paths()]
    return "\n".join(f"![{board.short}: {name}](wiring/{board.id}-{name}.svg)" for board in there)


def filled(text: str, lang: str) -> str:
    """A hand-written page with its table of pins made anew."""
    first, last = MARKS
    return re.sub(
        f"{re.escape(first)}.*?{re.escape(last)}",
        lambda match: f"{first}\n\n{pin_table(lang)}\n\n{last}",
        text,
        flags=re.DOTALL,
    )


def write(folder: Path) -> Sequence[Path]:
    """Write the pages into a folder; what it no longer generates is removed from `wiring/`."""
    (folder / "wiring").mkdir(parents=True, exist_ok=True)
    made = pages()
    made |= {name: filled((folder / name).read_text("utf-8"), lang) for lang, name in FLASH.items()}
    for path in set((folder / "wiring").glob("*.svg")) - {folder / name for name in made}:
        path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in made]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
