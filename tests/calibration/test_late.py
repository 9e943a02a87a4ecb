"""Corrections that look back, in a gateway: late rows, doubles and kills leave the values of one pass."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings

from edge.calibrate import calibrate
from edge.check import evaluate
from edge.readings import SECOND, Column, Flag
from gateway.revision import differing
from tests.calibration.test_stream import LAGGED
from tests.proof.bench import Bench
from tests.proof.conftest import NODES, network_text
from tests.proof.lives import START, Batch
from tests.proof.test_lives import AGAIN, EVENTS, NOW, blocks, plays

FLEET = '[[calibration]]\nid = "fleet"\nsince = 2020-01-01\nquantity = "pm25"\nmodel = "m.json"\n'


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nodes under a model that looks one hour back and three."""
    path = tmp_path_factory.mktemp("network") / "network.toml"
    path.write_text(network_text(*NODES) + FLEET, "utf-8")
    one = replace(LAGGED, serial="", terms=("raw", "raw.1", "raw.3"), weights=(0.4, 0.2, 0.1))
    model = {"form": "x", "fleet": one.encode(), "sensors": []}
    path.with_name("m.json").write_text(json.dumps(model), "utf-8")
    return path


@contextmanager
def bench_in(network: Path) -> Iterator[Bench]:
    folder = Path(mkdtemp(prefix="gongi-late-"))
    bench = Bench(network, folder, NOW)
    try:
        yield bench
    finally:
        bench.close()
        rmtree(folder)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(plays())
def test_whatever_came_how_values_are_those_of_one_pass(
    network: Path, play: tuple[list[Batch], list[tuple[int, str]]]
) -> None:
    delivered, cuts = play
    with bench_in(network) as bench:
        for part, event in blocks(delivered, cuts):
            bench.take([batch.message for batch in part])
            if event == AGAIN:
                bench.kill()
                bench.take([batch.message for batch in part])
            else:
                EVENTS[event](bench)
        bench.settle()
        stored = bench.stored()
        stored = stored.take(stored.timed())
        raw = {n: Column.of_raw(c.raw, c.flag != Flag.ABSENT) for n, c in stored.columns.items()}
        net = bench.gateway.live.network
        once = calibrate(evaluate(replace(stored, columns=raw), net), net)
        assert not differing(stored, once).any()
        assert bench.gateway.metrics.value("stage_failures") == 0


def test_a_model_that_comes_into_force_remembers_the_hours_before_it(tmp_path: Path, network: Path) -> None:
    """The files change while the gateway runs: the first sample under the new model sees the hour before."""
    path = tmp_path / "network.toml"
    path.write_text(network_text(*NODES), "utf-8")
    path.with_name("m.json").write_text(network.with_name("m.json").read_text("utf-8"), "utf-8")
    bench = Bench(path, tmp_path / "data", START)
    hour = -(-START // 3600) * 3600
    bench.take([batch(1, hour - 3600, (30.0,) * 6).message])
    path.write_text(network_text(*NODES) + FLEET.replace("2020-01-01", moment(hour)), "utf-8")
    reload = next(chore for chore in bench.gateway.chores if chore.name == "reload")
    bench.gateway.live.now = (hour - 10) * SECOND
    reload.do(0.0)
    assert not bench.gateway.live.refused
    bench.take([batch(2, hour, (10.0, 12.5)).message])
    rows = bench.stored()
    first = rows.columns["pm25"].value[rows.time == hour * SECOND]
    assert first == pytest.approx(0.4 * 10 + 0.2 * 30 + 0.1 * 10 + 3)
    bench.close()


def batch(seq: int, second: int, values: tuple[float, ...]) -> Batch:
    return Batch("n1", 1, seq, 1, second - START + 7200, second, True, START - 7200, values)


def moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
