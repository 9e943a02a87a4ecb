"""Back-dated entries: refused at start and at reload, put in force by `gongi reassign` in one step."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.assign import placed
from edge.calibrate import calibrate
from edge.check import evaluate
from edge.network import Network
from edge.readings import SECOND, Column, Flag, Readings
from gateway import table as tables
from gateway.archive import Archive
from gateway.archiving import Archiving
from gateway.command import gongi
from gateway.history import History
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.network import load
from gateway.revision import differing
from gateway.table import Table, Words, ordered
from tests.proof.gateway import Gateway
from tests.servers import Influx, Mosquitto, wait_until

DAYS, STEP = 3, 120
SAMPLES = DAYS * 86400 // STEP
BEGIN = int(time.time()) // 3600 * 3600 - 5 * 86400
MOVED, SWAPPED = BEGIN + 86400, BEGIN + 40 * 3600
"""When node `b` was carried to the other room and node `a` got its new sensor [s UTC]."""

CALIBRATION = """
[[calibration]]
id = "p9-lab"
since = 2020-01-01
serial = "P-9"
quantity = "pm25"
gain = 0.5
offset = 2.0
u = 1.5
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from gateway import versions
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.network import load
from gateway.reassign import reassign
network, data = Path(sys.argv[1]), Path(sys.argv[2])
pieces = []
def advance(done, whole):
    pieces.append(done)
    if len(pieces) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
journal, reading = Journal(data / "journal.sqlite"), Journal(data / "journal.sqlite")
history = History(reading, Archive(data / "archive", reading))
old, new = versions.in_force(journal), load(network)
reassign(journal, history, old, new, versions.keep(journal, new, network), 0, advance)
"""


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def network_text(corrected: bool) -> str:
    """Two nodes in room 1-1; corrected: `b` has stood in 1-2 since MOVED, `a` carried P-9 since SWAPPED."""
    rooms = "".join(f'[[site.room]]\nid = "{room}"\nvolume = 180\n' for room in ("1-1", "1-2"))
    text = f'[[site]]\nid = "hana"\n{rooms}'
    text += CALIBRATION if corrected else ""
    for node, moved, swapped in (("a", False, corrected), ("b", corrected, False)):
        entry = 'site = "hana", placement = "indoor"'
        moves = [f'{{since = 2020-01-01, room = "1-1", {entry}}}']
        moves += [f'{{since = {iso(MOVED)}, room = "1-2", {entry}}}'] if moved else []
        fitted = [f'{{since = 2020-01-01, sensors = [{{type = "other", serial = "P-{node}"}}]}}']
        new = f'{{since = {iso(SWAPPED)}, sensors = [{{type = "pms5003", serial = "P-9"}}]}}'
        fitted += [new] if swapped else []
        text += f'[[node]]\nid = "{node}"\nsample_s = {STEP}\nbatch_s = {STEP * 5}\n'
        text += f"placed = [{', '.join(moves)}]\nfitted = [{', '.join(fitted)}]\n"
    return text


def series() -> Table:
    """Three days of two nodes, with a spike, a frozen stretch and values out of a PMS5003's range."""
    time_s = BEGIN + np.tile(np.arange(SAMPLES) * STEP, 2)
    code = np.repeat(np.arange(2, dtype=np.int32), SAMPLES)
    values = 20 + 10 * np.sin(np.arange(code.size) / 9)
    values[[100, SAMPLES - 40]] = 900.0
    values[SAMPLES - 700 : SAMPLES - 300] = 17.0
    values[SAMPLES - 200] = 1500.0
    return ordered(
        Table("days", time_s * SECOND, {"node": Words(("a", "b"), code)}, {"pm25": values.round(1)})
    )


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network" / "network.toml"
    path.parent.mkdir()
    path.write_text(network_text(False), "utf-8")
    return path


