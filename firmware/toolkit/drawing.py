"""A wiring drawing as SVG: the board on the left, its parts on the right, a coloured line per wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from firmware.toolkit.boards import Board

WIDTH, LEFT, RIGHT, BOX = 640, 20, 400, 220
TOP, HEAD, ROW, GAP = 12, 64, 40, 20
INK, FAINT, PAPER = "#1b2228", "#5f6b76", "#f4f6f8"
COLOURS = {
    "5V": "#c0392b",
    "3V3": "#d35400",
    "GND": "#2c3e50",
    "tx": "#1f77b4",
    "rx": "#2e8b57",
    "scl": "#1f77b4",
    "sda": "#2e8b57",
    "out": "#8e44ad",
    "button": "#7d6608",
    "led": "#0e7490",
}


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire: its signal, the board's pin, the part's."""

    signal: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Part:
    """What hangs on the board: its name, a word below it, its wires."""

    name: str
    under: str
    wires: tuple[Wire, ...]

    @property
    def height(self) -> int:
        """Of its box."""
        return HEAD + ROW * len(self.wires) - 12


def drawing(board: Board, parts: Sequence[Part]) -> str:
    """The wiring of these parts."""
    inner = sum(part.height for part in parts) + GAP * (len(parts) - 1)
    height = inner + 2 * TOP
    title = escape(f"{board.short}: {', '.join(part.name for part in parts)}")
    lines = [_box(LEFT, TOP, inner, board.short, "USB")]
    y = TOP
    for part in parts:
        lines.append(_box(RIGHT, y, part.height, part.name, part.under))
        lines += [_line(y + HEAD + ROW * n, wire) for n, wire in enumerate(part.wires)]
        y += part.height + GAP
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'font-family="sans-serif" font-size="15" role="img" aria-label="{title}">',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *lines,
            "</svg>",
            "",
        )
    )


def _box(x: int, y: int, height: int, title: str, under: str) -> str:
    middle = x + BOX // 2
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{height}" rx="8" fill="{PAPER}" stroke="{FAINT}"/>'
        f'<text x="{middle}" y="{y + 22}" text-anchor="middle" font-weight="bold" fill="{INK}">'
        f"{escape(title)}</text>"
        f'<text x="{middle}" y="{y + 41}" text-anchor="middle" font-size="13" fill="{FAINT}">'
        f"{escape(under)}</text>"
    )


def _line(y: int, wire: Wire) -> str:
    colour, begin = COLOURS[wire.signal], LEFT + BOX
    return (
        f'<line x1="{begin}" y1="{y}" x2="{RIGHT}" y2="{y}" stroke="{colour}" stroke-width="4"/>'
        f'<circle cx="{begin}" cy="{y}" r="6" fill="{colour}"/>'
        f'<circle cx="{RIGHT}" cy="{y}" r="6" fill="{colour}"/>'
        f'<text x="{begin - 12}" y="{y + 5}" text-anchor="end" fill="{INK}">{escape(wire.ours)}</text>'
        f'<text x="{RIGHT + 12}" y="{y + 5}" fill="{INK}">{escape(wire.theirs)}</text>'
        f'<text x="{(begin + RIGHT) // 2}" y="{y - 8}" text-anchor="middle" font-size="13" fill="{colour}">'
        f"{wire.signal.upper()}</text>"
    )
