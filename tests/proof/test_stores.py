"""Journal, archive and history: all or nothing, bounded, and one series out of both."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.readings import SECOND, Array, Column, Flag, Readings, concat
from edge.wire import Letter, decode
from gateway import journal as journals
from gateway.archive import HOUR, Archive
from gateway.block import Draft, JournalError, JournalFull, Waiting
from gateway.drafts import readings_draft
from gateway.journal import Journal
from gateway.network import load
from gateway.river import Block
from tests.proof.bench import EVER, Bench, cells
from tests.proof.conftest import network_text
from tests.proof.lives import START, Batch

TOP = START - START % 3600
"""The first second of an hour."""
NOW = TOP + 5 * 86_400


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


@pytest.fixture
def bench(network: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(network, tmp_path / "data", NOW)
    yield bench
    bench.close()


def batch(seq: int, *values: float | None, hour: int = 0) -> Batch:
    up = hour * 3600 + seq
    return Batch("n1", 1, seq, 1, up, TOP + up, True, TOP, values or (10.0,))


def rows(seq: int, *values: float, hour: int = 0) -> Readings:
    topic, payload = batch(seq, *values, hour=hour).message
    return decode(["n1"], [topic], [payload], None).readings


def flagged(readings: Readings, flag: Flag) -> Readings:
    column = readings.columns["pm25"]
    changed = replace(column, flag=np.full(len(readings), flag, np.uint8))
    return readings.with_columns({"pm25": changed})


# -- journal ------------------------------------------------------------------------------------------


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    journal.commit(1, [Draft("readings", b"1")], [Letter("t", b"p", "why")])
    with pytest.raises(JournalFull):
        _half(journal)
    with pytest.raises(sqlite3.IntegrityError):
        journal.commit(2, [Draft("readings", b"2"), Draft(None, b"")], [Letter("t", b"q", "why")])  # type: ignore[arg-type]
    assert (journal.newest(), len(journal.letters()), journal.cursor("x")) == (1, 1, 0)


def _half(journal: Journal) -> None:
    with journal.transaction() as db:
        db.execute("INSERT INTO cursor VALUES ('x', 1)")
        db.execute("INSERT INTO nowhere VALUES (1)")


def test_letters_and_quarantine_are_bounded_and_what_they_give_up_is_counted(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "LETTERS", 5)
    monkeypatch.setattr(journals, "QUARANTINE", 3)
    for number in range(4):
        payload = bytes([number]) * 5000
        journal.commit(1, [], [Letter("t", payload, "why")] * 2, [Waiting("n9", "t", bytes([number]))])
    letters = journal.letters()
    assert len(letters) == 5
    assert {len(payload) for _, _, payload, _ in letters} == {4096}
    assert [waiting.payload for _, waiting in journal.waiting("n9")] == [b"\1", b"\2", b"\3"]
    assert journal.dropped == {"letter": 3, "quarantine": 1}


def test_blocks_are_never_changed_and_read_in_order(journal: Journal) -> None:
    ids = [journal.commit(n, [Draft("readings", bytes([n])), Draft("info", b"i")]) for n in range(4)]
    assert ids == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert [block.id for block in journal.blocks(2, ("readings",))] == [3, 5, 7]
    assert [block.id for block in journal.blocks(0, ("readings", "info"), 3)] == [1, 2, 3]


def test_ids_are_never_used_twice(journal: Journal) -> None:
    """A cursor that stands behind a deleted block would pass over the next one."""
    journal.commit(1, [Draft("readings", b"")] * 3)
    with journal.transaction() as db:
        db.execute("DELETE FROM block WHERE id = 3")
    assert journal.commit(1, [Draft("readings", b"")]) == [4]


def test_bodies_go_once_archived_and_passed_and_only_then(journal: Journal) -> None:
    for hour in (1, 2):
        journal.commit(1, [Draft("readings", b"x", b"h", hour * HOUR, hour * HOUR, (hour,))])
    journal.enter(1, "1.parquet", 1, "", [1])
    assert journal.release(0) == 0
    assert journal.release(2) == 1
    assert [journal.body(1), journal.body(2)] == [None, b"x"]
    assert journal.header(1) == b"h"
    assert journal.touching(0, EVER) == [2]


def test_a_journal_of_a_newer_gongi_is_refused(journal: Journal) -> None:
    journal.newest()
    journal.close()
    with sqlite3.connect(journal.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="newer than this gongi"):
        journal.newest()


def test_one_data_folder_has_one_gateway(bench: Bench) -> None:
    with pytest.raises(Exception, match="another gateway uses this data folder"):
        Bench(bench._network, bench._data, NOW)


def test_synchronous_writes(journal: Journal) -> None:
    said = {
        name: journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    }
    assert said == {"journal_mode": "wal", "synchronous": 2}


# -- a full disk --------------------------------------------------------------------------------------


def test_a_full_disk_stops_acknowledgements_and_nothing_else(bench: Bench) -> None:
    """The block stays in hand, nothing of it is known, an alarm stands; with room again it is stored."""
    gateway = bench.gateway
    bench.take([batch(1).message])
    pages = gateway.journal._db.execute("PRAGMA page_count").fetchone()[0]
    gateway.journal._db.execute(f"PRAGMA max_page_count = {pages}")
    acknowledged: list[int] = []
    seen: list[Any] = []
    gateway.receiver.ack = lambda messages: acknowledged.append(len(messages))  # type: ignore[method-assign]

    def wait(seconds: float) -> bool:
        seen.append((list(acknowledged), gateway.ledger.table()[0]["stored"], dict(gateway.live.alarms)))
        if len(seen) == 3:
            gateway.journal._db.execute("PRAGMA max_page_count = 1000000")
        return False

    gateway._stopping.wait = wait  # type: ignore[method-assign]  # instead of waiting
    news = [batch(seq, *np.random.default_rng(seq).normal(50, 9, 60).round(3)) for seq in range(2, 60)]
    bench.take([one.message for one in news])
    assert [one[0] for one in seen] == [[], [], []]
    assert all(stored == [[1, 1]] for _, stored, _ in seen)
    assert ("journal", "journal") in seen[-1][2]
    assert acknowledged == [58]
    assert gateway.ledger.table()[0]["stored"] == [[1, 59]]
    assert ("journal", "journal") not in gateway.live.alarms
    assert gateway.metrics.value("commit_failures") == 3
    assert gateway.metrics.value("conflicts") == gateway.metrics.value("doubles") == 0
    assert len(bench.stored()) == 1 + 58 * 60
    del gateway._stopping.wait


def test_a_stage_that_fails_on_one_message_blocks_no_other(bench: Bench) -> None:
    """A stage that can't be skipped fails on one of five batches: four are stored, one is a dead letter."""
    gateway, river = bench.gateway, bench.gateway.river

    def picky(block: Block) -> Block:
        if any(json.loads(message.payload)["seq"] == 3 for message in block.messages):
            raise ZeroDivisionError("three is too many")
        return block

    river.stages = (river.stages[0], ("deduplicate", picky), *river.stages[1:])
    bench.take([batch(seq).message for seq in range(1, 6)])
    assert gateway.ledger.table()[0]["stored"] == [[1, 2], [4, 5]]
    [(_, topic, _, reason)] = gateway.journal.letters()
    assert topic.endswith("/obs")
    assert "three is too many" in reason
    assert gateway.metrics.value("letters") == 1
    assert ("stage", "deduplicate") in gateway.live.alarms


