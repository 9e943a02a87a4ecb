"""`gongi reference`: values of official stations, weather, roads and railways, fetched or imported."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.network import Network
from edge.problem import Problem
from edge.readings import Array
from gateway import table as tables
from gateway.command.stored import FILE, FOLDER, JSON, TZ, export_command, import_command, moment_of
from gateway.network import load
from gateway.reference import airkorea, nearest, openaq, sources
from gateway.reference.ask import Ask
from gateway.reference.hour import DAY, HOUR, SECOND
from gateway.reference.observed import UNITS, Observed, table
from gateway.reference.service import asked

CACHE = click.option(
    "--cache", type=FOLDER, default=Path("data/reference"), show_default=True, help="Where answers are kept."
)
SOURCE = click.argument("source", type=click.Choice(list(sources.SOURCES)), metavar="SOURCE")
EPILOG = """\b
Examples:
  gongi reference sources
  gongi reference stations airkorea --near 37.57,127.09
  gongi reference fetch airkorea --place jungnang=중랑구 --out jungnang.csv
  gongi reference nearest examples/school/network.toml
  gongi reference import yearly.csv.gz --data data --json
  gongi reference export --data data --out stations.parquet
"""


@click.group(epilog=EPILOG)
def reference() -> None:
    """Fetch, choose and import reference values. Keys come from the environment alone; every subcommand takes
    --json.

    Exit status: 0 done, 1 a source or a file gave nothing (it is said why), 2 wrong call.
    """
    # Standard output is the answer's alone.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@reference.command("sources", epilog="Example: gongi reference sources --json")
@JSON
def sources_command(as_json: bool) -> None:
    """Name every source: what it gives, what its places are called, and which variable holds its key."""
    if as_json:
        click.echo(
            json.dumps({"sources": [_source(one) for one in sources.SOURCES.values()]}, ensure_ascii=False)
        )
        return
    shown = Table("source", "gives", "its places", "key", show_edge=False)
    for one in sources.SOURCES.values():
        held = "set" if os.environ.get(one.variable) else "not set"
        shown.add_row(one.name, ", ".join(one.quantities), one.place, f"{one.variable} ({held})")
    Console().print(shown)


def _source(one: sources.Source) -> dict[str, object]:
    units = {name: UNITS.get(name, "") for name in one.quantities}
    key = {"variable": one.variable, "set": bool(os.environ.get(one.variable))}
    return {"source": one.name, "quantities": units, "place": one.place, "key": key, "ahead_h": one.ahead_h}


class Point(click.ParamType[tuple[float, float]]):
    """LAT,LON in degrees."""

    name = "LAT,LON"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        try:
            lat, lon = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not LAT,LON, like 37.57,126.98", param, ctx)
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            self.fail(f"{value!r} is no place on the earth", param, ctx)
        return lat, lon


@reference.command("stations", epilog="Example: gongi reference stations airkorea --near 37.57,127.09 --km 5")
@click.argument("source", type=click.Choice(["airkorea", "openaq"]))
@click.option("--near", type=Point(), required=True, help="Around which place.")
@click.option("--km", type=click.FloatRange(0.1, 500.0), default=10.0, show_default=True, help="How far.")
@CACHE
@JSON
def stations_command(source: str, near: tuple[float, float], km: float, cache: Path, as_json: bool) -> None:
    """List a SOURCE's stations around a place, the nearest first."""
    client = sources.client(os.environ, cache)
    lat, lon = near
    spots = (
        airkorea.fetch_stations(client) if source == "airkorea" else openaq.fetch_stations(client, *near, km)
    )
    found = sorted((nearest.kilometres(lat, lon, one.lat, one.lon), one.code, one) for one in spots)
    inside = [(far, one) for far, _, one in found if far <= km]
    if as_json:
        rows = [
            {"code": o.code, "name": o.name, "kind": o.kind, "lat": o.lat, "lon": o.lon, "km": round(far, 2)}
            for far, o in inside
        ]
        click.echo(json.dumps({"source": source, "stations": rows}, ensure_ascii=False))
    else:
        shown = Table("code", "km", "kind", "name or address", show_edge=False)
        for far, one in inside:
            shown.add_row(one.code, f"{far:.1f}", one.kind, one.name)
        Console().print(shown)
    if not inside:
        raise SystemExit(1)


