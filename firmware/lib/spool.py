"""The node's memory: append-only segment files of samples, each kept from the moment it is flushed.

A segment belongs to one boot and begins with a line that says so; a batch is an opening record (which carries
the first row and the send cursor), rows, and a closing record. A batch without the last ends where power did.
No file is ever rewritten; the oldest segment is removed whole when the spool is full.
"""

import binascii
import json
import os
import struct
from array import array

from lib import record, wire
from micropython import const

_SEGMENT_BYTES = const(32768)
_BLOCK = const(4096)
_OPEN = "<IIIIH"  # seq, up, t0 (0: none), cursor, dt
_OPEN_SIZE = struct.calcsize(_OPEN)


class Batch:
    """Consecutive samples `dt` [s] apart, the first at uptime `up` [s]; its `values`, row after row, are the
    spool's own and stand until its next `read`."""

    def __init__(
        self, seq: int, boot: int, up: int, t0: int | None, dt: int, columns: list, values: array
    ) -> None:
        self.seq = seq
        self.boot = boot
        self.up = up
        self.t0 = t0
        self.dt = dt
        self.columns = columns
        self.values = values
        self.count = 0

    def take(self, payload: bytes, at: int) -> None:
        """Append the packed row at `at`."""
        width = len(self.columns)
        base = self.count * width
        if len(self.values) < base + width:
            self.values.extend(array("i", bytes(4 * (base + width - len(self.values)))))
        record.unpack_row(payload, at, self.values, base, width)
        self.count += 1

    def rows(self) -> list:
        """Return the rows as lists of integers and None."""
        width = len(self.columns)
        values = [None if v == record.MISSING else v for v in self.values[: self.count * width]]
        return [values[i : i + width] for i in range(0, len(values), width)]


