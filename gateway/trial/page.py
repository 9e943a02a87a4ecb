"""The comparison as one table and one picture: energy against hours above the limit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from gateway.calibration_page import STYLE
from gateway.trial.compare import MEASURES

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 20, 52
SHOWN = ("exposure", "above", "energy", "switches", "co2")
LEAST = 0.5
"""kWh at which the axis of energy begins: what draws less stands there."""
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
BESIDE = (-7, 17, -21)
"""Where a name stands above or below its point [px]: the first that is free."""
NEAR = 190
"""Two points nearer than this [px] must not write their names side by side."""
DRAWN = (
    "svg{--ink:#1c2430;--soft:#5b6675;--rule:#dfe3e8;--raw:#c2571a;--cv:#1769aa;font-family:sans-serif;"
    "background:#fff}text{font-size:11px;fill:var(--soft)}.name{font-size:12px;fill:var(--ink)}"
    ".grid{stroke:var(--rule)}.spread{stroke:var(--raw);stroke-width:1.2;opacity:.6}.raw{fill:var(--raw)}"
    ".cv{fill:var(--cv)}.ref{fill:var(--ink)}"
)


def page(found: Mapping[str, Any]) -> str:
    """The whole page, in English: it is a bench's."""
    title = "Ways to run a classroom's purifier and ventilator"
    said = f"{found['seeds']} seeds, {found['days']} days, outdoor air: {found['outdoor']} (simulated rooms)"
    body = "".join(f"<h2>{escape(world)} world</h2>{table(rows)}" for world, rows in found["worlds"].items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>"
        f'<p class="soft">{escape(said)}</p>{picture(found)}{body}</body></html>\n'
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Means and spreads over seeds."""
    head = "".join(f"<th>{name} {MEASURES[name]}</th>" for name in SHOWN)
    body = "".join(
        f"<tr><td>{escape(row['way'])}</td>"
        + "".join(f"<td>{row[name]['mean']:.2f} ± {row[name]['sd']:.2f}</td>" for name in SHOWN)
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr><th>way</th>{head}</tr>{body}</table></div>'


def picture(found: Mapping[str, Any]) -> str:
    """Every way as a point with its spread: to the left is cheap, below is clean."""
    return f"<figure>{drawing(found)}</figure>"


def drawing(found: Mapping[str, Any]) -> str:
    """The picture alone, as an SVG file."""
    rows = sorted(found["worlds"]["unknown"], key=lambda row: float(row["energy"]["mean"]))
    most = max(max(row["above"]["mean"] + row["above"]["sd"] for row in rows) * 1.05, 0.1)
    top = max(row["energy"]["mean"] for row in rows) * 1.6
    places = [(_x(row["energy"]["mean"], top), _y(row["above"]["mean"], most)) for row in rows]
    drawn = "".join(part for number, row in enumerate(rows) for part in _point(row, most, places, number))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="energy against hours above the limit"><style>{DRAWN}</style>'
        f"{''.join(_axes(top, most))}{drawn}</svg>"
    )


def _x(value: float, top: float) -> float:
    place = math.log(max(value, LEAST) / LEAST) / math.log(top / LEAST)
    return LEFT + place * (WIDTH - LEFT - RIGHT)


def _y(value: float, most: float) -> float:
    # The root spreads what lies near zero, where it matters.
    return HEIGHT - BOTTOM - math.sqrt(max(value, 0.0) / most) * (HEIGHT - BOTTOM - TOP)


def _axes(top: float, most: float) -> Iterator[str]:
    for tick in (tick for tick in TICKS if tick <= top):
        x = _x(tick, top)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
    for share in (0.0, 0.01, 0.05, 0.2, 0.5, 1.0):
        y = _y(share * most, most)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * most:.2g}</text>'
    spot = f'x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle"'
    yield f'<text class="label" {spot}>kWh a room</text>'
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="translate(14 {middle}) rotate(-90)" text-anchor="middle"'
    yield f'<text class="label" {turned}>occupied hours above 35 µg/m³</text>'


def _point(
    row: Mapping[str, Any], most: float, places: Sequence[tuple[float, float]], number: int
) -> Iterator[str]:
    above, (x, y) = row["above"], places[number]
    low, high = _y(above["mean"] - above["sd"], most), _y(above["mean"] + above["sd"], most)
    yield f'<line class="spread" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    style = "cv" if row["way"] == "ours" else "ref" if row["way"] == "oracle" else "raw"
    yield f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
    left, name = x > WIDTH * 0.75, y + BESIDE[_crowded(places, number) % len(BESIDE)]
    spot = f'x="{x - 9 if left else x + 9:.1f}" text-anchor="{"end" if left else "start"}"'
    yield f'<text class="name" {spot} y="{name:.1f}">{escape(row["way"])}</text>'


def _crowded(places: Sequence[tuple[float, float]], number: int) -> int:
    """How many points before this one would write over its name."""
    x, y = places[number]
    return sum(x - near < NEAR and abs(y - beside) < 24 for near, beside in places[:number])
