"""`gongi reference import` and `export`: reference values into a gateway's journal, and out of it."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from edge.problem import Problem
from gateway import table as tables
from gateway.journal import Journal
from gateway.reference import store
from gateway.reference.hour import DAY, SECOND
from gateway.reference.observed import of_table

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
TZ = click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of naive times.")


@click.command("import", epilog="Example: gongi reference import yearly.csv.gz --data data --source yearly")
@click.argument("table", type=FILE)
@click.option("--data", type=FOLDER, default=Path("data"), show_default=True, help="The gateway's folder.")
@click.option("--source", default="import", show_default=True, help="Under which name it is kept.")
@TZ
@JSON
def import_command(table: Path, data: Path, source: str, tz: str, as_json: bool) -> None:
    """Bring an exchange TABLE (a `station` column, then `ref_pm25`, `temp` and so on) into a journal.

    What is there already stays, what differs becomes a revision; the gateway may run."""
    journal = Journal(_journal(data))
    read = tables.read(table, tz)
    values = of_table(read)
    drafts = store.drafts(journal, tables.slug(source), values)
    if drafts:
        journal.commit(time.time_ns(), drafts)
    journal.close()
    stored = sum(store.count(draft.body) for draft in drafts)
    said = {"values": len(values), "stored": stored, "known": len(values) - stored, "rows": len(read)}
    click.echo(
        json.dumps(said)
        if as_json
        else f"{stored} values stored, {said['known']} were there already ({table})"
    )
    if not values:
        raise SystemExit(1)


@click.command("export", epilog="Example: gongi reference export --data data --out stations.parquet")
@click.option("--data", type=FOLDER, default=Path("data"), show_default=True, help="The gateway's folder.")
@click.option("--station", "stations", multiple=True, help="Only these stations.")
@click.option("--start", help="From when on (ISO 8601) [a month ago].")
@click.option("--end", help="Until when [as far as there are values].")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The table's file."
)
@TZ
@JSON
def export_command(
    data: Path,
    stations: Sequence[str],
    start: str | None,
    end: str | None,
    out: Path,
    tz: str,
    as_json: bool,
) -> None:
    """Write what a gateway has stored, each value in its newest revision, as an exchange table."""
    now = time.time_ns()
    journal = Journal(_journal(data))
    span = moment_of(start, tz, now - 30 * DAY), moment_of(end, tz, now + 30 * DAY)
    found = store.references(journal, *span, stations or None)
    journal.close()
    if not len(found):
        raise Problem("no reference values then", str(data), "see gongi reference import, and --start")
    tables.write(found, out)
    said = {"rows": len(found), "stations": list(found.words["station"].names), "file": str(out)}
    shown = f"{len(found)} rows of {', '.join(found.words['station'].names)}, written: {out}"
    click.echo(json.dumps(said) if as_json else shown)


def _journal(data: Path) -> Path:
    path = data / "journal.sqlite"
    if not path.exists():
        raise Problem("there is no journal", str(path), "name the gateway's folder: --data FOLDER")
    return path


def moment_of(text: str | None, tz: str, default: int) -> int:
    """What an option says of a time [ns UTC], `default` where it says nothing; raises a usage error."""
    if text is None:
        return default
    try:
        at = datetime.fromisoformat(text)
        aware = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(tz))
    except (ValueError, KeyError, OSError):
        raise click.UsageError(f"{text!r} in {tz} is no time like 2026-03-02T08:00") from None
    return int(aware.timestamp()) * SECOND
