"""`gongi ledger`: what is stored, awaited and lost, by sequence numbers."""

import json
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge.problem import Problem
from edge.readings import SECOND
from gateway.journal import Journal
from gateway.ledger import Ledger

SHOWN = 200
"""Bytes of a dead letter that are shown."""
EPILOG = """\b
Examples:
  gongi ledger --data data              what is stored, awaited and lost
  gongi ledger --data data --refused 9  also the newest 9 dead letters, and lines that InfluxDB refused
  gongi ledger --json
"""


@click.command(epilog=EPILOG)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The gateway's folder.",
)
@click.option(
    "--refused",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also show the newest N messages and lines that were refused, each with its reason.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ledger(data: Path, refused: int | None, as_json: bool) -> None:
    """Say for each log of each node which batches are stored, which are awaited, and which are lost and why.

    Reads the journal beside a running gateway. Exit status 1 where batches are awaited.
    """
    path = data / "journal.sqlite"
    if not path.exists():
        raise Problem(
            "there is no journal", str(path), "name the gateway's folder: gongi ledger --data FOLDER"
        )
    journal = Journal(path)
    rows = Ledger.load(journal).table()
    more = _refused(journal, refused) if refused else {}
    if as_json:
        click.echo(json.dumps({"logs": rows, **more}, ensure_ascii=False))
    else:
        Console().print(_table(rows))
        for one in chain.from_iterable(more.values()):
            click.echo("  ".join(_printable(str(value)) for value in one.values()))
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


def _refused(journal: Journal, most: int) -> dict[str, list[dict[str, Any]]]:
    """The newest dead letters and rejected lines, the newest first."""
    letters = [
        {
            "at": datetime.fromtimestamp(at // SECOND, UTC).isoformat().replace("+00:00", "Z"),
            "topic": topic,
            "reason": reason,
            "payload": payload[:SHOWN].decode("utf-8", "backslashreplace"),
        }
        for at, topic, payload, reason in journal.letters(most)
    ]
    keys = ("cursor", "block", "reason", "line")
    rejects = [
        dict(zip(keys, (cursor, block, reason, line), strict=True))
        for cursor, block, line, reason in journal.rejects(most)
    ]
    return {"letters": letters, "rejects": rejects}


def _printable(text: str) -> str:
    """What a stranger sent must not steer the terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _spans(spans: list[list[int]]) -> str:
    shown = ", ".join(f"{low}–{high}" if high > low else str(low) for low, high in spans[:5])
    return shown + (f" and {len(spans) - 5} more" if len(spans) > 5 else "")
