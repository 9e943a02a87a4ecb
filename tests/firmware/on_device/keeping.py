import io
import os

from lib import record
from lib.kept import Kept
from lib.spool import Batch, Spool
from memory import COLUMNS, Random, mount, new, rows, spool, unmount, write
from sim.ramflash import PowerCut, RamFlash
from vectors import load, octets


def test_vectors_of_rows_and_records() -> None:
    vectors = load("spool")
    for case in vectors["rows"]:
        packed = bytes(record.pack_row(case["row"], case["before"]))
        assert packed == octets(case["packed"]), (case, packed)
        batch = Batch(1, 1, 0, None, 10, tuple(case["row"]), bytearray())
        if case["before"]:
            batch.take(record.pack_row(case["before"], None), 0)
        batch.take(packed, 0)
        assert rows(batch)[-1] == case["row"], case
    for case in vectors["records"]:
        framed = record.frame(case["kind"], octets(case["payload"]), int(case["log"], 16))
        assert framed == octets(case["bytes"]), (case, framed)
        got = list(record.records(io.BytesIO(framed), int(case["log"], 16)))
        assert got == [(case["kind"], octets(case["payload"]))]
        assert list(record.records(io.BytesIO(framed), 1)) == [(record.DAMAGED, b"")]


def test_what_is_written_is_read_after_reboots() -> None:
    flash, first = new()
    random = Random(1)
    written = write(first, 20, random)
    unmount()
    for boot in (2, 3, 4):
        mount(flash)
        again = spool()
        assert (again.log, again.boot, again.next) == (first.log, boot, 20 + 5 * (boot - 2) + 1)
        written.update(write(again, 5, random))
        for seq in sorted(written, key=lambda s: s * 7 % 11):
            batch = again.read(seq)
            assert rows(batch) == written[seq], seq
            assert (batch.seq, batch.up, batch.dt, batch.boot) == (
                seq,
                seq * 60,
                10,
                1 if seq <= 20 else (seq - 21) // 5 + 2,
            )
            assert batch.t0 == (None if seq % 7 == 0 else 1763778000 + seq * 60)
        unmount()


def test_boots_without_a_sample_are_counted_and_leave_one_segment() -> None:
    flash, first = new()
    unmount()
    for _ in range(5):
        mount(flash)
        last = spool()
        files = len(os.listdir("/ram/spool"))
        unmount()
    assert (last.boot, last.next, last.log, files) == (6, 1, first.log, 1)


def test_an_open_batch_ends_where_the_power_did() -> None:
    flash, one = new()
    random = Random(2)
    kept = [random.row() for _ in range(3)]
    one.begin(10, None, 10, kept[0])
    one.add(kept[1])
    one.add(kept[2])
    assert one.end == 1
    assert one.read(1) is None
    unmount()
    mount(flash)
    again = spool()
    assert (again.next, again.end) == (2, 2)
    assert rows(again.read(1)) == kept
    unmount()


def test_the_cursor_is_kept_and_never_ahead() -> None:
    flash, one = new()
    random = Random(3)
    for seq in range(1, 30):
        write(one, 1, random)
        one.cursor = seq  # all but the last have been acknowledged
    unmount()
    mount(flash)
    again = spool()
    assert 27 <= again.cursor <= 29, again.cursor
    unmount()


def test_the_oldest_segment_goes_whole_and_only_the_unsent_count() -> None:
    flash, one = new(limit=32768)
    random = Random(4)
    written = write(one, 60, random)
    one.cursor = 61
    while one.first == 1:
        written.update(write(one, 1, random))
    assert one.dropped == 0
    sent = one.cursor
    while one.first <= sent + 10:
        written.update(write(one, 1, random))
    assert one.dropped == one.first - sent, (one.dropped, one.first, sent)
    assert one.read(one.first - 1) is None
    for seq in range(one.first, one.end):
        assert rows(one.read(seq)) == written[seq]
    held, dropped = one.first, one.dropped
    assert sum(os.stat("/ram/spool/" + n)[6] for n in os.listdir("/ram/spool")) <= 32768
    unmount()
    mount(flash)
    again = spool(limit=32768)
    assert again.first >= held
    assert again.dropped >= dropped
    unmount()