def test_a_full_disk_ends_no_chore(bench: Bench) -> None:
    """Late rows wait for their flags, ended logs for their word, until there is room."""
    gateway = bench.gateway
    bench.take([batch(5, hour=2).message, batch(2).message, info(1), info(2)])
    gateway.journal.commit = full  # type: ignore[method-assign]
    for now in (0.0, 5.0, 40.0):
        for chore in gateway.chores:
            gateway._do(chore, now)
    assert gateway.metrics.value("commit_failures") >= 2
    assert gateway.metrics.value("stage_failures") == 0
    assert ("journal", "journal") in gateway.live.alarms
    del gateway.journal.commit
    for now in (50.0, 90.0):
        for chore in gateway.chores:
            gateway._do(chore, now)
    assert gateway.journal.late() == {}
    assert gateway.ledger.table()[0]["gaps"] == []


def full(*_: object, **__: object) -> list[int]:
    """The disk has no room for anything."""
    raise JournalFull("database or disk is full")


def info(log: int) -> tuple[str, bytes]:
    return "n1/info", f'{{"kind":"node","log":"{log:08x}","cursor":8}}'.encode()


def test_what_waits_in_quarantine_outlives_a_stop(bench: Bench, network: Path) -> None:
    """A gateway that is stopped while it adopts a node goes on with it after its next start."""
    bench.take([replace(batch(seq), node="n3").message for seq in (1, 2, 3)])
    network.write_text(network_text("n1", "n2", "n3"), "utf-8")
    bench.gateway._stopping.set()
    bench.gateway._adopt(load(network))
    assert bench.gateway.journal.quarantined() == {"n3": 3}
    bench.kill()
    bench.gateway._adopt(bench.gateway.live.network)
    assert bench.gateway.journal.quarantined() == {}
    assert len(bench.stored()) == 3


