"""`gongi train`: a compact model from exchange tables, or from a gateway's history."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.learn.train import STEPS, Report, Verdict, Wish
from edge.learn.train import train as learn
from edge.predict.evaluate import said_as
from edge.predict.model import Model
from edge.readings import SECOND
from gateway import table as tables
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.lesson import NothingToLearn, grounds, unit_of
from gateway.network import load
from gateway.training import DAYS, actions_of, described, retrain, save
from gateway.words import LANGUAGES

JOURNAL = "journal.sqlite"
EPILOG = """\b
Examples:
  gongi train station.csv.gz --target pm25 --horizons 1h,3h,6h --out station.model
  gongi train room1.csv.gz room2.csv.gz --rows --horizons 10m,30m,60m --out rooms.model --html rooms.html
  gongi train --history data --network network.toml --out data/models
"""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
NEW = click.Path(path_type=Path)
UNITS = {"s": 1, "m": 60, "h": 3600}


class Horizons(click.ParamType[tuple[int, ...]]):
    """Horizons as people write them: 10m,30m,60m or 1h,3h,6h."""

    name = "horizons"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if any(not part[:-1].isdigit() or part[-1] not in UNITS or not int(part[:-1]) for part in parts):
            self.fail(f"'{value}' is not like 10m,30m,60m or 1h,3h,6h", param, ctx)
        found = tuple(sorted({int(part[:-1]) * UNITS[part[-1]] for part in parts}))
        if any(one % unit_of(found) or one > 86400 for one in found) or len(found) > 4:
            self.fail("at most four horizons, of whole minutes or hours, up to a day", param, ctx)
        return found


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=FILE, metavar="[TABLE]...")
@click.option("--target", default="pm25", show_default=True, help="The column to forecast.")
@click.option("--horizons", type=Horizons(), default="10m,30m,60m", show_default=True, help="How far ahead.")
@click.option("--out", type=NEW, required=True, help="The model file; with --history the folder of models.")
@click.option(
    "--all", "whole", is_flag=True, help="Learn from the last 20 % too: nothing is left to judge on."
)
@click.option("--rows", is_flag=True, help="Leave out the last 20 % of the rows, not of the time span.")
@click.option("--limit", type=float, help="What counts as an event [unit; pm25: 35, pm10: 100].")
@click.option(
    "--miss", type=click.FloatRange(0.01), default=3.0, show_default=True, help="Cost of a missed event."
)
@click.option(
    "--alarm", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Cost of a false warning."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Same seed and tables, same model to the byte."
)
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of the places and of naive times.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that explains it."
)
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", help="The page's language.")
@click.option("--history", type=FOLDER, help="Data folder of a gateway, instead of tables.")
@click.option("--network", type=FILE, help="Network file: where nodes stand (needed with --history).")
@click.option(
    "--days", type=click.IntRange(1, 3660), default=DAYS, show_default=True, help="How much history."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="End of the history [now, UTC].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    paths: tuple[Path, ...],
    target: str,
    horizons: tuple[int, ...],
    out: Path,
    whole: bool,
    rows: bool,
    limit: float | None,
    miss: float,
    alarm: float,
    seed: int,
    tz: str,
    html: Path | None,
    lang: str,
    history: Path | None,
    network: Path | None,
    days: int,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Train a compact forecast of one column of the TABLEs, or of the rooms of a gateway's history.

    The last 20 % of each table's time span are never looked at: `gongi evaluate` judges there. Candidates,
    from persistence to a small network, compete on chronological blocks; the simplest that can't be told
    from the best wins, and none that loses to persistence or to the same hour yesterday is installed. A
    model has at most 8 KB.

    Exit status: 0 a model was made, 1 there was too little to learn from, 2 wrong call.
    """
    if bool(paths) == (history is not None):
        raise click.UsageError("give either TABLEs or --history")
    if history is not None:
        if network is None:
            raise click.UsageError("--history needs --network: which node stands in which room")
        model, report = _from_history(history, network, days, until)
        path = save(model, report, out)
    else:
        wish = Wish(target, horizons, unit_of(horizons), limit, miss, alarm, seed)
        model, report = _from_tables(paths, wish, tz, rows, whole, html, lang)
        path = out
        path.write_bytes(model.encode())
    if as_json:
        click.echo(json.dumps({**described(model, report), "file": str(path)}))
    else:
        _show(model, report, path)


def _from_tables(
    paths: tuple[Path, ...], wish: Wish, tz: str, rows: bool, whole: bool, html: Path | None, lang: str
) -> tuple[Model, Report]:
    read = [tables.read(path, tz) for path in paths]
    found = grounds(read, wish.quantity, wish.unit_s, tz, rows, whole)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=STEPS + len(wish.horizons))
        model, report = learn(
            found.series, wish, found.cuts, lambda name: bar.update(task, advance=1, description=name)
        )
    if not report.turns:
        held = max((verdict.taught for verdict in report.verdicts), default=0)
        raise NothingToLearn(
            f"{held} rows to learn from", ", ".join(map(str, paths)), "500 are the least, some weeks are good"
        )
    if html:
        # Plots and their page are needed by this option alone.
        from gateway.model_page import page

        html.write_text(page(model, report, found, [path.name for path in paths], lang), encoding="utf-8")
    return model, report


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
    columns = (
        "ahead",
        "in force",
        "target as",
        "RMSE",
        "persistence",
        "yesterday",
        "R²",
        "skill",
        "90 % covers",
    )
    title = f"{model.quantity} of {report.places} places: {len(model.encode())} bytes, {model.id}"
    table = Table(*columns, title=title, title_justify="left", show_edge=False)
    for verdict in report.verdicts:
        table.add_row(*_row(verdict))
    Console().print(table)
    click.echo(f"written: {path}")


def _row(verdict: Verdict) -> Iterator[str]:
    yield said_as(verdict.horizon_s)
    yield verdict.candidate
    yield verdict.form
    numbers = (verdict.rmse, verdict.persistence_rmse, verdict.yesterday_rmse, verdict.r2, verdict.skill)
    for value in (*numbers, verdict.coverage):
        yield "–" if value is None else f"{value:.3f}"
