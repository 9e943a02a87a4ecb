"""`gongi calibrate`: corrections from co-locations with reference monitors."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.fit.fit import Campaign, fit
from edge.fit.form import FORMS
from edge.fit.region import one_site_each
from edge.fit.sample import Colocation
from edge.fit.transfer import transfer
from gateway import table as tables
from gateway.calibrated import calibrated
from gateway.calibration import colocations, load, save
from gateway.campaign import said, transferred
from gateway.command.in_service import accept_command, drift_command, recompute_command
from gateway.notice import for_files
from gateway.words import LANGUAGES

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW = click.Path(dir_okay=False, path_type=Path)
TZ = click.option(
    "--tz", default="Asia/Seoul", show_default=True, help="Zone of naive times and of the daily means."
)
QUANTITY = click.option(
    "--quantity", default="pm25", show_default=True, help="What to calibrate; its reference is ref_QUANTITY."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
FIT = """\b
Examples:
  gongi calibrate fit campaign.csv.gz --quantity pm25 --html report.html
  gongi calibrate fit campaign.csv.gz --tz America/Denver --out model.json --json
"""
TRANSFER = """\b
Examples:
  gongi calibrate transfer campaign.csv.gz --leave node --proxies neighbours
  gongi calibrate transfer campaign.csv.gz --leave site --proxies references --json
"""

APPLY = """\b
Example:
  gongi calibrate apply model.json october.csv.gz --out october-calibrated.parquet
"""


@click.group(epilog=FIT)
def calibrate() -> None:
    """Calibrate sensors beside reference monitors, and those that have none by what others have shown."""


@calibrate.command("fit", epilog=FIT)
@click.argument("table", type=FILE)
@QUANTITY
@click.option("--out", type=NEW, help="Write the corrections into this model file.")
@click.option("--html", type=NEW, help="Write a page with plots into this file.")
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", help="Language of the page.")
@click.option("--blocks", type=click.IntRange(3, 50), help="Parts of the time span left out in turn [10; 5].")
@TZ
@JSON
def fit_command(
    table: Path,
    quantity: str,
    out: Path | None,
    html: Path | None,
    lang: str,
    blocks: int | None,
    tz: str,
    as_json: bool,
) -> None:
    """Fit each sensor of TABLE to its reference, and say how far to trust it.

    Clocks are aligned, hours that quality control flags teach nothing but are scored, and the form is the
    simplest that can't be told from the best on blocks of time left out in turn.

    Exit status: 0 fitted, 1 there was too little to learn from, 2 wrong call.
    """
    read = tables.read(table, tz)
    members = colocations(read, quantity, tz, blocks)
    left = _left_out(read, members)
    with _bar("trying forms", len(FORMS)) as step:
        campaign = fit(members, read.hash, step)
    if out:
        save(campaign, out)
    if html:
        # Plots and their page are needed by this option alone.
        from gateway.calibration_page import page

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(page(campaign, table.name, lang), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({**said(campaign), "left_out": left}, ensure_ascii=False))
    else:
        _show(campaign)
        _tell(left)
    for path in (out, html):
        if path and not as_json:
            click.echo(f"written: {path}")


@calibrate.command("transfer", epilog=TRANSFER)
@click.argument("table", type=FILE)
@QUANTITY
@click.option(
    "--leave",
    type=click.Choice(["node", "site"]),
    default="node",
    show_default=True,
    help="Leave out each sensor alone, or with all others of its site.",
)
@click.option(
    "--proxies",
    type=click.Choice(["references", "neighbours", "travelling"]),
    default="references",
    show_default=True,
    help="What is known where the sensor stands: references of other sites, raw readings beside it, or those"
    " of a node that came there from its own reference (its `site` changes in the table).",
)
@TZ
@JSON
def transfer_command(table: Path, quantity: str, leave: str, proxies: str, tz: str, as_json: bool) -> None:
    """Correct each sensor of TABLE as if it had no reference, by what the others have shown, and score it.

    Exit status: 0 done, 1 nothing to learn from, 2 wrong call.
    """
    read = tables.read(table, tz)
    members = one_site_each(colocations(read, quantity, tz))
    left_out = _left_out(read, members)
    with _bar("leaving out", len(members)) as step:
        left = list(transfer(members, leave, proxies, step))
    report = {**transferred(left), "left_out": left_out}
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    shown = Table("node", "site", "R²", "RMSE", "bias", "taught by", "moved", show_edge=False)
    for node in report["nodes"]:
        numbers = (f"{node[name]:.3f}" for name in ("r2", "rmse", "bias"))
        taught = f"{len(node['teachers'])} sensors"
        shown.add_row(node["node"], node["site"], *numbers, taught, f"{node['share']:.0%}")
    Console().print(shown)
    _tell(left_out)


def _left_out(table: tables.Table, members: Iterable[Colocation]) -> list[str]:
    """The table's devices that can be neither fitted nor scored."""
    return sorted({*table.device.names} - {one.node for one in members})


