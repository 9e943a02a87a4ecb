"""`gongi reassign`: put changed network files in force that rewrite the past."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND
from gateway import reassign as work
from gateway import versions
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.network import entries_of_the_past, load, sources
from gateway.revision import Stretch

EPILOG = """\b
Examples:
  gongi reassign examples/school/network.toml --data data --dry-run
  gongi reassign examples/school/network.toml --data data
"""


@click.command(epilog=EPILOG)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The gateway's folder.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be rewritten; the gateway may run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reassign(files: tuple[Path, ...], data: Path, dry_run: bool, as_json: bool) -> None:
    """Put entries of the past in force: the first of FILES is the network file, the others are among those
    that it includes and needn't be named.

    All samples that the change concerns are judged and calibrated anew as of their time; what comes out
    otherwise is appended as a revision, together with the new version, or not at all. Stop the gateway
    first; at its next start InfluxDB and the archive follow.

    Exit status: 0 in force (or said, with --dry-run), 1 refused: mistakes, or a gateway that runs.
    """
    new = load(files[0])
    _all_included(files)
    journal = Journal(_journal(data))
    with nullcontext() if dry_run else _claimed(data):
        old = _in_force(journal, data)
        report = _reassign(journal, old, new, files[0], data, dry_run, as_json)
    click.echo(json.dumps(report, ensure_ascii=False)) if as_json else _show(report)


def _all_included(files: tuple[Path, ...]) -> None:
    known = {Path(name).resolve() for name in sources(files[0])}
    if strange := [str(file) for file in files if file.resolve() not in known]:
        advice = "name the network file first, then files that it includes"
        raise Problem(f"doesn't include {', '.join(strange)}", str(files[0]), advice)


def _journal(data: Path) -> Path:
    path = data / "journal.sqlite"
    if not path.exists():
        raise Problem("there is no journal", str(path), "name the gateway's folder: --data FOLDER")
    return path


@contextmanager
def _claimed(data: Path) -> Iterator[None]:
    """Hold the data folder as a gateway does."""
    lock = Journal.lock(data / "gateway.lock")
    if lock is None:
        advice = "stop it, run this again, and start it: it then finds the new files in force"
        raise Problem("a gateway runs on this data folder", str(data), advice)
    try:
        yield
    finally:
        lock.close()


def _in_force(journal: Journal, data: Path) -> Network:
    old = versions.in_force(journal)
    if old is None:
        advice = "start the gateway with them: gongi serve puts the first files in force as they are"
        raise Problem("no network files are in force here", str(data), advice)
    return old


def _reassign(
    journal: Journal, old: Network, new: Network, path: Path, data: Path, dry_run: bool, quiet: bool
) -> dict[str, Any]:
    at = time.time_ns()
    reading = Journal(journal.path)
    history = History(reading, Archive(data / "archive", reading))
    idle = dry_run or old.hash == new.hash
    switch = None if idle else versions.keep(journal, new, path)
    try:
        with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
            task = bar.add_task("judging what is concerned anew")
            outcome = work.reassign(
                journal,
                history,
                old,
                new,
                switch,
                at,
                lambda done, all: bar.update(task, completed=done / SECOND, total=all / SECOND),
            )
    finally:
        reading.close()
        journal.close()
    return {
        "files": str(path),
        "before": old.hash,
        "hash": new.hash,
        "dry_run": dry_run,
        "entries": entries_of_the_past(old, new, at),
        "nodes": [_of(one, outcome) for one in outcome.stretches],
        "rows": sum(outcome.rows.values()),
        "moved": outcome.moved,
        "blocks": outcome.blocks,
        "switched": switch is not None,
    }


def _of(one: Stretch, outcome: work.Outcome) -> dict[str, Any]:
    span = {"from": _iso(one.start), "to": _iso(one.end)}
    return {"node": one.node, **span, "rows": outcome.rows.get(one.node, 0)}


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _show(report: dict[str, Any]) -> None:
    for entry in report["entries"]:
        click.echo(entry)
    if report["nodes"]:
        table = Table("node", "from", "to", "rows", show_edge=False)
        for row in report["nodes"]:
            table.add_row(row["node"], row["from"], row["to"], str(row["rows"]))
        Console().print(table)
    click.echo(_word(report))


def _word(report: dict[str, Any]) -> str:
    if report["before"] == report["hash"]:
        return f"version {report['hash']} is in force already: nothing to do"
    rows = f"{report['rows']} rows, {report['moved']} of them in another place"
    if report["dry_run"]:
        return f"would rewrite {rows}; nothing was changed"
    return f"version {report['hash']} is in force, {rows} rewritten; start the gateway"
