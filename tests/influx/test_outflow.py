"""The cursor against a real InfluxDB 2.7: stopped, started, refusing, and asked what it holds."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edge.readings import Readings
from gateway.block import Draft
from gateway.line import SPREAD
from gateway.outflow import NAME, Backoff
from gateway.reference.observed import Observed
from gateway.reference.store import drafts
from tests.influx.flow import Outflow
from tests.influx.school import NODES, draft, good, network, samples
from tests.servers import Influx, wait_until


def blocks(number: int, batches: int = 170) -> list[Readings]:
    """Blocks of `batches` · 6 rows, one behind the other."""
    return [samples(batches, first=1 + at * batches // len(NODES)) for at in range(number)]


def stopping(influx: Influx) -> None:
    influx.stop()


def killing(influx: Influx) -> None:
    influx.kill()


@pytest.mark.parametrize("end", [stopping, killing])
def test_twenty_thousand_points_stand_once_though_influxdb_goes_away(
    outflow: Outflow, end: Callable[[Influx], None]
) -> None:
    drafts = [draft(rows) for rows in blocks(20)]
    outflow.commit(*drafts[:10])
    outflow.start()
    wait_until(lambda: outflow.metrics.value("influx_blocks") > 0)
    end(outflow.influx)
    outflow.commit(*drafts[10:])
    wait_until(lambda: outflow.metrics.value("influx_retries") >= 2)
    assert any("doesn't answer" in word for word in outflow.words)
    assert outflow.journal.cursor(NAME) < outflow.journal.newest()
    outflow.influx.start()
    outflow.drained()
    assert [outflow.count(field) for field in ("pm25", "pm25_raw", "temp_u", "rh_flag")] == [20_400] * 4
    assert outflow.words[-1] == ""
    assert outflow.journal.rejects() == []


def test_a_stopped_cursor_goes_on_where_it_stood(outflow: Outflow) -> None:
    outflow.commit(*(draft(rows) for rows in blocks(20)))
    first = outflow.start()
    wait_until(lambda: outflow.metrics.value("influx_blocks") > 0)
    assert first.stop()
    outflow.commit(draft(samples(10, first=9000)))
    outflow.flow()
    assert outflow.count("pm25") == 20_460
    assert outflow.metrics.value("influx_lines") == 20_460


def test_what_is_written_again_after_a_crash_before_the_move_stands_once(outflow: Outflow) -> None:
    outflow.commit(*(draft(rows) for rows in blocks(6)))
    outflow.flow()
    outflow.journal.move(NAME, 0)
    outflow.flow()
    assert outflow.metrics.value("influx_lines") == 2 * 6120
    assert outflow.count("pm25") == 6120


@pytest.mark.parametrize("bad", [(500,), (0, 1, 333, 1019)])
def test_bad_lines_are_kept_with_their_reason_and_all_others_are_in(
    outflow: Outflow, bad: tuple[int, ...]
) -> None:
    first, middle, last = blocks(3)
    outflow.write(f"air,node=z co2_flag=1.5 {int(middle.time[0])}")
    outflow.commit(draft(first), draft(measured(middle, bad)), draft(last))
    outflow.flow()
    rejects = outflow.journal.rejects()
    assert {(cursor, block) for cursor, block, _, _ in rejects} == {(NAME, 2)}
    times = {int(line.rsplit(" ", 1)[1]) for _, _, line, _ in rejects}
    assert times == {int(middle.time[row] + middle.seq[row] % SPREAD) for row in bad}
    assert all("co2_flag" in reason and "field type conflict" in reason for _, _, _, reason in rejects)
    assert outflow.count("pm25") == 3060 - len(bad)
    assert outflow.metrics.value("influx_rejected") == len(bad)
    assert outflow.metrics.value("influx_lines") == 3060 - len(bad)


def measured(readings: Readings, rows: tuple[int, ...]) -> Readings:
    """The rows with CO2 in some of them."""
    raw = np.full(len(readings), np.nan)
    raw[list(rows)] = 800.0
    column = replace(good(raw), flag=np.where(np.isnan(raw), 0, 1).astype(np.uint8))
    return readings.with_columns({"co2": column})


def test_where_every_line_is_bad_no_line_is_asked_for_alone(outflow: Outflow) -> None:
    (rows,) = blocks(1)
    outflow.write(f"air,node=z pm25_flag=1.5 {int(rows.time[0])}")
    outflow.commit(draft(rows), draft(samples(1, first=50_000)))
    outflow.flow()
    rejects = outflow.journal.rejects(2000)
    assert len(rejects) == 1020
    assert sum(reason.endswith("dropped=1") for _, _, _, reason in rejects) < 5
    assert outflow.count("rh") == 6


def test_numbers_come_back_bit_by_bit(outflow: Outflow) -> None:
    random = np.random.default_rng(3)
    bits = random.integers(0, 2**64, 2000, dtype=np.uint64).view(np.float64)
    nasty = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1e22, 1e21, 123456789.123456789, 1 / 3, 1e-7, 1e16]
    values = np.concatenate([bits[np.isfinite(bits)], nasty, random.uniform(0, 100, 500)])
    rows = samples(1 + values.size // 6).take(np.arange(values.size))
    outflow.commit(draft(rows.with_columns({"pm25": replace(good(values), value=values)})))
    outflow.flow()
    held = outflow.influx.query_influxql("SELECT pm25, pm25_raw, node FROM air")
    found = {(row["node"], row["time"]): (row["pm25"], row["pm25_raw"]) for row in held}
    assert len(found) == values.size
    for at, value in enumerate(values.tolist()):
        key = (NODES[rows.node[at]], int(rows.time[at] + rows.seq[at] % SPREAD))
        assert [struct.pack("d", one) for one in found[key]] == [struct.pack("d", value)] * 2


def test_a_revision_overwrites_even_in_the_same_request(outflow: Outflow) -> None:
    (rows,) = blocks(1, 10)
    column = replace(rows.columns["pm25"], value=np.full(60, 11.5), flag=np.full(60, 3, np.uint8))
    outflow.commit(draft(rows), draft(rows.with_columns({"pm25": column}), "revision"))
    outflow.flow()
    held = outflow.influx.query_influxql("SELECT pm25, pm25_flag, pm25_raw FROM air")
    assert len(held) == 60
    assert {(row["pm25"], row["pm25_flag"]) for row in held} == {(11.5, 3)}
    assert sorted(row["pm25_raw"] for row in held) == sorted(rows.columns["pm25"].raw.tolist())


def test_gone_points_are_deleted_and_nothing_beside_them(outflow: Outflow) -> None:
    rows = samples(20)
    moved = rows.take(np.array([0, 61, 62]))
    gone = [[NODES[moved.node[at]], int(moved.time[at] + moved.seq[at])] for at in range(3)]
    outflow.commit(draft(rows))
    outflow.flow()
    outflow.network = network(room="gym")
    outflow.commit(draft(moved, "revision", json.dumps({"gone": gone}).encode()))
    outflow.flow()
    assert outflow.count("pm25") == 120
    assert outflow.count("pm25", "WHERE room = '1-1'") == 117
    held = outflow.influx.query_influxql("SELECT pm25, node FROM air WHERE room = 'gym'")
    assert sorted([row["node"], row["time"]] for row in held) == sorted(gone)
    assert outflow.metrics.value("influx_erased") == 3


def test_an_interval_may_be_gone(outflow: Outflow) -> None:
    rows = samples(30)
    mine = np.flatnonzero(rows.node == 4)
    stamps = (rows.time + rows.seq)[mine]
    gone = [[NODES[4], int(stamps[3]), int(stamps[12])]]
    nothing = draft(rows.take(np.array([], int)), "revision", json.dumps({"gone": gone}).encode())
    outflow.commit(draft(rows), nothing)
    outflow.flow()
    assert (outflow.count("pm25"), mine.size) == (170, 18)
    held = outflow.influx.query_influxql(f"SELECT pm25 FROM air WHERE node = '{NODES[4]}'")
    assert [row["time"] for row in held] == [*stamps[:3].tolist(), *stamps[13:].tolist()]


def test_a_deleted_point_may_be_written_again(outflow: Outflow) -> None:
    rows = samples(10)
    again = rows.take(np.array([0]))
    gone = [[NODES[0], int(rows.time[0] + rows.seq[0])]]
    outflow.commit(draft(rows), draft(again, "revision", json.dumps({"gone": gone}).encode()))
    outflow.flow()
    assert outflow.count("pm25") == 60


def test_deletion_waits_for_what_stands_before_it(outflow: Outflow) -> None:
    rows = samples(10)
    gone = [[NODES[0], int(rows.time[0] + rows.seq[0])]]
    header = json.dumps({"gone": gone}).encode()
    nothing = draft(rows.take(np.array([], int)), "revision", header)
    outflow.commit(draft(rows), nothing, draft(samples(10, 50)))
    outflow.flow()
    assert outflow.count("pm25") == 119


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"token": "wrong"}, "GONGI_INFLUX_TOKEN"), ({"bucket": "none"}, "GONGI_INFLUX_BUCKET")],
)
def test_a_wrong_configuration_keeps_the_blocks_and_says_what_to_check(
    outflow: Outflow, changed: dict[str, str], says: str
) -> None:
    outflow.commit(draft(samples(10)))
    cursor = outflow.start(**changed)
    wait_until(lambda: outflow.metrics.value("influx_retries") >= 3)
    assert cursor.stop()
    assert says in outflow.words[0]
    assert len(outflow.words) == 1
    assert "wrong" not in outflow.words[0]
    assert (outflow.journal.cursor(NAME), outflow.journal.rejects()) == (0, [])
    outflow.flow()
    assert outflow.count("pm25") == 60


def test_a_block_that_cannot_be_read_is_named_and_passed(outflow: Outflow) -> None:
    outflow.commit(draft(samples(1)), Draft("readings", b"not arrow"), draft(samples(1, 50)))
    outflow.flow()
    ((_, block, line, _),) = outflow.journal.rejects()
    assert (block, line) == (2, "block 2 (readings)")
    assert outflow.metrics.value("influx_unreadable_blocks") == 1
    assert outflow.metrics.value("influx_lines") == 12
    assert outflow.count("pm25") == 12


def packed(entry: object) -> bytes:
    return json.dumps([entry]).encode()


def test_what_is_left_out_is_counted_once_whatever_the_retries(outflow: Outflow) -> None:
    outflow.network = network(since=int(samples(1).time[3]))
    outflow.commit(draft(samples(1)))
    cursor = outflow.start(url="http://127.0.0.1:9")
    wait_until(lambda: outflow.metrics.value("influx_retries") >= 3)
    assert cursor.stop()
    outflow.flow()
    assert outflow.metrics.value("influx_left_out_unplaced") == 3
    assert outflow.count("pm25") == 3


def test_forecasts_and_states_arrive_too(outflow: Outflow) -> None:
    ahead = {"horizon_s": 600, "target": 2 * 10**18, "value": 31.5, "lower": 20.0, "upper": 44.25}
    issued = {"node": NODES[0], "quantity": "pm25", "issued": 10**18, "model": "r", "horizons": [ahead]}
    state = {"at": 10**18, "device": "p-1", "site": "hana", "payload": {"level": 2, "cause": 'a "b\\\nc'}}
    outflow.commit(*(Draft(*one) for one in (("forecast", packed(issued)), ("state", packed(state)))))
    outflow.flow()
    (row,) = outflow.influx.query_influxql("SELECT value, upper, horizon FROM forecast")
    assert row == {"time": 2 * 10**18, "value": 31.5, "upper": 44.25, "horizon": "600"}
    (row,) = outflow.influx.query_influxql("SELECT level, cause, room FROM actuator")
    assert row == {"time": 10**18, "level": 2, "cause": 'a "b\\\nc', "room": "1-1"}


def test_a_stations_hour_and_its_correction_are_one_point(outflow: Outflow) -> None:
    hour = 1_772_500_000 * 10**9
    for value, flag in ((31.0, 1), (29.0, 4)):
        said = [Observed("jungnang", hour, "pm25", value, flag)]
        outflow.commit(*drafts(outflow.journal, "airkorea", said))
    outflow.flow()
    (row,) = outflow.influx.query_influxql("SELECT pm25, pm25_flag, station, source FROM reference")
    assert row == {"time": hour, "pm25": 29.0, "pm25_flag": 4, "station": "jungnang", "source": "airkorea"}


def test_a_value_that_its_source_takes_back_falls_away_and_the_others_stay(outflow: Outflow) -> None:
    hour = 1_772_500_000 * 10**9
    both = [Observed("jungnang", hour, "pm25", 31.0), Observed("jungnang", hour, "pm10", 44.0)]
    outflow.commit(*drafts(outflow.journal, "airkorea", both))
    outflow.flow()
    taken = Observed("jungnang", hour, "pm25", float("nan"), 9)
    outflow.commit(*drafts(outflow.journal, "airkorea", [taken]))
    outflow.flow()
    (row,) = outflow.influx.query_influxql("SELECT pm25_flag, pm10, pm10_flag FROM reference")
    assert row == {"time": hour, "pm25_flag": 9, "pm10": 44.0, "pm10_flag": 1}
    assert outflow.influx.query_influxql("SELECT pm25 FROM reference") == []


def test_a_waiting_cursor_stops_at_once_and_lag_is_told(outflow: Outflow) -> None:
    outflow.commit(draft(samples(1)), draft(samples(1)))
    cursor = outflow.start(Backoff(first=600, cap=600), url="http://127.0.0.1:9")
    wait_until(lambda: outflow.words)
    assert outflow.metrics.value("influx_lag_blocks") == 2
    assert outflow.metrics.value("influx_lag_seconds") > 0
    assert cursor.stop(1.0)


def test_what_was_archived_before_influxdb_came_is_passed_and_counted(outflow: Outflow) -> None:
    outflow.commit(draft(samples(1)), draft(samples(1, 50)))
    with outflow.journal.transaction() as db:
        db.execute("UPDATE block SET body = NULL WHERE id = 1")
    outflow.flow()
    assert outflow.metrics.value("influx_left_out_released") == 1
    assert outflow.count("pm25") == 6


def test_energy_is_added_up_from_report_to_report_over_a_restart(outflow: Outflow) -> None:
    minute = 60 * 10**9
    told = [(0, 1, 30.0), (10, 1, 30.0), (40, 0, 0.0), (160, 1, 30.0)]
    for at, level, power in told:
        payload = {"level": level, "cause": "command", "power": power}
        state = {"at": 10**18 + at * minute, "device": "p-1", "site": "hana", "payload": payload}
        outflow.commit(Draft("state", packed(state)))
        outflow.flow()
    rows = outflow.influx.query_influxql("SELECT power, energy FROM actuator")
    assert [(row["power"], row["energy"]) for row in rows] == [(30, None), (30, 5), (0, 15), (30, None)]