def test_a_full_disk_is_said_as_such(journal: Journal) -> None:
    journal.commit(1, [])
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalFull, match="full"):
        journal.commit(1, [Draft("readings", b"x" * 100_000)])
    assert journal.newest() == 0


# -- history ------------------------------------------------------------------------------------------


def test_the_newest_revision_wins_wherever_it_stands(bench: Bench) -> None:
    journal, history = bench.gateway.journal, bench.gateway.history
    for flag in (Flag.UNKNOWN, Flag.SUSPECT, Flag.GOOD):
        kind = "readings" if flag is Flag.UNKNOWN else "revision"
        journal.commit(1, readings_draft(flagged(rows(1, 5.0, 6.0), flag), 1, b"", kind))
        assert history.read(0, EVER).columns["pm25"].flag.tolist() == [flag, flag]
        bench.archive()
        assert history.read(0, EVER).columns["pm25"].flag.tolist() == [flag, flag]
    assert len(journal.files(0, 1 << 40)) == 1


BLOCKS = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 30), st.sampled_from((Flag.GOOD, Flag.FAIL)), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(BLOCKS, st.integers(0, 30), st.integers(0, 30))
def test_archive_and_journal_are_one(
    network: Path,
    tmp_path_factory: pytest.TempPathFactory,
    blocks: list[tuple[int, int, Flag, bool]],
    start: int,
    length: int,
) -> None:
    """However the rows are spread over both, a read says what the newest revisions within it say."""
    bench = Bench(network, tmp_path_factory.mktemp("history"), NOW)
    newest: dict[int, tuple[int, Flag]] = {}
    try:
        for seq, hour, flag, archive in blocks:
            hour = newest.get(seq, (hour, flag))[0]
            kind = "revision" if seq in newest else "readings"
            newest[seq] = hour, flag
            one = flagged(rows(seq, 5.0, hour=hour), flag)
            bench.gateway.journal.commit(1, readings_draft(one, 1, b"", kind))
            if archive:
                bench.archive()
        begin, end = (TOP + start * 3600) * SECOND, (TOP + (start + length) * 3600) * SECOND
        read = bench.gateway.history.read(begin, end, ["n1", "nobody"])
        column = read.columns.get("pm25") or Column.absent(0)
        found = dict(zip(read.seq.tolist(), column.flag.tolist(), strict=True))
        times = {seq: (TOP + hour * 3600 + seq) * SECOND for seq, (hour, _) in newest.items()}
        assert found == {seq: flag for seq, (_, flag) in newest.items() if begin <= times[seq] < end}
        assert len(read) == len(found)
        assert read.time.tolist() == sorted(read.time.tolist())
        assert len(bench.gateway.history.read(begin, end, ["nobody"])) == 0
    finally:
        bench.close()


# -- archive ------------------------------------------------------------------------------------------


def hours_of(bench: Bench) -> dict[str, int]:
    """The manifest: files and how many rows each has."""
    folder = bench.gateway.options.data / "archive"
    names = bench.gateway.journal.files(-(1 << 40), 1 << 40)
    on_disk = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert on_disk == sorted(names)
    return {name: len(bench.gateway.archive.load(name)[0]) for name in names}


def test_an_hour_becomes_one_file_and_is_rewritten_when_rows_come_late(bench: Bench) -> None:
    bench.take([batch(1, 1.0, 2.0).message, batch(2, 3.0, hour=1).message])
    bench.archive()
    first = hours_of(bench)
    assert list(first.values()) == [2, 1]
    bench.take([batch(3, 7.0).message])
    bench.settle()
    before = cells(bench.stored())
    bench.archive()
    second = hours_of(bench)
    assert list(second.values()) == [3, 1]
    assert len(first.keys() & second.keys()) == 1
    assert cells(bench.stored()) == before
    bench.kill()
    assert cells(bench.stored()) == before
    read = bench.gateway.archive.load(next(iter(second)))[0]
    assert read.time.tolist() == sorted(read.time.tolist())


