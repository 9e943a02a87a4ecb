"""Tables cut into batches: every sample once, as the wire allows it, always the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import SECOND
from edge.wire import MAX_BYTES, decode
from gateway.network import load
from gateway.network.of_table import document, from_table, toml
from gateway.replay import Cut, ReplayError, cut
from gateway.table import Table, Words, ordered

START = 1_483_196_400


def table(rows: list[tuple[int, int, float]], **numbers: list[float]) -> Table:
    """Rows of (second, device 0..2, pm25)."""
    time, code, value = (np.array(column) for column in zip(*rows, strict=True))
    words = {"station": Words(("a", "b", "c"), code.astype(np.int32))}
    columns = {"pm25": value.astype(np.float64), **{name: np.array(cells) for name, cells in numbers.items()}}
    return ordered(Table("t", (START + time) * SECOND, words, columns))


def steady(samples: int, dt: int = 3600) -> Table:
    return table([(row * dt, 0, float(row)) for row in range(samples)])


def samples_of(parts: Cut) -> set[tuple[str, int, float]]:
    """(node, second, pm25) of everything in the batches, as the gateway decodes them."""
    found = []
    for spool in parts.spools:
        payloads = [batch.payload for batch in spool.batches]
        topics = ["t"] * len(payloads)
        decoded = decode([spool.node.id] * len(payloads), topics, payloads, None)
        assert not decoded.letters
        assert not decoded.unknown
        assert not decoded.impossible
        rows = decoded.readings
        assert sorted(set(rows.seq.tolist())) == list(range(1, len(payloads) + 1))
        found += zip(
            [spool.node.id] * len(rows), (rows.time // SECOND).tolist(), rows.columns["pm25"].raw, strict=True
        )
    assert len(found) == len(set(found)) == parts.samples
    return set(found)


ROWS = st.lists(
    st.tuples(st.integers(0, 400).map(lambda n: n * 600), st.integers(0, 2), st.floats(0, 1000)),
    min_size=1,
    max_size=150,
    unique_by=lambda row: row[:2],
)


@given(ROWS, st.integers(1, 60))
def test_every_row_is_in_one_batch(rows: list[tuple[int, int, float]], most: int) -> None:
    whole = table(rows)
    parts = cut(whole, from_table(whole, samples=most))
    assert samples_of(parts) == {("abc"[code], START + second, value) for second, code, value in rows}
    assert all(batch.samples <= most for spool in parts.spools for batch in spool.batches)


def test_batches_end_at_gaps_and_at_sixty_samples() -> None:
    rows = [(row * 3600, 0, 1.0) for row in range(130) if row != 70]
    parts = cut(table(rows), from_table(table(rows)))
    assert [batch.samples for batch in parts.spools[0].batches] == [60, 10, 59]
    first = json.loads(parts.spools[0].batches[1].payload)
    assert list(first) == ["log", "seq", "boot", "up", "t0", "dt", "pm25"]
    assert (first["seq"], first["up"], first["t0"], first["dt"]) == (2, 60 * 3600, START + 60 * 3600, 3600)


def test_the_network_file_says_how_many_samples_a_batch_has() -> None:
    parts = cut(steady(10), from_table(steady(10), samples=3))
    assert [batch.samples for batch in parts.spools[0].batches] == [3, 3, 3, 1]


def test_missing_is_null_and_a_column_without_values_is_absent() -> None:
    whole = table(
        [(0, 0, 1.5), (600, 0, float("nan"))], temp=[np.nan, np.nan], rh=[40.0, 41.25], wind=[1.0, 2.0]
    )
    parts = cut(whole, from_table(whole))
    body = json.loads(parts.spools[0].batches[0].payload)
    assert (body["pm25"], body["rh"], "temp" in body) == ([1.5, None], [40, 41.25], False)
    assert parts.left_out == ("wind",)


def test_long_batches_are_halved_to_what_the_wire_allows() -> None:
    names = ("pm1", "pm10", "pm1_cf1", "pm25_cf1", "pm10_cf1", "rh", "temp", "co2", "voc")
    columns = {name: (np.arange(60) / 7 + 100).tolist() for name in names}
    whole = table([(row * 10, 0, row / 7) for row in range(60)], **columns)
    parts = cut(whole, from_table(whole))
    assert len(parts.spools[0].batches) == 2
    assert all(len(batch.payload) <= MAX_BYTES for batch in parts.spools[0].batches)
    assert len(samples_of(parts)) == 60


def test_the_same_table_makes_the_same_batches_and_another_one_another_log() -> None:
    parts, again = (cut(steady(100), from_table(steady(100))) for _ in range(2))
    assert parts == again
    other = cut(steady(101), from_table(steady(101)))
    assert other.spools[0].log != parts.spools[0].log


def test_rows_within_one_second_are_counted() -> None:
    whole = Table(
        "t", np.array([0, SECOND // 2, SECOND]) + START * SECOND, {}, {"pm25": np.array([1.0, 2.0, 3.0])}
    )
    parts = cut(whole, from_table(whole))
    assert (parts.samples, parts.same_second) == (2, 1)


def test_devices_without_a_quantity_are_named() -> None:
    whole = table([(0, 0, 1.0), (0, 1, float("nan"))])
    parts = cut(whole, from_table(whole))
    assert (parts.silent, [spool.node.id for spool in parts.spools]) == (("b",), ["a"])


def test_devices_that_the_network_lacks_are_named() -> None:
    network = from_table(table([(0, 0, 1.0)]))
    with pytest.raises(ReplayError, match="not in the network file: b"):
        cut(table([(0, 0, 1.0), (0, 1, 2.0)]), network)


def test_a_written_network_is_the_made_one(tmp_path: Path) -> None:
    words = {
        "site": Words(("", "north"), np.array([1, 1, 0], np.int32)),
        "room": Words(("r1", "r2"), np.array([0, 1, 1], np.int32)),
        "node": Words(("n",), np.zeros(3, np.int32)),
    }
    whole = Table(
        "school", np.array([0, 60, 120]) * SECOND + START * SECOND, words, {"co2": np.array([500.0, 1, 2])}
    )
    path = tmp_path / "network.toml"
    path.write_text(toml(document(whole)), "utf-8")
    network = load(path)
    assert network == from_table(whole)
    stands = [
        (place.site, place.room, place.since - START * SECOND) for place in network.nodes["n"].placements
    ]
    assert stands == [("north", "r1", 0), ("north", "r2", 60 * SECOND), ("school", "r2", 120 * SECOND)]