def test_an_erased_flash_begins_another_log() -> None:
    _, one = new()
    unmount()
    _, other = new()
    assert one.log != other.log
    assert other.next == 1
    assert len(one.log) == 8
    unmount()


def test_other_sensors_keep_the_old_batches_with_their_own_columns() -> None:
    flash, one = new()
    written = write(one, 3, Random(5))
    unmount()
    mount(flash)
    again = spool(columns=(("co2", 1),))
    again.begin(5, None, 10, [417])
    again.close()
    assert rows(again.read(2)) == written[2]
    assert [tuple(c) for c in again.read(2).columns] == list(COLUMNS)
    assert (rows(again.read(4)), again.read(4).columns) == ([[417]], (("co2", 1),))
    unmount()


def flip(name: str, at: int) -> None:
    with open(name, "rb") as file:
        data = bytearray(file.read())
    data[at] ^= 0x40
    with open(name, "wb") as file:
        file.write(data)


def test_a_rotten_byte_costs_its_batch_and_no_other() -> None:
    flash, one = new()
    written = write(one, 12, Random(6))
    unmount()
    mount(flash)
    name = "/ram/spool/" + os.listdir("/ram/spool")[0]
    size = os.stat(name)[6]
    with open(name, "rb") as file:
        header = len(file.readline())
    whole = 0
    for at in range(header + 1, size, 211):
        flip(name, at)
        again = Spool("/ram/spool", COLUMNS, 65536, 8192)
        again.log = one.log
        again.start("test")
        missing = [seq for seq in range(1, 13) if again.read(seq) is None]
        assert len(missing) <= 1 or at == size, (at, missing)
        for seq in range(1, 13):
            batch = again.read(seq)
            if batch and rows(batch) != written[seq]:
                # Only a batch that lost its end may be shorter; other content never.
                assert rows(batch) == written[seq][: batch.count], (at, seq)
        whole += not missing
        again._file.close()
        flip(name, at)
    unmount()


def test_numbers_are_never_used_again_whatever_byte_rots() -> None:
    flash, one = new()
    write(one, 3, Random(9))
    unmount()
    mount(flash)
    write(spool(), 3, Random(10))
    unmount()
    mount(flash)
    names = sorted(os.listdir("/ram/spool"))
    newest = "/ram/spool/" + names[-1]
    for at in range(0, os.stat(newest)[6], 7):
        flip(newest, at)
        again = Spool("/ram/copy", COLUMNS, 65536, 8192)
        os.mkdir("/ram/copy")
        for name in names:
            with open("/ram/spool/" + name, "rb") as old, open("/ram/copy/" + name, "wb") as file:
                file.write(old.read())
        again.start("test")
        assert (again.next, again.log) == (7, one.log), (at, again.next)
        assert again.boot >= 3
        again._file.close()
        for name in os.listdir("/ram/copy"):
            os.remove("/ram/copy/" + name)
        os.rmdir("/ram/copy")
        flip(newest, at)
    unmount()


def size(one: Spool) -> int:
    return sum(os.stat(one.path(number))[6] for number, _ in one.segments)


