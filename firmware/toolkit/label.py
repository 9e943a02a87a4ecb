"""A printable label per node: its id, its school, its MAC address, and a QR code of them."""

from collections.abc import Iterable, Mapping
from html import escape

import segno

WIDTH, HEIGHT = 62.0, 29.0
"""Of a common label roll [mm]."""

QUIET = 4
"""Modules of white that a QR code wants around it."""

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Gongi labels</title>
<style>
  @page {{ margin: 8mm }}
  body {{ margin: 0; display: flex; flex-wrap: wrap; gap: 2mm }}
  svg {{ break-inside: avoid; outline: .1mm dashed #bbb }}
</style>
{labels}
</html>
"""


def content(entry: Mapping[str, object]) -> str:
    """What the code says: a `gongi:` address that a person can read too."""
    return f"gongi:{entry['site']}/{entry['node']}?mac={str(entry['mac']).replace(':', '')}"


def code(entry: Mapping[str, object]) -> list[list[bool]]:
    """The QR code's modules, rows of black or not, without the quiet zone."""
    rows = segno.make(content(entry), error="m", micro=False).matrix
    return [[bool(module) for module in row] for row in rows]


def svg(entry: Mapping[str, object]) -> str:
    """One label as SVG, in millimetres."""
    modules = code(entry)
    side = len(modules) + 2 * QUIET
    scale = HEIGHT / side
    path = "".join(_runs(modules))
    lines = (
        (str(entry["node"]), 9.0, 5.2, 700),
        (str(entry["site"]), 15.0, 3.6, 400),
        (str(entry["mac"]), 20.0, 2.7, 400),
        (f"{entry['chip']} · {str(entry['at'])[:10]}", 24.0, 2.4, 400),
    )
    words = "".join(
        f'<text x="{HEIGHT + 1:g}" y="{y:g}" font-size="{_fitting(text, size):.2f}" font-weight="{weight}">'
        f"{escape(text)}</text>"
        for text, y, size, weight in lines
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}mm" height="{HEIGHT:g}mm" '
        f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(content(entry))}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path transform="scale({scale:.5f})" d="{path}" fill="#000" shape-rendering="crispEdges"/>'
        f"{words}</svg>"
    )


def _fitting(text: str, size: float) -> float:
    """A font size at which the text stays on the label; a letter is at most 0.66 of it wide."""
    return min(size, (WIDTH - HEIGHT - 2) / (0.66 * max(len(text), 1)))


def _runs(modules: list[list[bool]]) -> Iterable[str]:
    """Runs of black modules as rectangles of a path."""
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                yield f"M{x + QUIET} {y + QUIET}h{end - x}v1H{x + QUIET}z"
            x = max(end, x + 1)


def page(entries: Iterable[Mapping[str, object]]) -> str:
    """All labels on pages to print."""
    return PAGE.format(labels="\n".join(svg(entry) for entry in entries))
