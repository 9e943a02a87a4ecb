"""Corrections that look back, in a gateway: late rows, doubles and kills leave the values of one pass."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings

from edge.calibrate import calibrate
from edge.check import evaluate
from edge.readings import Column, Flag
from gateway.revision import differing
from tests.calibration.test_stream import LAGGED
from tests.proof.bench import Bench
from tests.proof.conftest import NODES, network_text
from tests.proof.lives import Batch
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


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
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
