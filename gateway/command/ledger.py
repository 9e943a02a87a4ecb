"""`gongi ledger`: what is stored, awaited and lost, by sequence numbers."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge.problem import Problem
from gateway.journal import Journal
from gateway.ledger import Ledger


@click.command(epilog="Example: gongi ledger --data data --json")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The gateway's folder.",
)
@click.option("--json", "as_json", is_flag=True, help='One JSON object: {"logs": [...]}.')
def ledger(data: Path, as_json: bool) -> None:
    """Say for each log of each node which batches are stored, which are awaited, and which are lost and why.

    Reads the journal beside a running gateway. Exit status 1 where batches are awaited.
    """
    path = data / "journal.sqlite"
    if not path.exists():
        raise Problem(
            "there is no journal", str(path), "name the gateway's folder: gongi ledger --data FOLDER"
        )
    rows = Ledger.load(Journal(path)).table()
    if as_json:
        click.echo(json.dumps({"logs": rows}, ensure_ascii=False))
    else:
        Console().print(_table(rows))
    if any(row["gaps"] for row in rows):
        raise SystemExit(1)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("node", "log", "next", "stored", "awaited", "lost")
    for row in rows:
        lost = ", ".join(f"{one['from']}–{one['to']}: {one['reason']}" for one in row["lost"])
        table.add_row(
            row["node"], row["log"], str(row["next"]), _spans(row["stored"]), _spans(row["gaps"]), lost
        )
    return table


def _spans(spans: list[list[int]]) -> str:
    shown = ", ".join(f"{low}–{high}" if high > low else str(low) for low, high in spans[:5])
    return shown + (f" and {len(spans) - 5} more" if len(spans) > 5 else "")