class Segment:
    """What the spool remembers of a segment file: number (its name), first sequence, bytes."""

    def __init__(self, number: int, first: int, size: int) -> None:
        self.number = number
        self.first = first
        self.size = size

    def blocks(self) -> int:
        """Return the bytes it occupies in flash."""
        return (self.size // _BLOCK + 1) * _BLOCK


class Spool:
    """Samples in a folder; `start` scans it, then it is written by begin, add, close and read by sequence."""

    def __init__(
        self, folder: str, columns: tuple, limit: int, segment: int = _SEGMENT_BYTES, rows: int = 6
    ) -> None:
        self.folder = folder
        self.columns = columns
        self.limit = limit
        self.segment = segment
        self.log = ""
        self.boot = 0
        self.next = 1
        self.cursor = 1
        self.dropped = 0
        self.damaged = 0
        self.rows = 0
        self._segments = []
        self._file = None
        self._before = None
        self._sum = 0
        self._hint = (0, 0, 0)
        # One for all batches read; it grows to the largest.
        self._values = array("i", bytes(4 * rows * len(columns)))

    @property
    def first(self) -> int:
        """The lowest sequence held; equals `next` when there is none."""
        return self._segments[0].first

    @property
    def end(self) -> int:
        """One above the last closed sequence."""
        return self.next - 1 if self.rows else self.next

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(s.size for s in self._segments)

    def start(self, cause: str) -> None:
        """Find what earlier boots have left, or format; begin this boot's first segment."""
        self._scan()
        if not self._segments:
            self.log = binascii.hexlify(os.urandom(4)).decode()
        self._salt = int(self.log, 16)
        if self._segments:
            self._resume()
        self.boot += 1
        empty = self._segments[-1] if self._segments and self._segments[-1].first == self.next else None
        self._roll(cause)
        if empty:
            self._remove(empty)

    def begin(self, up: int, t0: int | None, dt: int, row: list) -> None:
        """Open a batch with its first row."""
        room = _OPEN_SIZE + 4 + wire.MAX_ROWS * (3 * len(self.columns) + 4)
        if self._segments[-1].size > self.segment - room:
            self._roll(None)
        payload = record.pack_row(row, None)
        self._sum = binascii.crc32(payload)
        self._write(record.OPEN, struct.pack(_OPEN, self.next, up, t0 or 0, self.cursor, dt) + payload)
        self.next += 1
        self.rows = 1
        self._before = row

    def add(self, row: list) -> None:
        """Append a row to the open batch."""
        payload = record.pack_row(row, self._before)
        self._sum = binascii.crc32(payload, self._sum)
        self._write(record.ROW, payload)
        self.rows += 1
        self._before = row

    def close(self) -> None:
        """Close the open batch, if there is one."""
        if self.rows:
            rows, self.rows = self.rows, 0
            self._write(record.CLOSE, struct.pack("<BI", rows, self._sum))

    def read(self, seq: int) -> Batch | None:
        """Return a closed batch, None when the spool no longer holds it."""
        if not self.first <= seq < self.end:
            return None
        for segment in reversed(self._segments):
            if segment.first <= seq:
                return self._find(segment, seq)
        return None

    def _path(self, number: int) -> str:
        return "%s/%08x" % (self.folder, number)

    def _scan(self) -> None:
        try:
            os.mkdir(self.folder)
        except OSError:  # it is there
            pass
        for name in sorted(os.listdir(self.folder)):
            path = self.folder + "/" + name
            header = self._header(path)
            if header is None:
                self._bury(path)
                continue
            self._segments.append(Segment(int(name, 16), header["first"], os.stat(path)[6]))
            self.log, self.boot, self.dropped = header["log"], header["boot"], header["dropped"]
            self.next, self.cursor = header["first"], header["cursor"]

    def _bury(self, path: str) -> None:
        """Remove a segment without a header, cut when it was made or rotten; its numbers stay spent."""
        if self.log:
            with open(path, "rb") as file:
                file.readline()
                self._follow(file)
            self.boot += 1
        os.remove(path)

    def _header(self, path: str) -> dict | None:
        with open(path, "rb") as file:
            return self._read_header(file)

    def _read_header(self, file: object) -> dict | None:
        line = file.readline()
        if len(line) < 11 or binascii.hexlify(binascii.crc32(line[:-10]).to_bytes(4, "big")) != line[-9:-1]:
            return None
        return json.loads(line[:-10])

    def _resume(self) -> None:
        """Continue behind the newest segment's last batch."""
        buried = self.next
        with open(self._path(self._segments[-1].number), "rb") as file:
            self.next = self._read_header(file)["first"]
            self._follow(file)
        self.next = max(self.next, buried)

    def _follow(self, file: object) -> None:
        opened = False
        for kind, payload in record.records(file, int(self.log, 16)):
            if kind == record.OPEN:
                seq, _, _, self.cursor, _ = struct.unpack_from(_OPEN, payload)
                self.next = seq + 1
            elif kind != record.DAMAGED and not opened:  # its opening record is lost, its number is spent
                self.next += 1
            opened = kind in (record.OPEN, record.ROW) or (opened and kind == record.DAMAGED)

    def _roll(self, cause: str | None) -> None:
        """Begin the next segment; the oldest go where there is no room for a full one."""
        if self._file:
            self._file.close()
        while len(self._segments) > 1 and sum(s.blocks() for s in self._segments) + self.segment > self.limit:
            self._evict()
        number = self._segments[-1].number + 1 if self._segments else 1
        header = wire.text(
            (
                ("log", self.log),
                ("boot", self.boot),
                ("cause", cause),
                ("first", self.next),
                ("cursor", self.cursor),
                ("dropped", self.dropped),
                ("columns", [[n, s] for n, s in self.columns]),
            )
        )
        line = header + b" " + binascii.hexlify(binascii.crc32(header).to_bytes(4, "big")) + b"\n"
        self._file = open(self._path(number), "ab")
        self._file.write(line)
        self._file.flush()
        self._segments.append(Segment(number, self.next, len(line)))

    def _evict(self) -> None:
        oldest = self._segments[0]
        after = self._segments[1].first
        self.dropped += max(0, after - max(oldest.first, self.cursor))
        self.cursor = max(self.cursor, after)
        self._remove(oldest)

    def _remove(self, segment: Segment) -> None:
        os.remove(self._path(segment.number))
        self._segments.remove(segment)

    def _write(self, kind: int, payload: bytes) -> None:
        data = record.frame(kind, payload, self._salt)
        self._file.write(data)
        self._file.flush()
        self._segments[-1].size += len(data)

    def _find(self, segment: Segment, seq: int) -> Batch | None:
        with open(self._path(segment.number), "rb") as file:
            header = self._read_header(file)
            number, following, offset = self._hint
            if number == segment.number and following <= seq:
                file.seek(offset)
            return self._decode(file, segment.number, header, seq)

    def _decode(self, file: object, number: int, header: dict, seq: int) -> Batch | None:
        batch = None
        total = 0
        for kind, payload in record.records(file, self._salt):
            if kind == record.OPEN:
                if batch:
                    return batch
                found, up, t0, _, dt = struct.unpack_from(_OPEN, payload)
                if found == seq:
                    batch = Batch(seq, header["boot"], up, t0 or None, dt, header["columns"], self._values)
                    batch.take(payload, _OPEN_SIZE)
                    total = binascii.crc32(payload[_OPEN_SIZE:])
            elif batch and kind == record.ROW:
                batch.take(payload, 0)
                total = binascii.crc32(payload, total)
            elif batch and kind == record.CLOSE:
                self._hint = (number, seq + 1, file.tell())
                return self._proved(batch, payload, total)
            elif batch:
                return self._cut(file, batch)
        return batch

    def _proved(self, batch: Batch, payload: bytes, total: int) -> Batch | None:
        if struct.unpack("<BI", payload) == (batch.count, total):
            return batch
        self.damaged += 1
        return None

    def _cut(self, file: object, batch: Batch) -> Batch | None:
        """Keep what stands before a torn end; a batch that goes on behind the damage is not whole."""
        for kind, _ in record.records(file, self._salt):
            if kind == record.OPEN:
                break
            if kind != record.DAMAGED:
                self.damaged += 1
                return None
        return batch
