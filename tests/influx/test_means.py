"""Means and indices in a real InfluxDB, each held against a direct computation from the history."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge.index import INDICES, Hours
from edge.network import Network, Node, Placement, Room, Site, Timetable
from edge.readings import SECOND, Flag, Readings
from gateway.block import Draft
from gateway.drafts import readings_draft
from gateway.outflow import NAME, InfluxCursor
from tests.influx.flow import Hurried, Outflow
from tests.influx.school import good
from tests.servers import wait_until

ZONES = {"hana": "Asia/Seoul", "patan": "Asia/Kathmandu", "pune": "Asia/Kolkata", "kiel": "Europe/Berlin"}
FIRST = int(datetime(2025, 10, 25, 9, 30, tzinfo=UTC).timestamp())
DAYS, STEP = 2, 600
HOUR = 3600 * SECOND
NOW = (FIRST + DAYS * 86400) * SECOND
QUANTITIES = ("pm25", "temp", "co2")
Point = tuple[str, str, int]


def network(room: str = "1-1", resolution: str = "air") -> Network:
    """Four sites of two nodes, one in a room, one outdoors; in Kiel the day of 25 hours is among them."""
    rooms = {"1-1": Room("1-1", "", "", 180.0, Timetable())}
    sites = {name: Site(name, name, name, zone, rooms) for name, zone in ZONES.items()}
    nodes = {}
    for site in ZONES:
        nodes[f"{site}-in"] = Node(f"{site}-in", (Placement(0, site, room, "indoor"),))
        nodes[f"{site}-out"] = Node(f"{site}-out", (Placement(0, site, "", "outdoor"),))
    return Network("gongi/v1", sites, nodes, {}, influx_resolution=resolution)


def samples(first: int = 0, last: int = DAYS * 86400 // STEP, seed: int = 1) -> Readings:
    """Every node's samples, one a batch; some are suspect, some missing."""
    nodes, dice = tuple(network().nodes), np.random.default_rng((seed, first))
    node, at = (cells.ravel() for cells in np.meshgrid(np.arange(len(nodes)), np.arange(first, last)))
    size = node.size
    columns = {name: good(np.round(dice.uniform(0, 90, size), 1)) for name in QUANTITIES}
    for column in columns.values():
        column.flag[:] = dice.choice([Flag.GOOD] * 17 + [Flag.SUSPECT, Flag.FAIL, Flag.MISSING], size)
    return Readings(
        nodes=nodes,
        cals=("lab-2026",),
        node=node.astype(np.int32),
        log=np.full(size, 7, np.uint32),
        seq=at.astype(np.int64),
        row=np.zeros(size, np.int16),
        time=(FIRST + at * STEP) * SECOND,
        boot=np.ones(size, np.int64),
        up=at * STEP,
        dt=np.full(size, STEP),
        hash=np.zeros(size, np.uint64),
        clock=np.ones(size, np.uint8),
        cal=np.zeros(size, np.int32),
        columns=columns,
    )


@pytest.fixture
def school(outflow: Outflow) -> Iterator[Outflow]:
    """Two days of samples, and the moment after them."""
    outflow.network, outflow.clock = network(), Hurried(NOW)
    return outflow


def draft(rows: Readings, kind: str = "readings", header: bytes = b"") -> Draft:
    """The rows as a block that the history finds."""
    return readings_draft(rows, NOW, header, kind)[0]


