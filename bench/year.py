"""The year view of a site of 100 nodes: from `air_1h`, and the same query on raw samples, in one run.

A real InfluxDB 2.7 holds a year of both, as the gateway's own code writes them. Raw samples stand every
`--every` seconds, 900 by default: a node samples every 10 s, which would take hours to write. So the ratio is
a lower bound; it is printed with the sampling that it was measured at.

    python -m bench.year --json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edge.network import Network, Node, Placement, Site
from edge.readings import KEYS, SECOND, Column, Flag, Readings
from gateway.influx import Bucket, Settings
from gateway.line import Standing, air
from gateway.means import Mean, Means
from gateway.means_span import DAY, SPANS
from tests.parts import PARTS
from tests.servers import Influx

FIRST = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND
LINES = 10_000
RUNS = 5
VIEW = """SELECT mean("pm25"), max("pm25") FROM "{measurement}" WHERE "site" = 'hana' {good}
AND time >= {first} AND time < {end} GROUP BY time(1d) fill(none) tz('Asia/Seoul')"""


def places(nodes: int) -> list[Standing]:
    """Where the nodes of the site stand: one outdoors, the others in rooms."""
    rooms = ["", *(f"{number // 10 + 1}-{number % 10 + 1}" for number in range(nodes - 1))]
    return [
        Standing(f"n{at}", "hana", room, "indoor" if room else "outdoor") for at, room in enumerate(rooms)
    ]


def course(time: np.ndarray, node: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """A year's PM2.5 [µg/m³]: season, hour, room and weather."""
    day = (time - FIRST) / DAY
    level = 22 + 12 * np.cos(2 * np.pi * day / 365) + 6 * np.sin(2 * np.pi * day) + node % 7
    return np.round(np.maximum(level + dice.normal(0, 8, time.size), 0.0), 1)


def averaged(measurement: str, nodes: int, days: int) -> Iterator[list[str]]:
    """The lines of `air_1h` or `air_1d`, thirty days at a time."""
    dice, stand = np.random.default_rng(1), tuple(places(nodes))
    for first in range(0, days, 30):
        width = SPANS[measurement].width
        spans = np.arange(first * DAY // width, min(first + 30, days) * DAY // width)
        span, node = (cells.ravel() for cells in np.meshgrid(spans, np.arange(nodes), indexing="ij"))
        start = FIRST + span * width
        value = course(start, node, dice)
        full = np.full(start.size, float(width // (10 * SECOND)))
        mean = Mean(value * 0.9, value, np.full(start.size, 2.5), full, np.ones(start.size))
        yield Means(stand, node, start, start + width, {"pm25": mean, "pm10": mean}).lines(measurement)


def raw(nodes: int, days: int, every: int) -> Iterator[list[str]]:
    """The lines of `air`, five days at a time."""
    dice, stand = np.random.default_rng(2), places(nodes)
    network = Network(
        "gongi/v1",
        {"hana": Site("hana", "", "", "Asia/Seoul", {})},
        {one.node: Node(one.node, (Placement(0, "hana", one.room, one.placement),)) for one in stand},
        {},
    )
    names = tuple(one.node for one in stand)
    for first in range(0, days, 5):
        steps = np.arange(first * 86400 // every, min(first + 5, days) * 86400 // every)
        step, node = (cells.ravel() for cells in np.meshgrid(steps, np.arange(nodes), indexing="ij"))
        at = FIRST + step * every * SECOND
        keys = {name: np.zeros(at.size, kind) for name, kind in KEYS.items()}
        keys |= {"node": node.astype(np.int32), "seq": step.astype(np.int64), "time": at}
        columns = {}
        for quantity in ("pm25", "pm10"):
            value = course(at, node, dice)
            flag = np.where(dice.random(at.size) < 0.98, Flag.GOOD, Flag.SUSPECT).astype(np.uint8)
            column = Column.of_raw(value)
            columns[quantity] = replace(column, value=value * 0.9, u=np.full(at.size, 2.5), flag=flag)
        yield air(Readings(nodes=names, cals=("lab",), columns=columns, **keys), network).lines


def fill(bucket: Bucket, parts: Iterator[list[str]]) -> dict[str, float]:
    """Write all of them; how many, and how long it took [s]."""
    began, points = time.monotonic(), 0
    for lines in parts:
        for low in range(0, len(lines), LINES):
            bucket.write(lines[low : low + LINES])
        points += len(lines)
    return {"points": points, "written_s": round(time.monotonic() - began, 1)}


def timed(influx: Influx, view: str, days: int) -> dict[str, float]:
    """A query's time and the server's CPU for it [s], medians after one that warms it up; every day has to be
    in its answer."""
    assert len(influx.query_influxql(view)) >= days
    server, spent = psutil.Process(influx.pid), []
    for _ in range(RUNS):
        cpu, began = sum(server.cpu_times()[:2]), time.monotonic()
        influx.query_influxql(view)
        spent.append((time.monotonic() - began, sum(server.cpu_times()[:2]) - cpu))
    wall, used = (statistics.median(column) for column in zip(*spent, strict=True))
    return {"view_s": round(wall, 3), "view_cpu_s": round(used, 3)}


def measure(influx: Influx, nodes: int, days: int, every: int) -> dict[str, Any]:
    """Fill the server, then ask for the year view of both in turns."""
    bucket = Bucket(Settings(influx.url, influx.token, influx.org, influx.bucket))
    said: dict[str, Any] = {"nodes": nodes, "days": days, "raw_every_s": every}
    for measurement in ("air_1h", "air_1d"):
        said[measurement] = fill(bucket, averaged(measurement, nodes, days))
    said["air"] = fill(bucket, raw(nodes, days, every))
    bucket.close()
    for measurement, good in (("air_1d", ""), ("air_1h", ""), ("air", 'AND "pm25_flag" = 1')):
        span = {"first": FIRST, "end": FIRST + days * DAY}
        view = VIEW.format(measurement=measurement, good=good, **span)
        said[measurement] |= timed(influx, view, days)
    for name, what in (("ratio", "view_s"), ("ratio_cpu", "view_cpu_s")):
        said[name] = round(said["air"][what] / max(said["air_1h"][what], 0.001), 1)
    return said


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--nodes", type=int, default=100)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--every", type=int, default=900, help="seconds between raw samples")
    options.add_argument("--shard-days", type=int, default=0, help="days of a shard group [InfluxDB's 7]")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    program = PARTS["influxd"].find()
    if program is None:
        raise SystemExit(f"no InfluxDB here: {PARTS['influxd'].advice}")
    with tempfile.TemporaryDirectory(prefix="gongi-year-") as folder:
        influx = Influx(program, Path(folder) / "influx")
        try:
            influx.start()
            influx.setup()
            influx.new_bucket("year", shard_days=asked.shard_days)
            said = measure(influx, asked.nodes, asked.days, asked.every)
            said["shard_days"] = asked.shard_days
        finally:
            influx.stop()
    if asked.json:
        print(json.dumps(said))
    else:
        for name in ("air_1d", "air_1h", "air"):
            print(f"{name:8} {said[name]['points']:>10} points, year view {said[name]['view_s']} s")
        print(f"ratio    {said['ratio']}, raw samples every {said['raw_every_s']} s")


if __name__ == "__main__":
    main()
