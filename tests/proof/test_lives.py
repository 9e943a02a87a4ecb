"""Whatever nodes live through and in whatever order it arrives: every sample once, at a true time or flagged,
with the flags of one pass over the sorted data; the gateway dies and comes back in between."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.readings import SECOND
from tests.proof.bench import Bench, cells
from tests.proof.conftest import NODES
from tests.proof.lives import START, Batch, Life, deliveries, lives, truth

NOW = START + 5 * 86_400
AGAIN = "again"
EVENTS: dict[str, Callable[[Bench], None]] = {
    "nothing": lambda bench: None,
    "settle": Bench.settle,
    "kill": Bench.kill,
    "restart": Bench.restart,
    "archive": Bench.archive,
}


@contextmanager
def bench_in(network: Path) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="gongi-proof-"))
    bench = Bench(network, folder, NOW)
    try:
        yield bench
    finally:
        bench.close()
        shutil.rmtree(folder)


@st.composite
def plays(draw: st.DrawFn) -> tuple[list[Batch], list[tuple[int, str]]]:
    lived: list[Life] = [draw(lives(node)) for node in NODES]
    delivered = draw(deliveries(lived))
    cuts = draw(
        st.lists(st.tuples(st.integers(1, 6), st.sampled_from((*EVENTS, AGAIN))), min_size=1, max_size=8)
    )
    return delivered, cuts


def blocks(delivered: list[Batch], cuts: list[tuple[int, str]]) -> Iterator[tuple[list[Batch], str]]:
    at = 0
    for size, event in cuts:
        yield delivered[at : at + size], event
        at += size
    yield delivered[at:], "nothing"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plays())
def test_every_sample_stands_once_at_a_true_time_or_flagged(
    network: Path, play: tuple[list[Batch], list[tuple[int, str]]]
) -> None:
    delivered, cuts = play
    with bench_in(network) as bench:
        for part, event in blocks(delivered, cuts):
            bench.take([batch.message for batch in part])
            if event == AGAIN:  # killed after the commit, before the acknowledgement
                bench.kill()
                bench.take([batch.message for batch in part])
            else:
                EVENTS[event](bench)
        bench.settle()
        expected = cells(truth(delivered, bench.gateway.live.network))
        found = cells(bench.stored())
        assert found == expected
        ledger = bench.rebuilt()
        assert ledger.table() == bench.gateway.ledger.table()
        assert ledger.boots.dump() == bench.gateway.ledger.boots.dump()
        assert bench.gateway.metrics.value("stage_failures") == 0
        assert bench.gateway.metrics.value("conflicts") == 0


def lived(*batches: tuple[int, int, int, int | None, tuple[float, ...]]) -> list[Batch]:
    """Batches of one log: (sequence, boot, uptime, t0 from START on, values)."""
    return [
        Batch(
            "n1", 1, seq, boot, up, None if t0 is None else START + t0, True, START + (t0 or 0) - up, values
        )
        for seq, boot, up, t0, values in batches
    ]


@pytest.mark.parametrize("event", ["settle", "kill", "restart"])
def test_rows_placed_by_a_double_are_remembered_by_the_next_life(
    network: Path, tmp_path: Path, event: str
) -> None:
    """The state of quality control after them is rebuilt at start, though none of their blocks had a time."""
    low, high, back = lived((1, 1, 0, 0, (10, 10)), (2, 2, 0, None, (400, 400)), (3, 3, 0, 2600, (10, 10)))
    told = replace(high, t0=START + 1300, begun=START + 1300)
    bench = Bench(network, tmp_path / "data", NOW)
    bench.take([low.message, high.message])
    bench.take([told.message])
    bench.settle()
    EVENTS[event](bench)
    bench.take([back.message])
    bench.settle()
    expected = cells(truth([low, told, back], bench.gateway.live.network))
    assert cells(bench.stored()) == expected
    bench.close()


def test_rows_are_placed_anew_when_a_lower_sequence_tells_their_boots_offset(
    network: Path, tmp_path: Path
) -> None:
    """The offset of the lowest sequence counts, whichever comes first; journal, archive and InfluxDB all hear
    where a row stood before."""
    first, second, third = lived(
        (1, 1, 0, None, (10, 12.5)), (2, 1, 1200, 1201 + 3600, (10, 12.5)), (3, 1, 2400, 2400, (10, 12.5))
    )
    bench = Bench(network, tmp_path / "data", NOW)
    for batch in (first, third):
        bench.take([batch.message])
        bench.settle()
    bench.archive()
    bench.take([second.message])
    bench.settle()
    old = START * SECOND
    for _ in range(2):
        rows = bench.stored()
        assert sorted((rows.time // SECOND - START).tolist()) == [2400, 3000, 3601, 4201, 4801, 5401]
        assert len(bench.gateway.history.read(old, old + 1201 * SECOND)) == 0
        bench.archive()
    (number,) = bench.gateway.journal.heads("revision", 1)
    gone = json.loads(bench.gateway.journal.header(number))["gone"]
    assert gone == [["n1", old + 1], ["n1", old + 600 * SECOND + 1]]
    bench.close()
