"""`gongi calibrate recompute`: every sample as one pass from raw has it, once, however often it is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.calibrate import calibrate
from edge.check import evaluate
from edge.network import Network
from edge.readings import SECOND, Column, Flag, Readings
from gateway import recompute as work
from gateway.clock import SystemClock
from gateway.command import gongi
from gateway.influx import Settings
from gateway.metrics import Metrics
from gateway.network import load
from gateway.outflow import InfluxCursor
from gateway.revision import differing, fallen
from tests.calibration.service import BEGIN, SITE, Folder, node_text, samples
from tests.calibration.test_stream import LAGGED
from tests.servers import Influx, wait_until

STEP, DAYS = 300, 4
COUNT = DAYS * 86400 // STEP
ROOM = 'room = "1-1", placement = "indoor"'
MODEL = """[[calibration]]
id = "fleet"
since = 2020-01-01
quantity = "pm25"
model = "m.json"
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from gateway import recompute
from gateway.command import main
seen, place = [], int(sys.argv[1])
def killing(commit):
    def once(*arguments):
        if len(seen) == place and sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = commit(*arguments)
        if len(seen) == place:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(done)
        return done
    return once
recompute._commit = killing(recompute._commit)
main(sys.argv[3:])
"""


def walk(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A day's course with noise, a frozen stretch and a value that can't be true."""
    chance = np.random.default_rng(seed)
    cells = np.round(25 + 15 * np.sin(np.arange(COUNT) / 40) + chance.normal(0, 2, COUNT), 1)
    cells[100:180] = 17.0
    cells[300] = 1500.0
    return np.where(np.arange(COUNT) % 97 == 3, np.nan, cells)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """Two nodes whose history was calibrated without the fleet's model that is in force now."""
    network = tmp_path / "network.toml"
    plain = SITE + node_text("a", ROOM, STEP) + node_text("b", ROOM, STEP)
    network.write_text(plain, "utf-8")
    made = Folder(tmp_path / "data", network)
    made.fill([samples("a", walk(1), STEP), samples("b", walk(2), STEP)])
    model = {"form": "features", "fleet": replace(LAGGED, serial="").encode(), "sensors": []}
    (tmp_path / "m.json").write_text(json.dumps(model), "utf-8")
    network.write_text(plain + MODEL, "utf-8")
    made.enter()
    yield made
    made.close()


def in_one_pass(rows: Readings, network: Network) -> Readings:
    raw = {name: Column.of_raw(c.raw, c.flag != Flag.ABSENT) for name, c in rows.columns.items()}
    return calibrate(evaluate(replace(rows, columns=raw), network), network)


def run(folder: Folder, *words: str) -> dict[str, Any]:
    command = [
        "calibrate",
        "recompute",
        "--data",
        str(folder.path),
        "--json",
        "--since",
        "2025-12-01",
        *words,
    ]
    result = CliRunner().invoke(gongi, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def killed(folder: Folder, piece: int, when: str) -> None:
    words = ["calibrate", "recompute", "--data", str(folder.path), "--json", "--since", "2025-12-01"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(piece), when, *words], env=os.environ, check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("piece", "when"), [(0, "before"), (1, "after"), (3, "before"), (3, "after")])
def test_killed_at_any_piece_it_goes_on_and_comes_to_one_pass(folder: Folder, piece: int, when: str) -> None:
    before = folder.stored()
    killed(folder, piece, when)
    done = run(folder)
    after = folder.stored()
    assert len(after) == len(before) == 2 * COUNT
    assert not differing(after, in_one_pass(after, folder.network)).any()
    assert differing(before, after).any()
    assert (done["resumed"] is not None) == (piece > 1 or (piece, when) == (1, "after"))
    newest = folder.journal.newest()
    assert run(folder)["rows"] == 0
    assert folder.journal.newest() == newest


def test_only_the_named_nodes_and_time_are_rewritten(folder: Folder) -> None:
    before = folder.stored()
    done = run(folder, "--nodes", "a", "--until", "2026-01-03T00:00:00Z")
    assert list(done["nodes"]) == ["a"]
    after = folder.stored()
    other = differing(before, after)
    assert {after.nodes[code] for code in after.node[other]} == {"a"}
    end = (BEGIN + 2 * 86400) * SECOND
    assert after.time[other].max() < end
    own = (after.time < end) & (after.node == after.nodes.index("a"))
    assert not (differing(after, in_one_pass(after, folder.network)) & own).any()


