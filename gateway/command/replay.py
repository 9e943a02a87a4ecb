"""`gongi replay`: an exchange table through a real broker, as its nodes would have sent it."""

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from edge.network import Network
from gateway import table as tables
from gateway.network import load
from gateway.network.of_table import MOST_SAMPLES, document, from_table, toml
from gateway.publish import broker_of
from gateway.receive import Broker
from gateway.replay import Asked, Cut, Outcome, Player, Quiet, ReplayError, cut, outcome
from gateway.table import Table

MADE = "a site per site or station, a node per device; complete it by hand where more is known."

EPILOG = """\b
Examples:
  gongi replay seoul.csv.gz --write-network seoul.toml      a network file for the table
  gongi replay seoul.csv.gz --as seoul.toml                 as fast as the broker takes it
  gongi replay room.csv --as school.toml --speed 600 --gateway http://127.0.0.1:8080
"""


class Speed(click.ParamType[float]):
    """A number above 0, or `max` (also 0): as fast as messages are acknowledged."""

    name = "N|max"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = math.inf if value in ("max", "0", 0) else float(value)
        except ValueError:
            speed = math.nan
        return speed if speed > 0 else self.fail(f"{value} is neither a number above 0 nor max", param, ctx)


@click.command(epilog=EPILOG)
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "network",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The network file whose nodes the table's devices are; without it one is made.",
)
@click.option(
    "--speed",
    type=Speed(),
    default="max",
    show_default=True,
    help="How many times faster than recorded; max: as fast as acknowledged.",
)
@click.option(
    "--mqtt",
    "address",
    default="127.0.0.1:1883",
    show_default=True,
    metavar="HOST:PORT",
    help="The broker (user: GONGI_MQTT_USER, GONGI_MQTT_PASSWORD).",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Speak TLS, and know the broker by this CA.",
)
@click.option(
    "--gateway",
    metavar="URL",
    help="The gateway's console: wait until its ledger has everything, and report what it stored.",
)
@click.option(
    "--wait", default=120.0, show_default=True, metavar="SECONDS", help="How long to wait for that at most."
)
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of times without an offset.")
@click.option(
    "--write-network",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a network file for the table and end.",
)
@click.option(
    "--batch",
    default=MOST_SAMPLES,
    show_default=True,
    type=click.IntRange(1, MOST_SAMPLES),
    help="Samples a batch, in a network that is made.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(
    table: Path,
    network: Path | None,
    speed: float,
    address: str,
    ca: Path | None,
    gateway: str | None,
    wait: float,
    tz: str,
    target: Path | None,
    batch: int,
    as_json: bool,
) -> None:
    """Publish an exchange TABLE (CSV, CSV.gz, Parquet) through a broker as its nodes would.

    The same table always makes the same batches: replayed again, they are doubles and nothing new. Requests
    to send batches again are answered until the gateway has all (or, without --gateway, asks no more).

    Exit status: 0 all published (and stored, with --gateway), 1 not.
    """
    rows = tables.read(table, tz)
    if not len(rows):
        raise ReplayError("the table has no rows", str(table))
    if target is not None:
        target.write_text(
            f"# Made from {table.name}: {MADE}\n" + toml(document(rows, tz, batch)) + "\n", "utf-8"
        )
        _written(target, as_json)
        return
    made = load(network) if network else from_table(rows, tz, batch)
    parts = cut(rows, made)
    with _bar(as_json) as bar:
        report = _play(parts, made, broker_of(address, ca=ca), speed, gateway, wait, bar)
    whole = {"table": str(table), "network": made.hash, **_of_table(rows, parts), **report}
    click.echo(json.dumps(whole)) if as_json else _show(whole)
    sys.exit(0 if report["complete"] is not False else 1)


def _written(target: Path, as_json: bool) -> None:
    network = load(target)
    counts = {"nodes": len(network.nodes), "sites": len(network.sites), "hash": network.hash}
    next_step = f"gongi serve {target}"
    text = f"{target}: {counts['nodes']} nodes at {counts['sites']} sites; next: {next_step}"
    click.echo(json.dumps({"network": str(target), **counts}) if as_json else text)


def _bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=quiet)


def _play(
    parts: Cut,
    network: Network,
    broker: Broker,
    speed: float,
    gateway: str | None,
    wait: float,
    bar: Progress,
) -> dict[str, Any]:
    before = outcome(gateway, ()) if gateway else None
    if gateway and before is None:
        raise ReplayError("the gateway's ledger can't be asked", gateway, "gongi serve prints this address")
    task = bar.add_task("samples published", total=parts.samples)
    forward = partial(bar.advance, task)
    player = Player(parts.spools, network.root, network.hash[:8], broker, speed, lambda b: forward(b.samples))
    player.start()
    asked = Asked(gateway, parts.spools) if gateway else None
    try:
        began = time.monotonic()
        player.run()
        seconds = round(time.monotonic() - began, 2)
        bar.update(task, description="waiting for the gateway" if gateway else "answering the gateway")
        player.answer(asked or Quiet(lambda: player.resent), wait)
    finally:
        player.stop()
    published = {
        "batches": parts.batches,
        "samples": parts.samples,
        "resent": player.resent,
        "seconds": seconds,
    }
    said = asked.last if asked else None
    complete = None if asked is None else said is not None and said.stored_batches == parts.batches
    return {"published": published, "gateway": _grown(before, said), "complete": complete}


def _grown(before: Outcome | None, after: Outcome | None) -> dict[str, Any] | None:
    if after is None:
        return None
    start = before.counters if before else {}
    grown = {name: value - start.get(name, 0.0) for name, value in after.counters.items()}
    return {
        **{k: v for k, v in asdict(after).items() if k != "counters"},
        **{k: int(v) for k, v in grown.items()},
    }


def _of_table(rows: Table, parts: Cut) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "nodes": len(parts.spools),
        "columns_left_out": [*parts.left_out, *rows.notes.unknown],
        "nodes_left_out": list(parts.silent),
        "rows_doubled": rows.notes.doubled,
        "rows_differing": rows.notes.differing,
        "rows_within_a_second": parts.same_second,
        "not_numbers": dict(rows.notes.not_numbers),
    }


_LINES: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
    ("columns left out", lambda r: ", ".join(r["columns_left_out"])),
    ("nodes left out (nothing that a node measures)", lambda r: ", ".join(r["nodes_left_out"])),
    ("rows that stood twice", lambda r: r["rows_doubled"]),
    ("rows of one time with other values, left out", lambda r: r["rows_differing"]),
    ("rows within a second of another, left out", lambda r: r["rows_within_a_second"]),
    ("values that aren't numbers", lambda r: ", ".join(f"{k} {v}" for k, v in r["not_numbers"].items())),
    ("batches sent again on request", lambda r: r["published"]["resent"]),
)


def _show(report: dict[str, Any]) -> None:
    sent, nodes = report["published"], report["nodes"]
    click.echo(
        f"published: {sent['samples']} samples of {nodes} nodes in {sent['batches']} batches"
        f", {sent['seconds']} s"
    )
    for words, value in _LINES:
        if found := value(report):
            click.echo(f"  {words}: {found}")
    if said := report["gateway"]:
        counted = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in said.items())
        click.echo(f"gateway: {counted}")
    if report["complete"] is False:
        click.echo("not everything was stored in time" if said else "the gateway couldn't be asked")