def test_bytes_per_sample_hold_72_hours_in_a_megabyte() -> None:
    flash = RamFlash(80)
    mount(flash, True)
    one = spool(limit=1 << 20, segment=32768)
    before, erases, programs = size(one), flash.erases, flash.programs
    write(one, 500, Random(7))
    per_sample = (size(one) - before) / 3000
    newest = one.segments[-1]
    flashed = 4096 * (one._blocks() - one._used // 4096 - 1) / (6 * (newest[1] - 1))
    hours = ((1 << 20) - 32768) / flashed / 360
    print(
        "bytes per sample %.1f, in whole blocks %.1f: %d h in 1 MB; erases per sample %.2f, programs %.1f"
        % (
            per_sample,
            flashed,
            hours,
            (flash.erases - erases) / 3000,
            (flash.programs - programs) / 3000,
        )
    )
    assert hours >= 72
    unmount()


def test_kept_facts_are_old_or_new_at_any_cut() -> None:
    flash = RamFlash(16)
    mount(flash, True)
    before = 0
    for n in range(1, 120):
        kept = Kept("/ram/kept.json")
        kept.load()
        assert kept.facts.get("n", 0) in (before, n - 1), (n, kept.facts)
        before = kept.facts.get("n", 0)
        kept.facts = {"n": n, "hours": (("P-1", 10 * n),)}
        flash.cut, flash.share = n % 17, n * 7 % 256
        try:
            kept.store()
            before = n
        except (PowerCut, OSError):
            pass
        flash = flash.after_cut()
        mount(flash)
    assert before > 0
    unmount()


class Model:
    """What the spool must say after a cut."""

    def __init__(self) -> None:
        self.rows = {}
        self.pending = None
        self.cursor = 1


def live(one: Spool, model: Model, random: Random) -> None:
    """Write until the power is cut; a row counts as kept once its call has returned."""
    while True:
        seq = one.next
        for i in range(1 + random(7)):
            row = random.row()
            model.pending = (seq, row)
            if i:
                one.add(row)
            else:
                one.begin(seq * 60, None, 10, row)
            model.rows.setdefault(seq, []).append(row)
            model.pending = None
        one.close()
        model.cursor = one.cursor = max(one.cursor, seq - random(4))


def prove(one: Spool, model: Model, cut: int) -> None:
    """Every row that was kept is there; the one in progress may be; nothing else is."""
    if model.pending:
        seq, row = model.pending
        got = one.read(seq)
        if got and got.count == len(model.rows.get(seq, [])) + 1 and rows(got)[-1] == row:
            model.rows.setdefault(seq, []).append(row)
        model.pending = None
    newest = max(list(model.rows) + [0])
    assert one.next == newest + 1, (cut, one.next, newest)
    assert one.cursor <= max(model.cursor, one.first), (cut, one.cursor, model.cursor)
    for seq in range(max(one.first, newest - 25), newest + 1):
        batch = one.read(seq)
        assert batch is not None, (cut, seq)
        assert rows(batch) == model.rows[seq], (cut, seq)
    for seq in [s for s in model.rows if s < one.first]:
        del model.rows[seq]


def bury(flash: RamFlash, one: Spool) -> RamFlash:
    """Return the flash after the cut; close the dead boot's file now, not when its memory is collected."""
    after = flash.after_cut()
    try:
        one._file.close()
    except OSError:
        pass
    return after


CUTS = int(os.getenv("GONGI_CUTS") or 400)
SEED = int(os.getenv("GONGI_SEED") or 8)


def test_power_cuts_at_any_program_or_erase() -> None:
    flash, one = new(limit=49152, blocks=24)
    random, model = Random(SEED), Model()
    log, boot = one.log, 1
    for cut in range(CUTS):
        flash.cut, flash.share = random(60 if cut % 3 else 900), random(256)
        try:
            live(one, model, random)
        except (PowerCut, OSError):
            pass
        flash = bury(flash, one)
        mount(flash)
        flash.cut = random(40) if cut % 5 == 0 else -1
        try:
            one = spool(limit=49152)
        except (PowerCut, OSError):  # and again while it starts
            flash = flash.after_cut()
            mount(flash)
            one = spool(limit=49152)
        flash.cut = -1
        assert one.log == log
        assert one.boot > boot, (cut, one.boot, boot)
        boot = one.boot
        prove(one, model, cut)
    print(
        "cuts",
        CUTS,
        "batches",
        one.next - 1,
        "boots",
        boot,
        "erases",
        flash.erases,
        "programs",
        flash.programs,
    )
    assert one.first > 1, "the ring never went round"
    unmount()
