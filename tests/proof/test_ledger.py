"""The ledger: what it says while it runs is what the next start reads, and gaps are asked for, in turn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.wire import decode
from gateway.gaps import FIRST, MOST, SETTLE, SLOWEST
from gateway.ledger import Ledger, header
from tests.proof.bench import Bench
from tests.proof.lives import START, Batch

NOW = START + 86_400


@pytest.fixture
def bench(network: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(network, tmp_path / "data", NOW)
    yield bench
    bench.close()


def batch(seq: int, log: int = 1, node: str = "n1") -> tuple[str, bytes]:
    return Batch(node, log, seq, 1, seq * 600, START + seq * 600, True, START, (10.0,)).message


def info(log: int, cursor: int, node: str = "n1") -> tuple[str, bytes]:
    said = {"kind": "node", "log": f"{log:08x}", "first": 1, "next": cursor, "cursor": cursor}
    return f"{node}/info", json.dumps(said).encode()


def gone(log: int, *spans: tuple[int, int]) -> tuple[str, bytes]:
    reply = {"op": "resend", "id": "1-g1", "log": f"{log:08x}", "sent": 0, "gone": spans}
    return "n1/reply", json.dumps(reply).encode()


def row(bench: Bench, log: int = 1) -> dict[str, object]:
    table = bench.gateway.ledger.table()
    assert bench.rebuilt().table() == table
    return next(one for one in table if one["log"] == f"{log:08x}")


def asked(bench: Bench, now: float) -> list[tuple[int, int]]:
    """What one round asks for."""
    bench.sent.clear()
    bench.gateway.gaps.tick(now)
    said = [json.loads(payload) for topic, payload in bench.sent if topic.endswith("/cmd")]
    return [(one["from"], one["to"]) for one in said]


def test_a_log_says_what_is_stored_awaited_and_lost(bench: Bench) -> None:
    bench.take([batch(1), batch(2), batch(5), info(1, 9)])
    assert row(bench)["stored"] == [[1, 2], [5, 5]]
    assert row(bench)["gaps"] == [[3, 4], [6, 8]]
    bench.take([gone(1, (3, 4)), gone(1, (3, 4))])
    assert row(bench)["lost"] == [{"from": 3, "to": 4, "reason": "no longer in the spool"}]
    assert bench.gateway.metrics.value("lost") == 2
    bench.restart()
    assert row(bench)["gaps"] == [[6, 8]]


def test_what_comes_after_it_was_named_lost_is_stored(bench: Bench) -> None:
    bench.take([batch(1), info(1, 5), gone(1, (2, 4))])
    bench.take([batch(3)])
    lost = row(bench)["lost"]
    assert [(one["from"], one["to"]) for one in lost] == [(2, 2), (4, 4)]  # type: ignore[attr-defined]
    assert row(bench)["stored"] == [[1, 1], [3, 3]]


@pytest.mark.parametrize("told", [True, False])
def test_an_erased_node_ends_its_old_log(bench: Bench, told: bool) -> None:
    """Whether or not the old log's own `info` was ever heard."""
    bench.take([batch(1), batch(4), *([info(1, 7)] if told else [])])
    bench.take([info(2, 1)])
    bench.gateway._end_logs()
    bench.kill()
    assert row(bench)["ended"]
    assert row(bench)["gaps"] == []
    spans = [(2, 3), (5, 6)] if told else [(2, 3)]
    assert row(bench)["lost"] == [{"from": a, "to": b, "reason": "log ended"} for a, b in spans]
    bench.take([batch(1, log=2)])
    assert not row(bench, 2)["ended"]


def test_a_batch_of_an_ended_log_that_was_under_way_is_stored(bench: Bench) -> None:
    bench.take([batch(1), info(1, 4), info(2, 1)])
    bench.gateway._end_logs()
    bench.take([batch(3)])
    assert row(bench)["stored"] == [[1, 1], [3, 3]]
    assert row(bench)["lost"] == [{"from": 2, "to": 2, "reason": "log ended"}]


def test_foreign_samples_have_no_gaps(bench: Bench) -> None:
    """Their sequences are seconds."""
    bench.take([batch(START, log=0)])
    assert row(bench, 0)["gaps"] == []
    assert asked(bench, 1e6) == []


def test_strangers_write_nothing_into_the_ledger(bench: Bench) -> None:
    reply = json.dumps({"op": "resend", "log": "00000001", "gone": [[1, 9]]}).encode()
    bench.take([("stranger/reply", reply), info(1, 9, "stranger")])
    assert bench.gateway.ledger.table() == bench.rebuilt().table() == []