def direct(outflow: Outflow, quantity: str, measurement: str) -> dict[Point, dict[str, float]]:
    """The means as one would make them by hand, sample by sample."""
    rows = outflow.history.read(0, 1 << 62)
    column = rows.columns[quantity]
    spans: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for at in range(len(rows)):
        node = rows.nodes[rows.node[at]]
        zone = ZoneInfo(ZONES[node.split("-")[0]])
        local = datetime.fromtimestamp(int(rows.time[at]) // SECOND, UTC).astimezone(zone)
        if measurement == "air_1h":
            begin = local.replace(minute=0)
            end = begin.timestamp() + 3600
        else:
            begin = datetime.combine(local.date(), time(), zone)
            end = datetime.combine(local.date() + timedelta(days=1), time(), zone).timestamp()
        spans[node, int(begin.timestamp()), int(end)].append(at)
    found = {}
    for (node, begin, end), all in spans.items():
        kept = [at for at in all if column.flag[at] == Flag.GOOD]
        said = {"n": len(kept), "share": len(kept) * STEP / (end - begin)}
        if said["share"] >= 0.75:
            value = [float(column.value[at]) for at in kept]
            mean = math.fsum(value) / len(value)
            scatter = sum((one - mean) ** 2 for one in value) / (len(value) - 1) / len(value)
            said |= {"value": mean, "raw": sum(column.raw[kept]) / len(kept)}
            said["u"] = math.sqrt(2.5**2 + (1 - said["share"]) * scatter)
        if end * SECOND <= NOW:
            found[node, outflow.network.nodes[node].placements[0].room, begin * SECOND] = said
    return found


def stored(outflow: Outflow, quantity: str, measurement: str) -> dict[Point, dict[str, float]]:
    """The means as InfluxDB has them."""
    found = {}
    for row in outflow.influx.query_influxql(f"SELECT * FROM {measurement}"):
        names = {"value": quantity, **{name: f"{quantity}_{name}" for name in ("raw", "u", "n", "share")}}
        said = {name: row[own] for name, own in names.items() if row.get(own) is not None}
        found[row["node"], row.get("room") or "", row["time"]] = said
    return found


def agree(outflow: Outflow) -> int:
    """Hold every stored mean against the direct one; how many there are."""
    number = 0
    for measurement in ("air_1h", "air_1d"):
        for quantity in QUANTITIES:
            have, want = (of(outflow, quantity, measurement) for of in (stored, direct))
            assert have.keys() == want.keys(), measurement
            for point, said in want.items():
                assert have[point] == pytest.approx(said, abs=6e-5), (measurement, quantity, point)
            number += len(have)
    return number


def test_every_mean_is_that_of_its_good_samples(school: Outflow) -> None:
    rows = samples()
    for some in np.array_split(np.arange(len(rows)), 5):
        school.commit(draft(rows.take(some)))
    school.averaged()
    assert agree(school) > 8 * 47 * 3
    days = {row["time"] for row in school.influx.query_influxql("SELECT * FROM air_1d WHERE site = 'kiel'")}
    long = int(datetime(2025, 10, 26, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * SECOND
    assert long in days
    assert stored(school, "temp", "air_1d")["kiel-in", "1-1", long]["n"] > 0.75 * 25 * 6


def test_late_and_revised_samples_change_their_hour_and_day(school: Outflow) -> None:
    rows = samples()
    late = (rows.node == 2) & (rows.seq >= 90) & (rows.seq < 100)
    school.commit(draft(rows.take(~late)))
    school.averaged()
    number = agree(school)
    judged = rows.take((rows.node == 0) & (rows.seq >= 30) & (rows.seq < 60))
    column = replace(judged.columns["pm25"], flag=np.full(len(judged), Flag.FAIL, np.uint8))
    school.commit(draft(rows.take(late)), draft(judged.with_columns({"pm25": column}), "revision"))
    school.averaged()
    assert agree(school) >= number
    fell = [said for (node, _, _), said in stored(school, "pm25", "air_1h").items() if said["n"] == 0]
    assert len(fell) >= 4
    assert all("value" not in said for said in fell)


def test_a_mean_follows_its_node_into_another_room(school: Outflow) -> None:
    rows = samples()
    school.commit(draft(rows))
    school.averaged()
    school.network = network(room="gym")
    moved = rows.take(np.array([name.endswith("-in") for name in rows.nodes])[rows.node])
    first, last = int(moved.time.min()), int(moved.time.max() + 1_000_000)
    gone = [[name, first, last] for name in moved.nodes if name.endswith("-in")]
    school.commit(draft(moved, "revision", json.dumps({"gone": gone}).encode()))
    school.averaged()
    assert agree(school)
    places = {row["room"] for row in school.influx.query_influxql("SELECT * FROM index")}
    assert places == {"gym", None}


def test_what_was_marked_survives_a_kill(school: Outflow) -> None:
    rows = samples()
    for some in np.array_split(np.arange(len(rows)), 10):
        school.commit(draft(rows.take(some)))
    # Where the machine's seconds stand still, samples are written and no mean is settled; all of it is lost.
    school.clock.monotonic = lambda: 0.0  # type: ignore[method-assign]
    lost = school.start()
    school.drained()
    assert lost.stop()
    assert school.metrics.value("means_written") == 0
    school.clock = Hurried(NOW)
    halfway = school.start()
    wait_until(lambda: school.metrics.value("means_written") > 0)
    assert halfway.stop()
    school.averaged()
    assert agree(school)
    assert school.journal.cursor(NAME) == school.journal.newest()


def test_influxdb_may_be_killed_while_means_are_written(school: Outflow) -> None:
    school.commit(draft(samples()))
    school.start()
    wait_until(lambda: school.metrics.value("means_written") > 0)
    school.influx.kill()
    wait_until(lambda: school.metrics.value("influx_retries") >= 2)
    assert school.metrics.value("means_waiting") > 0
    school.influx.start()
    wait_until(lambda: school.words[-1] == "" and school.metrics.value("means_waiting") == 0, 60)
    assert agree(school)


def test_a_list_that_was_written_down_is_read_back(school: Outflow) -> None:
    school.commit(draft(samples()))
    school.clock.monotonic = lambda: 0.0  # type: ignore[method-assign]
    first = school.start()
    school.drained()
    assert first.stop()
    first.means.keep(school.journal.newest())
    with school.journal.transaction() as db:
        db.execute("UPDATE block SET body = NULL")
    again = InfluxCursor(
        school.journal, school.history, school.settings, network, school.clock, school.metrics
    )
    again.means.resume(school.journal.newest(), lambda: False)
    assert again.means.due.waits.keys() == first.means.due.waits.keys()
    assert again.means.waiting(NOW) > 150


def test_indices_are_those_of_the_hourly_means(school: Outflow) -> None:
    school.commit(draft(samples()))
    school.averaged()
    hours = stored(school, "pm25", "air_1h")
    times = sorted(time for node, _, time in hours if node == "patan-in")
    grid = np.arange(times[0], times[-1] + 1, HOUR)
    means = {}
    for quantity in QUANTITIES:
        have = stored(school, quantity, "air_1h")
        said = [have.get(("patan-in", "1-1", int(time)), {}).get("value", math.nan) for time in grid]
        means[quantity] = np.array(said)
    rows = school.influx.query_influxql("SELECT * FROM index WHERE site = 'patan' AND room = '1-1'")
    assert {row["index"] for row in rows} == set(INDICES)
    for name, index in INDICES.items():
        value = index.of(Hours(grid + HOUR, means))
        want = {int(t): one for t, one in zip(grid, value, strict=True) if np.isfinite(one)}
        have = {row["time"]: row["value"] for row in rows if row["index"] == name}
        assert have == pytest.approx(want, abs=1e-3), name
        bands = [row["band"] for row in rows if row["index"] == name]
        assert max(bands) < len(index.bands)


def test_minutes_may_stand_in_for_samples(school: Outflow) -> None:
    school.network = network(resolution="air_1m")
    rows = samples(0, 6)
    dense = replace(rows, time=rows.time[0] + rows.seq * 10 * SECOND, dt=np.full(len(rows), 10))
    school.commit(draft(dense))
    school.averaged()
    assert school.count("pm25_raw") == 0
    (row,) = school.influx.query_influxql("SELECT pm25, pm25_n FROM air_1m WHERE node = 'hana-in'")
    kept = (dense.node == 0) & (dense.columns["pm25"].flag == Flag.GOOD)
    assert row["pm25_n"] == kept.sum()
    assert row["pm25"] == pytest.approx(dense.columns["pm25"].value[kept].mean(), abs=6e-5)


def said(kind: str, at: int, device: str, **payload: object) -> Draft:
    """A block of one device's words."""
    entry = {"at": at * SECOND, "site": "hana", "device": device, "payload": payload}
    return Draft(kind, json.dumps([entry]).encode())


def test_a_nodes_health_is_told(school: Outflow) -> None:
    sensors = [{"type": "pms5003", "serial": "P1", "hours": 812.4}]
    info = {
        "next": 118,
        "cursor": 110,
        "heap": 40_000,
        "rssi": -61,
        "boot": 3,
        "cause": "power",
        "app": "1.2",
    }
    school.commit(said("info", FIRST, "hana-in", sensors=sensors, **info))
    school.averaged()
    (row,) = school.influx.query_influxql("SELECT spool, heap, rssi, hours, cause, app, room FROM node")
    assert row == {"time": FIRST * SECOND, "spool": 8, "heap": 40_000, "rssi": -61, "hours": 812.4} | {
        "cause": "power",
        "app": "1.2",
        "room": "1-1",
    }
