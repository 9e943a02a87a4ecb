"""`gongi room`: what rooms are like, identified from their own history."""

import json
import time
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
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.learning import A_DAY, DAYS, learn
from gateway.network import load
from gateway.room_page import page
from gateway.rooms import keep, kept
from gateway.training import actions_of
from gateway.words import LANGUAGES

JOURNAL = "journal.sqlite"
EPILOG = """\b
Examples:
  gongi room identify network.toml --data data           from the last four weeks, and put in force
  gongi room identify network.toml --html rooms.html --json
  gongi room show --data data                            what is in force
"""
DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The gateway's folder.",
)
HTML = click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a page with plots.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
LANG = click.option("--lang", type=click.Choice(list(LANGUAGES)), default="ko", help="Language of the page.")


@click.group(epilog=EPILOG)
def room() -> None:
    """Say what each room is like: leaks, losses, what its purifiers deliver, how early it must start.

    A gateway identifies its rooms every night by itself; --json and --html tell the same.
    """


@room.command(epilog=EPILOG)
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@DATA
@click.option(
    "--days", type=click.IntRange(7, 366), default=DAYS, show_default=True, help="How much history."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="End of the history [now, UTC].")
@HTML
@LANG
@JSON
def identify(
    network: Path,
    data: Path,
    days: int,
    until: datetime | None,
    html: Path | None,
    lang: str,
    as_json: bool,
) -> None:
    """Identify all rooms from the history and put the result in force.

    Exit status: 0 all rooms were identified, 1 some had too little to learn from, 2 wrong call.
    """
    journal = _journal(data)
    now = int(until.replace(tzinfo=UTC).timestamp()) * SECOND if until else time.time_ns()
    found = _learn(journal, data, load(network), now, days)
    keep(journal, found, now)
    _say(found, html, lang, as_json)
    raise SystemExit(0 if all(one["enough"] for one in found) else 1)


@room.command(epilog=EPILOG)
@DATA
@HTML
@LANG
@JSON
def show(data: Path, html: Path | None, lang: str, as_json: bool) -> None:
    """Show what is in force."""
    found = kept(_journal(data))
    if not found:
        raise Problem("no room has been identified", str(data), "gongi room identify NETWORK --data FOLDER")
    _say(found, html, lang, as_json)


def _journal(data: Path) -> Journal:
    path = data / JOURNAL
    if not path.exists():
        raise Problem("there is no journal", str(path), "name the gateway's folder: --data FOLDER")
    return Journal(path)


def _learn(journal: Journal, data: Path, network: Network, now: int, days: int) -> list[dict[str, Any]]:
    history = History(journal, Archive(data / "archive", journal))
    actions = list(actions_of(journal, now - (days + 1) * A_DAY))
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the history", total=days)
        return learn(
            history, network, now, actions, days, lambda done, of: bar.update(task, completed=done, total=of)
        )


def _say(found: list[dict[str, Any]], html: Path | None, lang: str, as_json: bool) -> None:
    if html is not None:
        html.write_text(page(found, lang), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({"rooms": found}, ensure_ascii=False))
        return
    columns = ("room", "air change\n1/h", "comes in", "settles\n1/h", "delivered", "lead\nmin", "windows")
    table = Table(*columns, title_justify="left", show_edge=False)
    for one in found:
        nature, delivered = one["nature"], one["terms"]["delivered"]
        cells = [_pair(nature[name]) for name in ("air_change", "penetration", "deposition")]
        share = _pair(delivered) + (" clogged" if one["clogged"] else "")
        windows = str(one["windows"]) if one["enough"] else f"{one['windows']}: few"
        table.add_row(f"{one['site']}/{one['room']}", *cells, share, str(one["lead_s"] // 60), windows)
    Console().print(table)


def _pair(pair: list[float]) -> str:
    return f"{pair[0]:.2f}±{pair[1]:.2f}"
