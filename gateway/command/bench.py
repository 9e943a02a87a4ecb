"""`gongi bench`: the controller through a simulated school year, beside simpler ways and an oracle."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gateway.trial.compare import MEASURES, Plan, compare
from gateway.trial.page import SHOWN, page

EPILOG = """\b
Examples:
  gongi bench control                              20 seeds, a school year
  gongi bench control --seeds 4 --days 56          a first impression
  gongi bench control --json --html control.html
"""


DIGITS = {"above": 2, "energy": 2, "co2": 0}
"""Decimal places of what isn't shown with one."""


@click.group(epilog=EPILOG)
def bench() -> None:
    """Measure Gongi against simpler ways; every bench knows --json."""


@bench.command(epilog=EPILOG)
@click.option("--seeds", type=click.IntRange(1, 200), default=20, show_default=True, help="Worlds.")
@click.option("--days", type=click.IntRange(7, 366), default=366, help="School days, in weeks spread evenly.")
@click.option("--step", type=click.IntRange(1, 5), default=2, show_default=True, help="Minutes of a step.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def control(seeds: int, days: int, step: int, html: Path | None, as_json: bool) -> None:
    """Run a school year of rooms by each way: always on, off, timetable, thresholds, ours, an oracle.

    Outdoor air is recorded where GONGI_DATA is set, else generated. The rooms have two zones, windows and
    doors that nobody is told of, nodes with a bias, and purifiers that fade; ours knows what their nodes
    say.

    Exit status: 0 the targets are met, 1 some are missed, 2 wrong call.
    """
    found = _run(Plan(seeds, days, step))
    if html is not None:
        html.write_text(page(found), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    raise SystemExit(any(one["met"] is False for one in found["targets"].values()))


def _run(plan: Plan) -> dict[str, Any]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        return compare(plan, tell)


def _show(found: dict[str, Any]) -> None:
    console = Console()
    for world, rows in found["worlds"].items():
        columns = ("way", *(f"{name}\n{MEASURES[name]}" for name in SHOWN))
        table = Table(*columns, title=f"{world} world, simulated", title_justify="left", show_edge=False)
        for row in rows:
            cells = (_cell(row[name], DIGITS.get(name, 1)) for name in SHOWN)
            table.add_row(row["way"], *cells)
        console.print(table)
    for name, one in found["targets"].items():
        bound = (
            "" if one["most"] is None else f" (at most {one['most']}: {'met' if one['met'] else 'missed'})"
        )
        console.print(f"{one['value']:.3f}  {name}{bound}")


def _cell(spread: dict[str, float], digits: int) -> str:
    return f"{spread['mean']:.{digits}f}±{spread['sd']:.{digits}f}"