@pytest.fixture
def start(tmp_path: Path, network: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway over the test's data folder."""
    started: list[Gateway] = []

    def start(influx: Influx | None = None) -> Gateway:
        gateway = Gateway(tmp_path, network, mosquitto.port, influx)
        started.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def filled(tmp_path: Path, network: Path, mosquitto: Mosquitto) -> Callable[[Gateway], None]:
    """Replay the series into a running gateway."""

    def fill(gateway: Gateway) -> None:
        tables.write(series(), tmp_path / "days.csv")
        command = ["replay", str(tmp_path / "days.csv"), "--as", str(network), "--json", "--wait", "60"]
        command += ["--mqtt", f"127.0.0.1:{mosquitto.port}", "--gateway", gateway.url]
        result = CliRunner().invoke(gongi, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output

    return fill


def run(*words: object, code: int = 0) -> dict[str, Any]:
    """`gongi reassign … --json`."""
    result = CliRunner().invoke(gongi, ["reassign", *map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


def stored(data: Path) -> Readings:
    journal = Journal(data / "journal.sqlite")
    rows = History(journal, Archive(data / "archive", journal)).read(0, 2**62)
    journal.close()
    return rows


def blocks(data: Path) -> int:
    journal = Journal(data / "journal.sqlite")
    newest = journal.newest()
    journal.close()
    return newest


def archived(data: Path, network: Network, now: int) -> int:
    """Move the hours that have ended at `now` [s] to the archive; how many files it wrote."""
    journal, metrics = Journal(data / "journal.sqlite"), Metrics()
    archive = Archive(data / "archive", journal)
    live = Live(network, now * SECOND)
    history = History(journal, archive)
    Archiving(journal, archive, history, live, metrics, ("ledger", "influx"), 0.0, 1000).tick(0.0)
    journal.close()
    return int(metrics.value("archive_files"))


def in_one_pass(rows: Readings, network: Network) -> Readings:
    """What the raw values alone come to under one network."""
    raw = {
        name: Column.of_raw(column.raw, column.flag != Flag.ABSENT) for name, column in rows.columns.items()
    }
    return calibrate(evaluate(replace(rows, columns=raw), network), network)


def written(influx: Influx) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The points of `air` by node and time [ns], each with its tags."""
    points: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in influx.query_influxql("SELECT * FROM air"):
        points.setdefault((row["node"], row["time"]), []).append(row)
    return points


def held_back(gateway: Gateway, influx: Influx) -> bool:
    return len(written(influx)) < 2 * SAMPLES or gateway.counted("influx_lag_blocks") > 0


def check_influx(influx: Influx, rows: Readings, network: Network) -> None:
    """Each sample is one point, under the room where its node stood, with its flag, value and calibration."""
    points = written(influx)
    assert len(points) == len(rows)
    assert all(len(found) == 1 for found in points.values())
    codes, places = placed(rows, network)
    pm25 = rows.columns["pm25"]
    for at in range(len(rows)):
        stamp = int(rows.time[at] + rows.seq[at] % 1_000_000)
        (point,) = points[rows.nodes[rows.node[at]], stamp]
        place = places[codes[at]]
        assert place is not None
        assert point["room"] == place.room
        assert point["cal"] == rows.cals[rows.cal[at]]
        assert point["pm25_flag"] == pm25.flag[at]
        assert point["pm25"] == pytest.approx(pm25.value[at], nan_ok=True)


def test_a_move_and_a_swap_of_the_past_reach_every_store_whole(
    tmp_path: Path,
    network: Path,
    influx: Influx,
    start: Callable[..., Gateway],
    filled: Callable[[Gateway], None],
) -> None:
    """A crash in the middle leaves all as it was; after the second run every sample stands once, under the
    right room, with flags, values and calibration as one pass under the new files gives them."""
    gateway = start(influx)
    filled(gateway)
    wait_until(lambda: not held_back(gateway, influx), 60, 0.3)
    old = load(network)
    network.write_text(network_text(True), "utf-8")
    wait_until(lambda: "rewrites the past" in gateway.log.read_text(), 10)
    assert run(network, "--data", gateway.data, "--dry-run")["rows"] > SAMPLES  # beside a running gateway
    refused = CliRunner().invoke(gongi, ["reassign", str(network), "--data", str(gateway.data)])
    assert "a gateway runs on this data folder" in str(refused.exception)
    gateway.stop()

    with pytest.raises(AssertionError, match="gongi reassign"):
        start(influx)  # it says which entries, and what to do
    said = gateway.log.read_text()
    assert "node[b].placed: entry since" in said
    assert "node[a].fitted: entry since" in said

    assert archived(gateway.data, old, BEGIN + 2 * 86400) >= 47  # half is read from the archive
    before, count = stored(gateway.data), blocks(gateway.data)
    assert not differing(before, in_one_pass(before, old)).any()
    told = run(network, "--data", gateway.data, "--dry-run")
    assert (told["switched"], blocks(gateway.data)) == (False, count)
    assert {row["node"]: row["from"] for row in told["nodes"]} == {"a": iso(SWAPPED), "b": iso(MOVED)}

    crash = subprocess.run([sys.executable, "-c", KILLED, str(network), str(gateway.data)], env=os.environ)
    assert crash.returncode == -signal.SIGKILL
    assert blocks(gateway.data) == count
    assert not differing(before, stored(gateway.data)).any()

    done = run(network, "--data", gateway.data)
    assert done["switched"]
    assert (done["rows"], done["moved"]) == (told["rows"], 2 * 86400 // STEP)
    new = load(network)
    after = stored(gateway.data)
    assert len(after) == len(before) == 2 * SAMPLES
    assert not differing(after, in_one_pass(after, new)).any()
    assert differing(before, after).any()
    assert run(network, "--data", gateway.data)["rows"] == 0  # nothing is left to do

    again = start(influx)
    wait_until(lambda: again.counted("influx_lag_blocks") == 0 and moved(influx), 60, 0.3)
    check_influx(influx, after, new)
    again.stop()
    assert archived(again.data, new, BEGIN + 4 * 86400) >= 48
    assert not differing(after, stored(again.data)).any()


def moved(influx: Influx) -> bool:
    (row,) = influx.query_influxql("SELECT count(pm25_flag) FROM air WHERE room = '1-2'") or [{"count": 0}]
    return bool(row["count"] == 2 * 86400 // STEP)


def test_adoption_is_not_refused_and_imports_what_waited(
    network: Path, mosquitto: Mosquitto, start: Callable[..., Gateway]
) -> None:
    """Two nodes that the files of the first start lack wait in quarantine until a start with files that know
    them, back-dated as they are."""
    known, strangers = network_text(False), network_text(False)
    for node, other in (("a", "c"), ("b", "d")):
        strangers = strangers.replace(f'"{node}"', f'"{other}"').replace(f"P-{node}", f"P-{other}")
    network.write_text(strangers, "utf-8")
    gateway = start()
    serving = network.with_name("known.toml")
    serving.write_text(known, "utf-8")
    publish(serving, mosquitto.port)
    wait_until(lambda: gateway.counted("quarantined") >= 2 * SAMPLES / 5, 30)
    gateway.stop()
    network.write_text(known + strangers[strangers.index("[[node]]") :], "utf-8")
    again = start()
    wait_until(lambda: again.counted("samples_stored") >= 2 * SAMPLES, 30)
    again.stop()
    rows = stored(again.data)
    assert len(rows) == 2 * SAMPLES
    assert not differing(rows, in_one_pass(rows, load(network))).any()


def publish(network: Path, port: int) -> None:
    tables.write(series(), network.with_name("days.csv"))
    command = ["replay", str(network.with_name("days.csv")), "--as", str(network), "--json", "--wait", "1"]
    result = CliRunner().invoke(gongi, [*command, "--mqtt", f"127.0.0.1:{port}"], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_mistakes_are_all_shown_and_nothing_is_begun(network: Path, tmp_path: Path) -> None:
    network.write_text(network.read_text("utf-8").replace("volume = 180", "volume = -1"), "utf-8")
    result = CliRunner().invoke(gongi, ["reassign", str(network), "--data", str(tmp_path / "data")])
    assert "2 mistakes" in str(result.exception)
    assert not (tmp_path / "data").exists()


def test_a_folder_without_a_journal_is_said(network: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(gongi, ["reassign", str(network), "--data", str(tmp_path / "data")])
    assert "there is no journal" in str(result.exception)
