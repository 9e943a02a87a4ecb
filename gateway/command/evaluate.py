"""`gongi evaluate`: a model judged on the part of tables that it hasn't seen."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge.predict.evaluate import Judged, judge, report
from edge.predict.model import Model
from gateway import table as tables
from gateway.lesson import Grounds, NothingToLearn, grounds
from gateway.training import load
from gateway.words import LANGUAGES

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
RIVALS = ("lightgbm", "ridge")
EPILOG = """\b
Examples:
  gongi evaluate station.model station.csv.gz --against lightgbm,ridge
  gongi evaluate rooms.model room1.csv.gz room2.csv.gz --rows --html rooms.html --json
"""


class Rivals(click.ParamType[tuple[str, ...]]):
    """Names of fixed recipes."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in str(value).split(",") if part.strip())
        if unknown := sorted(set(names) - set(RIVALS)):
            self.fail(f"{', '.join(unknown)}: known are {', '.join(RIVALS)}", param, ctx)
        return names


@click.command(epilog=EPILOG)
@click.argument("model", type=FILE)
@click.argument("paths", nargs=-1, required=True, type=FILE, metavar="TABLE...")
@click.option("--rows", is_flag=True, help="Judge on the last 20 % of the rows, not of the time span.")
@click.option("--against", type=Rivals(), default="", help="Train these on the same tables: lightgbm,ridge.")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of the places and of naive times.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", help="Language of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    model: Path,
    paths: tuple[Path, ...],
    rows: bool,
    against: tuple[str, ...],
    tz: str,
    html: Path | None,
    lang: str,
    as_json: bool,
) -> None:
    """Judge a MODEL on the last 20 % of the TABLEs' time span, all their rows together.

    A time counts when every hour until its horizon is known. Intervals adapt on the way, as in service. Onset
    means: from a clean start, the limit is passed within the horizon.

    Exit status: 0 judged, 1 the model can't be used or there is nothing to judge on, 2 wrong call.
    """
    loaded = load(model)
    read = [tables.read(path, tz) for path in paths]
    found = grounds(read, loaded.quantity, loaded.unit_s, tz, rows)
    judged = judge(loaded, found.series, found.cuts)
    if not judged.rows.whole.any():
        raise NothingToLearn("no time to judge on", ", ".join(map(str, paths)), "the last 20 % hold no truth")
    said = _said(loaded, found, judged, against)
    if html:
        # Plots and their page are needed by this option alone.
        from gateway.evaluation_page import page

        html.write_text(page(loaded, judged, said, [path.name for path in paths], lang), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(said))
    else:
        _show(said)


def _said(model: Model, found: Grounds, judged: Judged, against: tuple[str, ...]) -> dict[str, Any]:
    # LightGBM and scikit-learn are heavy, and only this option needs them.
    rivals = {}
    if against:
        from edge.learn.rivals import against as rival

        rivals = {name: rival(name, model, found.series, found.cuts, judged) for name in against}
    facts = {"model": model.id, "bytes": len(model.encode()), "quantity": model.quantity}
    facts |= {"places": [one.name for one in found.series]}
    return {**facts, "horizons": report(model, judged, found.series), "against": rivals}


def _show(said: dict[str, Any]) -> None:
    columns = ("ahead", "who", "R²", "MAE", "RMSE", "skill", "90 % covers", "onset F1", "AP", "lead")
    table = Table(
        *columns, title=f"{said['quantity']}, model {said['model']}", title_justify="left", show_edge=False
    )
    for place, one in enumerate(said["horizons"]):
        table.add_row(*_row("this model", one))
        for name, rows in said["against"].items():
            table.add_row(*_row(name, rows[place]))
    Console().print(table)


def _row(name: str, one: dict[str, Any]) -> list[str]:
    numbers = [one.get(key) for key in ("r2", "mae", "rmse", "skill_persistence", "coverage")]
    onset = one.get("onset") or {}
    numbers += [onset.get("f1"), onset.get("average_precision")]
    lead = onset.get("lead_time")
    shown = ["–" if number is None else f"{number:.3f}" for number in numbers]
    return [one["horizon"], name, *shown, "–" if lead is None else f"{lead:.0f} min"]