def test_a_young_gap_is_not_asked_for_and_an_old_one_with_back_off(bench: Bench) -> None:
    bench.take([batch(1), info(1, 4)])
    assert asked(bench, 0.0) == []
    assert asked(bench, SETTLE - 0.1) == []
    assert asked(bench, SETTLE) == [(2, 3)]
    assert asked(bench, SETTLE + 0.8 * FIRST - 0.1) == []
    assert asked(bench, SETTLE + 1.2 * FIRST) == [(2, 3)]
    times, now = 0, SETTLE + 1.2 * FIRST
    while now < 4 * 3600:
        now += 1.0
        times += len(asked(bench, now))
    assert 4 * 3600 / (1.2 * SLOWEST) - 1 <= times <= 4 * 3600 / (0.8 * SLOWEST) + 10


def test_a_gap_that_nobody_fills_keeps_no_other_waiting(bench: Bench) -> None:
    bench.take([batch(seq) for seq in (1, 3, 5, 7)])
    seen = {span for now in range(0, 200) for span in asked(bench, float(now))}
    assert seen == {(2, 2), (4, 4), (6, 6)}
    assert bench.gateway.metrics.value("gaps") == 3


def test_a_long_gap_is_asked_for_in_parts(bench: Bench) -> None:
    bench.take([info(1, 1001)])
    asked(bench, 0.0)
    assert asked(bench, SETTLE) == [(1, MOST)]
    bench.take([batch(seq) for seq in range(1, MOST + 1)])
    assert asked(bench, SETTLE + 1.0) == []
    assert asked(bench, SETTLE + 1.0 + SETTLE) == [(MOST + 1, 2 * MOST)]


def test_many_small_gaps_are_asked_for_without_a_pause(bench: Bench) -> None:
    """As a broker leaves them whose queue ran over."""
    bench.take([batch(seq) for seq in (1, 3, 5, 8)])
    asked(bench, 0.0)
    assert asked(bench, SETTLE) == [(2, 2)]
    bench.take([batch(2)])
    assert asked(bench, SETTLE + 0.5) == [(4, 4)]
    bench.take([batch(4)])
    assert asked(bench, SETTLE + 1.0) == [(6, 7)]
    bench.take([batch(6)])
    assert asked(bench, SETTLE + 1.5) == []
    assert asked(bench, SETTLE + 1.5 + SETTLE) == [(7, 7)]


def test_a_network_that_comes_back_is_not_flooded(bench: Bench, network: Path) -> None:
    bench.take([info(log, 9) for log in (1,)])
    ledger = bench.gateway.ledger
    for number in range(500):
        ledger.log("n1", 100 + number).cursor = 2
    ledger.current.clear()
    asked(bench, 0.0)
    rounds = [len(asked(bench, SETTLE + step * 0.5)) for step in range(12)]
    assert max(rounds) == 50
    assert sum(rounds) >= 500


def test_without_a_broker_nothing_counts_as_asked(bench: Bench) -> None:
    bench.take([info(1, 3)])
    bench.gateway.receiver.publish = lambda *_: False  # type: ignore[method-assign]  # the connection is gone
    for now in (0.0, SETTLE, SETTLE + 1):
        assert asked(bench, now) == []
    assert bench.gateway.metrics.value("resends") == 0


def test_a_lost_session_makes_all_gaps_due(bench: Bench) -> None:
    bench.take([info(1, 3)])
    for now in (0.0, SETTLE):
        asked(bench, now)
    assert asked(bench, SETTLE + 0.5) == []
    bench.gateway.gaps.all_due()
    assert asked(bench, SETTLE + 1.0) == [(1, 2)]


def test_the_snapshot_is_what_all_headers_say(bench: Bench) -> None:
    bench.take([batch(1), info(1, 4)])
    bench.gateway._snapshot(0)
    bench.take([batch(2), gone(1, (3, 3))])
    bench.take([batch(7, node="n2")])
    assert bench.rebuilt().table() == bench.gateway.ledger.table()
    assert bench.rebuilt().newest == bench.gateway.ledger.newest


def test_a_header_says_what_its_rows_say() -> None:
    topic, payload = batch(3)
    rows = decode(["n1"], [topic], [payload], None).readings
    ledger, again = Ledger(), Ledger()
    head = header(rows)
    ledger.store(head)
    ledger.clocked(head)
    again.boots.observe(rows)
    assert ledger.boots.dump() == again.boots.dump() == [["n1", 1, 1, 3, START]]
    assert ledger.newest == {"n1": (START + 1800) * 1_000_000_000}
