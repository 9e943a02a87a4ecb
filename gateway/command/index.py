"""`gongi index`: what a table's values mean, by the indices of Korea, the United States, WHO and Europe."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table

from gateway import table as tables
from gateway.indices import Course, NoIndex, courses, summary, table_of, wanted
from gateway.words import N_, Words, words

EPILOG = """\b
Examples:
  gongi index october.csv.gz
  gongi index october.csv.gz --index kr-pm --index us-aqi --json
  gongi index october.csv.gz --lang en --out indices.parquet
"""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("table", type=FILE)
@click.option("--index", "names", multiple=True, help="Only this index (may be repeated).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every hour to a table.")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of times without an offset.")
@click.option("--lang", type=click.Choice(["ko", "en"]), default="ko", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index(table: Path, names: tuple[str, ...], out: Path | None, tz: str, lang: str, as_json: bool) -> None:
    """Say what TABLE's concentrations mean, hour by hour: grades, AQI, guidelines, conditions for learning.

    Means follow the 75 % rule: an hour or a day of which less is there has no index. The PM sub-index is not
    called CAI, which needs gases too.

    Exit status: 0 done, 1 the table can't be read or the index isn't known, 2 wrong call.
    """
    chosen = wanted(names)
    found = list(courses(tables.read(table, tz), chosen))
    if not found:
        needs = "; ".join(f"{one.id}: {', '.join(one.quantities)}" for one in chosen)
        raise NoIndex("no hour has enough values for an index", str(table), f"columns by index: {needs}")
    if out is not None:
        tables.write(table_of(found), out)
    if as_json:
        click.echo(json.dumps({"indices": [summary(one) for one in found]}, ensure_ascii=False))
    else:
        _show(found, words(lang), ZoneInfo(tz))


def _show(found: list[Course], said: Words, zone: ZoneInfo) -> None:
    columns = (N_("Place"), N_("Index"), N_("Newest"), N_("Worst"), N_("Hours known"))
    shown = Table(*(said.gettext(column) for column in columns), show_edge=False)
    for one in found:
        told = summary(one)
        hours = (_hour(told[which], said, zone) for which in ("newest", "worst"))
        shown.add_row(one.place, _name(one, said), *hours, f"{told['hours']} / {told['of']}")
    Console().print(shown)


def _name(one: Course, said: Words) -> str:
    experimental = said.gettext(N_("experimental"))
    return said.gettext(one.index.word) + (f" ({experimental})" if one.index.experimental else "")


def _hour(hour: Any, said: Words, zone: ZoneInfo) -> str:
    local = datetime.fromisoformat(hour["time"]).astimezone(zone)
    return f"{hour['value']:g} {said.gettext(hour['band'])}\n{local:%Y-%m-%d %H:%M}"
