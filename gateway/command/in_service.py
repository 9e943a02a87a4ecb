"""Commands of `gongi calibrate` on a gateway's folder: recompute, drift, accept."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.drift import Watched
from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND
from edge.recalibration import Proposal
from gateway import calibration_proposal as kept
from gateway import calibration_watch as watching
from gateway import recompute as work
from gateway import versions
from gateway.archive import Archive
from gateway.calibration_entry import accept
from gateway.history import History
from gateway.journal import Journal
from gateway.words import LANGUAGES

HOUR = 3600 * SECOND
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="The gateway's folder.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
RECOMPUTE = """\b
Examples:
  gongi calibrate recompute --since 2026-03-01 --data data
  gongi calibrate recompute --since 2026-03-01 --until 2026-04-01 --nodes hana-3-2 --json
"""
DRIFT = """\b
Examples:
  gongi calibrate drift --data data
  gongi calibrate drift --data data --html drift.html --json
"""
ACCEPT = """\b
Examples:
  gongi calibrate accept hana-3-2-pm25-2026-05-01 network.toml --data data
  gongi calibrate accept hana-3-2-pm25-2026-05-01 network.toml --backdated
"""


@contextmanager
def opened(data: Path) -> Iterator[tuple[Journal, History, Network]]:
    """The journal of a gateway's folder, its history, and the network files in force."""
    path = data / "journal.sqlite"
    if not path.exists():
        raise Problem("there is no journal", str(path), "name the gateway's folder: --data FOLDER")
    journal, reading = Journal(path), Journal(path)
    try:
        network = versions.in_force(journal)
        if network is None:
            advice = "start the gateway with them: gongi serve puts the first files in force"
            raise Problem("no network files are in force here", str(data), advice)
        yield journal, History(reading, Archive(data / "archive", reading)), network
    finally:
        journal.close()
        reading.close()


def instant(text: str, tz: str) -> int:
    """A date or date-time (local where it says no offset) as ns UTC."""
    try:
        at = datetime.fromisoformat(text)
        aware = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(tz))
    except (ValueError, OSError, KeyError):
        raise click.BadParameter(f"{text!r} is no date like 2026-03-01, or {tz!r} no time zone") from None
    return int(aware.timestamp()) * SECOND


def iso(time: int) -> str:
    """A time [ns UTC] in ISO 8601."""
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@click.command("recompute", epilog=RECOMPUTE)
@click.option("--since", required=True, help="From this date on.")
@click.option("--until", help="Up to this date [all that is stored].")
@click.option("--nodes", multiple=True, help="Only this node; may be given again.")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of dates without an offset.")
@DATA
@JSON
def recompute_command(
    since: str, until: str | None, nodes: tuple[str, ...], tz: str, data: Path, as_json: bool
) -> None:
    """Judge and calibrate the history anew from its raw values, by the network files in force.

    What comes out otherwise is appended as revisions, piece by piece; archive and InfluxDB follow while a
    gateway runs on the folder, which it may meanwhile. Killed, the same command goes on where it was; run
    again it finds nothing to do. Entries of the past come into force by `gongi reassign`, which does the same
    for what they concern.

    Exit status: 0 done, 1 it can't be, 2 wrong call.
    """
    bounds = instant(since, tz), instant(until, tz) if until else None
    with opened(data) as (journal, history, network):
        task = work.task(journal, network, *bounds, nodes)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
            step = bar.add_task("recomputing")
            done = work.recompute(
                journal,
                history,
                network,
                task,
                time.time_ns,
                lambda part, all: bar.update(step, completed=part / SECOND, total=max(all, 1) / SECOND),
            )
    report: dict[str, Any] = {
        "since": iso(task.since),
        "until": iso(task.until),
        "nodes": dict(sorted(done.rows.items())),
        "rows": sum(done.rows.values()),
        "blocks": done.blocks,
        "points_deleted": done.gone,
        "judged_again": done.again,
        "resumed": iso(done.resumed) if done.resumed is not None else None,
        "network": network.hash,
    }
    click.echo(json.dumps(report, ensure_ascii=False)) if as_json else _recomputed(report)


def _recomputed(report: dict[str, Any]) -> None:
    taken = f", taken up at {report['resumed']}" if report["resumed"] else ""
    click.echo(f"{report['since']} to {report['until']}{taken}: {report['rows']} rows rewritten")
    for node, rows in report["nodes"].items():
        click.echo(f"  {node}: {rows}")