def test_a_file_outside_the_manifest_does_not_exist(bench: Bench) -> None:
    """A crash between the writing of a file and its entry leaves no trace."""
    bench.take([batch(1, 1.0, 2.0).message])
    archive, journal = bench.gateway.archive, bench.gateway.journal
    entered: list[Any] = []
    bench.gateway.journal.enter = lambda *what: entered.append(what) or _die()  # type: ignore[method-assign]
    with pytest.raises(Dead):
        bench.archive()
    assert entered
    del journal.enter
    assert archive.files(0, EVER) == []
    bench.kill()
    assert len(bench.stored()) == 2
    bench.archive()
    bench.gateway.archiving.release()
    assert list(hours_of(bench).values()) == [2]
    assert len(bench.stored()) == 2


class Dead(BaseException):
    """The process ends here."""


def _die() -> None:
    raise Dead


def test_the_young_hour_stays_in_the_journal(network: Path, tmp_path: Path) -> None:
    bench = Bench(network, tmp_path / "young", TOP + 3600 + 1800)
    bench.take([batch(1).message])
    bench.archive()
    assert bench.gateway.journal.files(0, 1 << 40) == []
    assert len(bench.stored()) == 1
    bench.close()


def test_rows_without_a_time_wait_a_week_and_then_go_to_files_of_their_own(
    network: Path, tmp_path: Path
) -> None:
    bench = Bench(network, tmp_path / "data", TOP)
    bench.take([replace(batch(1, 1.0, 2.0), t0=None).message])
    bench.archive()
    assert hours_of(bench) == {}
    bench.now = TOP + 9 * 86_400
    bench.archive()
    (name,) = hours_of(bench)
    assert name.startswith("untimed/")
    assert len(bench.gateway.archive.load(name)[0]) == 2
    bench.close()


def test_blocks_leave_only_when_influx_has_them(bench: Bench) -> None:
    bench.take([batch(1).message])
    (number,) = bench.gateway.journal.heads("readings", 1)
    bench.gateway.archiving._readers = ("ledger", "influx")
    bench.archive()
    bench.gateway._snapshot(0)
    bench.gateway.archiving.release()
    assert bench.gateway.journal.body(number) is not None
    bench.gateway.journal.move("influx", number)
    bench.gateway.archiving.release()
    assert bench.gateway.journal.body(number) is None
    assert len(bench.stored()) == 1


def test_history_reads_one_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that moves to the archive while it is read is in the answer once."""
    bench.take([batch(1, 1.0, 2.0).message])
    files = Archive.files

    def slow(self: Archive, start: int, end: int) -> list[str]:
        found = files(self, start, end)
        monkeypatch.setattr(Archive, "files", files)
        elsewhere(bench.archive)
        return found

    monkeypatch.setattr(Archive, "files", slow)
    assert len(bench.gateway.history.read(0, EVER)) == 2
    assert len(hours_of(bench)) == 1


def test_a_file_that_is_rewritten_while_it_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.take([batch(1, 1.0, 2.0).message])
    bench.archive()
    load = Archive.load

    def slow(self: Archive, name: str) -> tuple[Readings, Array]:
        monkeypatch.setattr(Archive, "load", load)
        bench.take([batch(2, 3.0).message])
        elsewhere(bench.archive)
        bench.gateway.archive.sweep()
        return load(self, name)

    monkeypatch.setattr(Archive, "load", slow)
    assert len(bench.gateway.history.read(0, EVER)) == 3


def elsewhere(work: Callable[[], None]) -> None:
    """Do it in another thread, which has a connection of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)


def test_concat_of_nothing_is_nothing(bench: Bench) -> None:
    assert len(bench.stored()) == 0
    assert concat([]).nodes == ()


def test_what_forecasts_and_decisions_name_is_kept(bench: Bench) -> None:
    gateway = bench.gateway
    decide = dict(gateway.river.stages)["decide"]
    names = json.loads(decide._names())  # type: ignore[attr-defined]  # what each of their blocks carries
    assert set(names) == {"model", "network", "policy"}
    assert all(gateway.journal.kept(digest) for digest in names.values())