def _tell(left: list[str]) -> None:
    if left:
        click.echo(
            f"left out: {', '.join(left)} (too few good rows beside a reference, or nothing that changes)"
        )


@calibrate.command("apply", epilog=APPLY)
@click.argument("model", type=FILE)
@click.argument("table", type=FILE)
@click.option("--out", type=NEW, required=True, help="Write the calibrated table (.csv, .csv.gz, .parquet).")
@TZ
@JSON
def apply_command(model: Path, table: Path, out: Path, tz: str, as_json: bool) -> None:
    """Correct TABLE by a MODEL file of `gongi calibrate fit`: each sensor by its own correction, those that
    the model doesn't know by the fleet's, which is less certain.

    Exit status: 0 done, 1 the model can't be used, 2 wrong call.
    """
    models = load(model)
    fleet, own = models.fleet, models.own
    read = tables.read(table, tz)
    done = calibrated(read, fleet, own)
    tables.write(done, out, for_files())
    flag = done.numbers[f"{fleet.quantity}_flag"]
    counts = {"rows": len(done), "outside": int((flag == 3).sum()), "missing": int((flag == 9).sum())}
    names = {name: own.get(name, fleet).id for name in done.device.names}
    if as_json:
        click.echo(json.dumps({**counts, "calibrations": names, "file": str(out)}))
    else:
        click.echo(f"written: {out}, {counts['rows']} rows, {counts['outside']} outside the fitted range")


for one in (recompute_command, drift_command, accept_command):
    calibrate.add_command(one)


@contextmanager
def _bar(label: str, total: int) -> Iterator["Step"]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield Step(bar, task)


class Step:
    """Moves a progress bar by one, named by what was done."""

    def __init__(self, bar: Progress, task: object) -> None:
        self._bar, self._task = bar, task

    def __call__(self, name: str) -> None:
        self._bar.update(self._task, advance=1, description=name)  # type: ignore[arg-type]  # rich's own id


def _show(campaign: Campaign) -> None:
    report = said(campaign)
    shown = Table(
        *("node", "n", "raw R²", "raw RMSE", "R²", "RMSE", "NRMSE", "bias", "90 % covers", "EPA daily"),
        title=f"{campaign.fleet.quantity}: {campaign.chosen.form.name}",
        title_justify="left",
        show_edge=False,
    )
    daily = {one["node"]: one["cv"]["all"] for one in report["targets"].get("daily", ())}
    for node in campaign.nodes:
        shown.add_row(
            node.one.node,
            str(node.cv.n),
            *(f"{x:.3f}" for x in (node.raw.r2, node.raw.rmse, node.cv.r2, node.cv.rmse, node.cv.nrmse)),
            f"{node.cv.bias:+.2f}",
            f"{node.coverage.share:.1%}",
            "✓" if daily.get(node.one.node) else "✗",
        )
    Console().print(shown)
    enough = campaign.enough
    click.echo(f"enough days beside the reference: {enough if enough else 'more than this table holds'}")
