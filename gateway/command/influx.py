"""`gongi influx backfill`: the history into InfluxDB."""

import json
import os
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from edge.problem import Problem
from edge.readings import SECOND
from gateway import backfill as work
from gateway.command.in_service import DATA, JSON, instant, iso, opened
from gateway.influx import Kept, Settings
from gateway.influx1 import Login, configured

BACKFILL = """\b
Examples:
  gongi influx backfill --since 2026-03-01 --data data
  gongi influx backfill --since 2026-03-01 --until 2026-04-01 --json
"""


@click.group(epilog="Example: gongi influx backfill --since 2026-03-01 --data data --json")
def influx() -> None:
    """Send what is stored already to InfluxDB."""


@influx.command("backfill", epilog=BACKFILL)
@click.option("--since", required=True, help="From this date on.")
@click.option("--until", help="Up to this date [all that is stored].")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of dates without an offset.")
@DATA
@JSON
def backfill_command(since: str, until: str | None, tz: str, data: Path, as_json: bool) -> None:
    """Send samples, hourly and daily means and indices of the past from the history to InfluxDB.

    For what was stored before InfluxDB was configured, or after its data was lost. The server is named by the
    environment, as for `gongi serve`, which may run on the folder meanwhile. Writing twice is writing once;
    killed, the same command goes on with the day it was at.

    Exit status: 0 all is sent, 1 InfluxDB can't be written to or refused lines, 2 wrong call.
    """
    bounds = instant(since, tz), instant(until, tz) if until else None
    where = configured(os.environ)
    if where is None:
        raise Problem("no InfluxDB is configured", "GONGI_INFLUX_URL", "set it, as for gongi serve")
    with opened(data) as (journal, history, network):
        task, target = work.task(journal, *bounds, _name(where), time.time_ns()), where.open()
        try:
            with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
                step = bar.add_task("sending")
                sent = work.backfill(
                    journal,
                    history,
                    network,
                    target,
                    task,
                    time.time_ns,
                    lambda part, all: bar.update(step, completed=part / SECOND, total=max(all, 1) / SECOND),
                )
        except Kept as kept:
            raise Problem(kept.word, where.url, "run the same command again: it goes on there") from kept
        finally:
            target.close()
    _show(task, sent, as_json)
    if sent.refused:
        raise SystemExit(1)


def _name(where: Settings | Login) -> str:
    return f"{where.url} {where.db if isinstance(where, Login) else where.bucket}"


def _show(task: work.Task, sent: work.Sent, as_json: bool) -> None:
    resumed = iso(sent.resumed) if sent.resumed is not None else None
    report = {
        "since": iso(task.since),
        "until": iso(task.until),
        "samples": sent.samples,
        "means": sent.means,
        "refused": sent.refused,
        "resumed": resumed,
    }
    if as_json:
        click.echo(json.dumps(report))
        return
    taken = f", taken up at {resumed}" if resumed else ""
    said = f"{sent.samples} samples, {sent.means} means and indices sent"
    click.echo(f"{report['since']} to {report['until']}{taken}: {said}")
    if sent.refused:
        click.echo(f"{sent.refused} lines were refused: gongi ledger --refused 9 shows them")
