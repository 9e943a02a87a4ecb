"""Plots as inline SVG: marks over two labelled axes, one row of a table per kind of mark."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from edge.readings import Array

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 14, 44
TICKS = 5
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Marks:
    """A series: `kind` of `DRAWN`, its points [x, y], the class that colours it, and its name in the key."""

    kind: str
    x: Array
    y: Array
    style: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its label, the range that it shows, what its ticks say (numbers by default), whether it
    is logarithmic, and whether only whole numbers are marked."""

    label: str
    low: float
    high: float
    say: Callable[[float], str] = "{:g}".format
    log: bool = False
    whole: bool = False

    def __call__(self, value: Array | float, begin: float, end: float) -> Array:
        """Where values lie between two ends [px]."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        place: Array = begin + (self._scaled(value) - low) / (high - low) * (end - begin)
        return place

    def _scaled(self, value: Array | float) -> Array:
        scaled: Array = np.log10(value) if self.log else np.asarray(value, np.float64)
        return scaled

    def ticks(self) -> list[float]:
        """Round numbers within the range."""
        if self.log:
            return [t for t in (1.0, 2, 4, 7, 14, 30, 60, 90, 180) if self.low <= t <= self.high]
        raw = (self.high - self.low) / TICKS
        size = 10.0 ** np.floor(np.log10(raw))
        step = next(size * s for s in STEPS if size * s >= raw)
        step = max(1.0, float(np.ceil(step))) if self.whole else step
        first = np.ceil(self.low / step - 1e-9) * step
        return [float(first + n * step) for n in range(int((self.high - first) / step + 1e-6) + 1)]


def around(*cells: Array, least: float = 1.0) -> tuple[float, float]:
    """A range that holds all values, a little wider."""
    known = np.concatenate([part[np.isfinite(part)] for part in cells]) if cells else np.zeros(0)
    if not known.size:
        return 0.0, least
    low, high = float(known.min()), float(known.max())
    room = max((high - low) * 0.04, least * 0.01)
    return low - room, max(high + room, low + least)


def plot(title: str, x: Axis, y: Axis, marks: Sequence[Marks]) -> str:
    """A figure with a key; `title` is what a screen reader says."""
    drawn = "".join(DRAWN[one.kind](one, *_placed(one, x, y)) for one in marks)
    key = "".join(f'<span class="key {one.style}">{escape(one.name)}</span>' for one in marks if one.name)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(_axes(x, y))}{drawn}</svg><p>{key}</p></figure>"
    )


def _placed(one: Marks, x: Axis, y: Axis) -> tuple[Array, Array]:
    return x(one.x, LEFT, WIDTH - RIGHT), y(one.y, HEIGHT - BOTTOM, TOP)


def _axes(x: Axis, y: Axis) -> Iterator[str]:
    for tick in x.ticks():
        at = float(x(tick, LEFT, WIDTH - RIGHT))
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        spot = f'x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle"'
        yield f"<text {spot}>{escape(x.say(tick))}</text>"
    for tick in y.ticks():
        at = float(y(tick, HEIGHT - BOTTOM, TOP))
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(y.say(tick))}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="label" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>'
    height = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="translate(13 {height}) rotate(-90)" text-anchor="middle"'
    yield f'<text class="label" {turned}>{escape(y.label)}</text>'


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(a + b))


def _dots(one: Marks, x: Array, y: Array) -> str:
    known = np.isfinite(x + y)
    # One path of round caps: thousands of circles would make the page heavy.
    path = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(x[known], y[known], strict=True))
    return f'<path class="dots {one.style}" d="{path}"/>'


def _bars(one: Marks, x: Array, y: Array) -> str:
    wide = 0.7 * (WIDTH - LEFT - RIGHT) / max(x.size, 1)
    foot = HEIGHT - BOTTOM
    return "".join(
        f'<rect class="bar {one.style}" x="{a - wide / 2:.1f}" y="{b:.1f}" width="{wide:.1f}" '
        f'height="{max(foot - b, 0):.1f}"/>'
        for a, b in zip(x, y, strict=True)
        if np.isfinite(a + b)
    )


DRAWN: Mapping[str, Callable[[Marks, Array, Array], str]] = {
    "dots": _dots,
    "bars": _bars,
    "line": lambda one, x, y: f'<polyline class="line {one.style}" points="{_points(x, y)}"/>',
    "beads": lambda one, x, y: (
        f'<polyline class="line {one.style}" points="{_points(x, y)}"/>'
        + "".join(
            f'<circle class="{one.style}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>'
            for a, b in zip(x, y, strict=True)
            if np.isfinite(a + b)
        )
    ),
}
"""How each kind of mark is drawn."""
