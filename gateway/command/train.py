"""`gongi train`: a model from the history or from an exchange table."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.model import Model
from edge.readings import SECOND
from edge.train import Report, Verdict
from gateway import table as tables
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.network import load
from gateway.training import DAYS, NothingToLearn, actions_of, described, retrain, save, train_table

JOURNAL = "journal.sqlite"
EPILOG = """\b
Examples:
  gongi train --table room.csv.gz --out models --tz Asia/Seoul
  gongi train --history data --network network.toml --out data/models
"""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(epilog=EPILOG)
@click.option("--history", type=FOLDER, help="Data folder of a gateway.")
@click.option("--table", type=FILE, help="Exchange table (.csv, .csv.gz, .parquet).")
@click.option("--network", type=FILE, help="Network file: where nodes stand (needed with --history).")
@click.option(
    "--out", type=FOLDER, required=True, help="Folder of models; the new one is put in force there."
)
@click.option(
    "--days", type=click.IntRange(1, 3660), default=DAYS, show_default=True, help="How much history."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="End of the history [now, UTC].")
@click.option(
    "--tz", default="Asia/Seoul", show_default=True, help="Zone of the table's rooms and naive times."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    history: Path | None,
    table: Path | None,
    network: Path | None,
    out: Path,
    days: int,
    until: datetime | None,
    tz: str,
    as_json: bool,
) -> None:
    """Train a forecast of PM2.5 for rooms, 10, 30 and 60 minutes ahead.

    The first 80 % of the time teaches, the last 20 % judges. A horizon that doesn't beat persistence there
    stays persistence. Give --table or --history.

    Exit status: 0 a model was put in force, 1 there was too little to learn from, 2 wrong call.
    """
    if (history is None) == (table is None):
        raise click.UsageError("give either --history or --table")
    if history is not None:
        if network is None:
            raise click.UsageError("--history needs --network: which node stands in which room")
        model, report = _from_history(history, network, days, until)
    else:
        assert table is not None, "one of both is given"
        model, report = train_table(tables.read(table, tz), load(network) if network else None, tz)
    path = save(model, report, out)
    if as_json:
        click.echo(json.dumps({**described(model, report), "file": str(path)}))
    else:
        _show(model, report, path)


def _from_history(folder: Path, network: Path, days: int, until: datetime | None) -> tuple[Model, Report]:
    if not (folder / JOURNAL).exists():
        raise NothingToLearn(f"no {JOURNAL}", str(folder), "give the data folder of `gongi serve`")
    journal = Journal(folder / JOURNAL)
    history = History(journal, Archive(folder / "archive", journal))
    now = int(until.replace(tzinfo=UTC).timestamp()) * SECOND if until else time.time_ns()
    actions = actions_of(journal, now - days * 86400 * SECOND)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the history", total=days)
        return retrain(
            history, load(network), now, days, actions, lambda done, _: bar.update(task, completed=done)
        )


def _show(model: Model, report: Report, path: Path) -> None:
    columns = ("ahead", "RMSE", "persistence", "R²", "skill", "90 % covers", "in force")
    table = Table(
        *columns, title=f"model {model.id}, {report.rooms} rooms", title_justify="left", show_edge=False
    )
    for verdict in report.verdicts:
        table.add_row(*_row(verdict))
    Console().print(table)
    click.echo(f"in force: {path}")


def _row(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.horizon_s // 60} min"
    for value in (verdict.rmse, verdict.persistence_rmse, verdict.r2, verdict.skill, verdict.coverage):
        yield "–" if value is None else f"{value:.3f}"
    yield "ridge" if verdict.installed else "persistence"