def test_rows_that_come_while_a_piece_is_judged_have_it_judged_again(folder: Folder) -> None:
    """A gateway runs beside it: the batch that it stores in the middle isn't lost to older values."""
    task = work.task(folder.journal, folder.network, 0, None, ())
    late = samples("a", np.full(6, 60.0), STEP, log=9, begin=BEGIN + 40 * STEP + 7)
    came: list[int] = []

    def advance(part: int, whole: int) -> None:
        if not came and part > 0:
            came.append(folder.journal.newest())
            folder.fill([late])

    done = work.recompute(folder.journal, folder.history, folder.network, task, time.time_ns, advance)
    assert done.again
    again = work.recompute(folder.journal, folder.history, folder.network, task, time.time_ns)
    after = folder.stored()
    assert len(after) == 2 * COUNT + 6
    assert done.blocks + again.blocks > 0
    assert not differing(after, in_one_pass(after, folder.network)).any()


def test_a_strange_node_is_said(folder: Folder) -> None:
    words = ["calibrate", "recompute", "--data", str(folder.path), "--since", "2026-01-01", "--nodes", "x"]
    result = CliRunner().invoke(gongi, words)
    assert "no node is called x" in str(result.exception)


def test_a_value_that_falls_away_is_told() -> None:
    """Written over its point, InfluxDB would keep it."""
    one = samples("a", np.array([1.0, 2.0, 3.0]), 60)
    column = one.columns["pm25"]
    good = replace(column, flag=np.full(3, Flag.GOOD, np.uint8))
    fell = replace(good, value=np.array([1.0, np.nan, 3.0]))
    gone = replace(good, flag=np.array([1, 1, 9], np.uint8))
    stored = one.with_columns({"pm25": good})
    assert fallen(stored, one.with_columns({"pm25": fell})).tolist() == [False, True, False]
    assert fallen(stored, one.with_columns({"pm25": gone})).tolist() == [False, False, True]
    assert not fallen(one.with_columns({"pm25": fell}), stored).any()


def points(influx: Influx) -> dict[tuple[str, int], dict[str, Any]]:
    rows = influx.query_influxql("SELECT * FROM air")
    assert len({(row["node"], row["time"]) for row in rows}) == len(rows)
    return {(row["node"], row["time"]): row for row in rows}


def passed(folder: Folder, kind: str) -> bool:
    return folder.journal.cursor("influx") >= folder.journal.heads(kind, 1)[0]


def test_influxdb_follows_with_every_point_once(folder: Folder, influx: Influx) -> None:
    """Killed between two pieces, with the writer running all the while."""
    settings = Settings(influx.url, influx.token, influx.org, influx.bucket)
    network = load(folder.file)
    cursor = InfluxCursor(folder.journal, folder.history, settings, lambda: network, SystemClock(), Metrics())
    cursor.start()
    try:
        wait_until(lambda: passed(folder, "readings"), 60, 0.1)
        assert {row["cal"] for row in points(influx).values()} == {"identity"}
        killed(folder, 2, "after")
        run(folder)
        wait_until(lambda: passed(folder, "revision"), 60, 0.1)
        rows, found = folder.stored(), points(influx)
    finally:
        cursor.stop()
    assert len(found) == len(rows) == 2 * COUNT
    pm25 = rows.columns["pm25"]
    for at in range(len(rows)):
        point = found[rows.nodes[rows.node[at]], int(rows.time[at] + rows.seq[at] % 1_000_000)]
        assert point["cal"] == rows.cals[rows.cal[at]] == f"fleet@{replace(LAGGED, serial='').id}"
        assert point["pm25_flag"] == pm25.flag[at]
        for field, cells in (("pm25", pm25.value), ("pm25_u", pm25.u), ("pm25_raw", pm25.raw)):
            wanted = None if np.isnan(cells[at]) else pytest.approx(cells[at])
            assert point[field] == wanted, field
