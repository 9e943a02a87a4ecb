"""`gongi quality`: what quality control says about a table."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid

from edge.assign import MEASURES
from edge.limits import mistakes
from gateway import table as tables
from gateway.quality import Finding, Health, findings, health, judged
from gateway.words import LANGUAGES

MOST = 40
EPILOG = """\b
Examples:
  gongi quality october.csv.gz
  gongi quality october.parquet --json --html october.html
  gongi quality classroom.csv --sensor pms5003 --limit pm25.spike=80 --limit pm25.flat_suspect=7200
"""


def _limits(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    changes = {}
    for one in given:
        key, _sign, value = one.partition("=")
        try:
            changes[key] = float(value)
        except ValueError:
            raise click.BadParameter(f'"{one}": write it like pm25.spike=80') from None
    for key, right in mistakes(changes):
        raise click.BadParameter(f'"{key}": {right}')
    return changes


@click.command(epilog=EPILOG)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--sensor",
    type=click.Choice(sorted(MEASURES)),
    default="table",
    show_default=True,
    help="Whose limits to use; `table` and `reference` are those of hourly monitors.",
)
@click.option(
    "--limit", "limits", multiple=True, metavar="QUANTITY.LIMIT=VALUE", callback=_limits,
    help="Override a limit, as a node's `limits` in the network files do.",
)  # fmt: skip
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", help="Language of the page.")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of naive times.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def quality(
    table: Path, sensor: str, limits: dict[str, float], html: Path | None, lang: str, tz: str, as_json: bool
) -> None:
    """Judge the rows of TABLE as the gateway judges what arrives, and list what was found.

    Exit status: 0 judged, whatever was found, 1 there is nothing to judge, 2 wrong call.
    """
    read = tables.read(table, tz)
    readings = judged(read, sensor, limits)
    found = sorted(findings(readings), key=lambda one: (one.node, one.quantity, one.start))
    if html:
        # Plots and their page are needed by this option alone.
        from gateway.quality_page import page

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(page(readings, found, table.name, lang), encoding="utf-8")
    nodes = list(health(readings))
    if as_json:
        click.echo(json.dumps(_said(found, nodes, len(readings)), ensure_ascii=False))
        return
    _show(found)
    bad = [one for one in nodes if one.broken]
    for one in bad:
        click.echo(f"broken: {one.node} {one.quantity}, {one.suspect + one.fail} of {one.rows} rows flagged")
    click.echo(f"{len(found)} findings in {len(readings)} rows of {len(readings.nodes)} devices")
    if html:
        click.echo(f"written: {html}")


def _said(found: list[Finding], nodes: list[Health], rows: int) -> dict[str, Any]:
    told = [{**asdict(one), "start": _iso(one.start), "end": _iso(one.end)} for one in found]
    return {"rows": rows, "nodes": [asdict(one) for one in nodes], "findings": told}


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show(found: list[Finding]) -> None:
    grid = Grid("node", "quantity", "test", "flag", "from", "to", "rows", "worst", show_edge=False)
    for one in found[:MOST]:
        times = (_iso(time)[:16].replace("T", " ") for time in (one.start, one.end))
        numbers = (str(one.rows), f"{one.worst:g}")
        grid.add_row(one.node, one.quantity, one.test, str(one.flag), *times, *numbers)
    if found:
        Console().print(grid)
    if len(found) > MOST:
        click.echo(f"… and {len(found) - MOST} more; --json lists all")