@click.command("drift", epilog=DRIFT)
@click.option("--quantity", default="pm25", show_default=True, help="What to watch.")
@click.option("--now", help="Judge as of this date [now].")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of dates without an offset.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", help="Language of the page.")
@DATA
@JSON
def drift_command(
    quantity: str, now: str | None, tz: str, html: Path | None, lang: str, data: Path, as_json: bool
) -> None:
    """Watch the sensors beside reference stations and neighbours: who drifts, and what would mend it.

    A day is flagged where 72 hours differ from their proxy as no chance explains and by more than 30 % or
    5 µg/m³; five flagged days on end are a drift, and a proposed recalibration is kept for `accept`.

    Exit status: 0 nobody drifts, 1 somebody does, 2 wrong call.
    """
    at = instant(now, tz) if now else time.time_ns()
    with opened(data) as (journal, history, network):
        seen = watching.watch(journal, history, network, at, quantity)
        found, proposed = seen.watched, seen.proposals
        kept.keep(journal, proposed, at)
    if html:
        # Plots are needed by this option alone.
        from gateway.calibration_drift import page

        html.write_text(page(found, proposed, lang), encoding="utf-8")
    report = {"watched": [_watched(one) for one in found], "proposals": [kept.said(p) for p in proposed]}
    click.echo(json.dumps(report, ensure_ascii=False)) if as_json else _drift(found, proposed)
    if proposed:
        raise SystemExit(1)


def _watched(one: Watched) -> dict[str, Any]:
    course, last = one.course, one.days[-1] if one.days else None
    return {
        "node": course.node,
        "serial": course.serial,
        "by": course.kind,
        "proxies": list(course.proxies),
        "usual": None if one.usual is None else {"gain": one.usual.gain, "offset": one.usual.offset},
        "days": sum(day.flagged is not None for day in one.days),
        "flagged": sum(bool(day.flagged) for day in one.days),
        "drifts_since": None if one.began is None else iso(one.began * 24 * HOUR)[:10],
        "last": None
        if last is None or last.flagged is None
        else {"gain": last.gain, "offset": last.offset, "p": last.p},
    }


def _drift(found: Sequence[Watched], proposed: Sequence[Proposal]) -> None:
    table = Table(
        "node", "by", "proxies", "days", "flagged", "drifts since", "gain", "offset", show_edge=False
    )
    for one in found:
        row = _watched(one)
        last = row["last"] or {"gain": float("nan"), "offset": float("nan")}
        cells = (row["node"], row["by"], str(len(row["proxies"])), str(row["days"]), str(row["flagged"]))
        table.add_row(*cells, row["drifts_since"] or "", f"{last['gain']:.2f}", f"{last['offset']:+.1f}")
    Console().print(table)
    if not found:
        click.echo("nobody can be watched: it takes reference stations near by, or two neighbours")
    for mend in proposed:
        line = f"{mend.gain:.2f} · value {mend.offset:+.1f}"
        apart = f"apart from its {mend.kind} by {mend.before:.1f}, then {mend.after:.1f}"
        click.echo(f"{mend.node} drifts since {iso(mend.since)}: {line}; {apart}")
        click.echo(f"  gongi calibrate accept {mend.id} FILE")


@click.command("accept", epilog=ACCEPT)
@click.argument("proposal")
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", help="In force from this date on [the next full hour].")
@click.option("--backdated", is_flag=True, help="In force since the drift began.")
@click.option("--tz", default="Asia/Seoul", show_default=True, help="Zone of dates without an offset.")
@DATA
@JSON
def accept_command(
    proposal: str, network: Path, since: str | None, backdated: bool, tz: str, data: Path, as_json: bool
) -> None:
    """Write a proposed recalibration into the NETWORK files, on top of the calibration in force.

    A running gateway takes it over by itself. What is to hold for the past comes into force by `gongi
    reassign`.

    Exit status: 0 written, 1 it can't be, 2 wrong call.
    """
    if since and backdated:
        raise click.UsageError("either --since or --backdated")
    with opened(data) as (journal, _, __):
        known = kept.kept(journal)
    if proposal not in known:
        listed = ", ".join(list(known)[-8:]) or "none yet: gongi calibrate drift"
        raise Problem(f'there is no proposal "{proposal}"', str(data), f"there are: {listed}")
    one, now = known[proposal], time.time_ns()
    start = instant(since, tz) if since else one.since if backdated else (now // HOUR + 1) * HOUR
    done = accept(network, one, start)
    entry = {name: iso(start) if name == "since" else value for name, value in done.entry.items()}
    past = start <= now
    if as_json:
        click.echo(json.dumps({"file": str(done.file), "entry": entry, "reassign": past}, ensure_ascii=False))
        return
    click.echo(f"written into {done.file}: {one.id}, in force from {iso(start)} on")
    if past:
        click.echo(f"stop the gateway, then: gongi reassign {network} --data {data}")