@reference.command(
    "fetch", epilog="Example: gongi reference fetch kma --place school=37.57,126.98 --out weather.parquet"
)
@SOURCE
@click.option(
    "--place", "places", multiple=True, metavar="ID=NAME", help="A place by the source's NAME, kept as ID."
)
@click.option("--network", type=FILE, help="Take the places from the stations of this network file.")
@click.option("--start", help="From when on (ISO 8601) [a day ago].")
@click.option("--end", help="Until when [now; for a forecast, as far as it looks].")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write a table (.csv, .csv.gz, .parquet)."
)
@TZ
@CACHE
@JSON
def fetch_command(
    source: str,
    places: Sequence[str],
    network: Path | None,
    start: str | None,
    end: str | None,
    out: Path | None,
    tz: str,
    cache: Path,
    as_json: bool,
) -> None:
    """Fetch a SOURCE's values. An hour's mean carries the time of its beginning, in UTC."""
    chosen = sources.SOURCES[source]
    now = time.time_ns() // SECOND * SECOND
    span = moment_of(start, tz, now - DAY), moment_of(end, tz, now + chosen.ahead_h * HOUR)
    ask = Ask(*span, _places(chosen, places, network), now)
    client = sources.client(os.environ, cache)
    with _counting(f"asking {source}") as step:
        values = [step(one) for one in chosen.fetch(client, ask)]
    client.cache.sweep()
    found = table(values, source)
    if out and values:
        tables.write(found, out)
    said = {
        "source": source,
        "rows": len(found),
        "stations": list(found.words["station"].names),
        "values": {name: int((column == column).sum()) for name, column in _values(found)},
        "asked": client.asked,
        "asked_again": client.retried,
        "from_cache": client.cached,
        "file": str(out) if out and values else None,
    }
    click.echo(json.dumps(said, ensure_ascii=False) if as_json else _told(said))
    if not values:
        raise SystemExit(1)


def _values(found: tables.Table) -> Iterator[tuple[str, Array]]:
    return ((name, column) for name, column in found.numbers.items() if not name.endswith("_flag"))


def _told(said: dict[str, object]) -> str:
    requests = f"{said['asked']} requests, {said['from_cache']} answers from the cache"
    written = f", written: {said['file']}" if said["file"] else ""
    return f"{said['rows']} rows of {said['source']} ({requests}){written}"


def _places(source: sources.Source, given: Sequence[str], network: Path | None) -> dict[str, str]:
    found = asked(load(network)).get(source, {}) if network else {}
    for one in given:
        id, equals, name = one.partition("=")
        if not equals or id != tables.slug(id):
            raise click.BadParameter(
                f"{one!r} is not ID=NAME; an ID is of a-z, 0-9 and -", param_hint="--place"
            )
        found[id] = name
    if not found and source.name != "airkorea-forecast":
        hint = f"{source.place}; or --network with stations whose source is {source.name}"
        raise click.UsageError(f"name at least one --place ID=NAME: {hint}")
    return found


@reference.command(
    "nearest", epilog="Example: gongi reference nearest examples/school/network.toml --node yard"
)
@click.argument("network", type=FILE)
@click.option("--node", "only", help="Only this node.")
@click.option("--source", type=click.Choice(["airkorea"]), help="Choose among all stations of a source.")
@CACHE
@JSON
def nearest_command(network: Path, only: str | None, source: str | None, cache: Path, as_json: bool) -> None:
    """Choose the reference station of NETWORK's outdoor nodes (or --node) by distance and siting."""
    read, now = load(network), time.time_ns()
    among = airkorea.fetch_stations(sources.client(os.environ, cache)) if source else nearest.spots(read)
    outdoors = [node for node in read.nodes if (at := read.placed(node, now)) and at.placement == "outdoor"]
    wanted = [node for node in read.nodes if node == only] if only else outdoors
    if not wanted:
        known = ", ".join(list(read.nodes)[:12])
        raise Problem(f"no node {only}" if only else "no node outdoors", str(network), f"nodes here: {known}")
    rows = [_choice(read, node, nearest.of_node(read, node, now, among), now) for node in wanted]
    if as_json:
        click.echo(json.dumps({"nodes": rows}, ensure_ascii=False))
    else:
        for row in rows:
            click.echo(f"{row['node']} ({row['siting']}): {row['why']}")
    if not all(row["station"] for row in rows):
        raise SystemExit(1)


def _choice(network: Network, node: str, choice: nearest.Choice, now: int) -> dict[str, object]:
    place, found = network.placed(node, now), choice.chosen
    left = [{"station": one.spot.id, "km": round(one.km, 2), "why": one.why} for one in choice.left_out]
    return {
        "node": node,
        "siting": (place.siting if place else "") or nearest.DEFAULT,
        "station": found.spot.id if found else None,
        "km": round(found.km, 2) if found else None,
        "left_out": left,
        "why": choice.why,
    }


@contextmanager
def _counting(label: str) -> Iterator["Step"]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield Step(bar, bar.add_task(label, total=None))


class Step:
    """Counts values on a progress bar as they pass."""

    def __init__(self, bar: Progress, task: object) -> None:
        self._bar, self._task = bar, task

    def __call__(self, value: Observed) -> Observed:
        self._bar.update(self._task, advance=1)  # type: ignore[arg-type]  # rich's own id
        return value


reference.add_command(import_command)
reference.add_command(export_command)
