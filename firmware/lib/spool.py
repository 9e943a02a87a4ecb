"""The node's memory: append-only segment files of samples, each kept from the moment it is flushed.

A segment belongs to one boot and begins with a line that says so; a batch is an opening record (which carries
the first row and the send cursor), rows, and a closing record. A batch without the last ends where power did.
No file is ever rewritten; the oldest segment is removed whole when the spool is full.
"""

import binascii
import os
import struct
from array import array

from lib import record, wire
from lib.seldom import call
from micropython import const

_SEGMENT_BYTES = const(32768)
_BLOCK = const(4096)
OPENING = "<IIIIH"  # seq, up, t0 (0: none), cursor, dt
_OPENING_SIZE = const(18)


class Batch:
    """Consecutive samples `dt` [s] apart, the first at uptime `up` [s]; its packed rows lie in the spool's
    own memory `data` and stand until the spool's next `read`."""

    def __init__(
        self, seq: int, boot: int, up: int, t0: int | None, dt: int, columns: tuple, data: bytearray
    ) -> None:
        self.seq = seq
        self.boot = boot
        self.up = up
        self.t0 = t0
        self.dt = dt
        self.columns = columns
        self.count = 0
        self.size = 0
        self._data = data
        self._starts = array("H")

    def take(self, payload: bytes, at: int) -> None:
        """Append the packed row at `at`."""
        start = self.size
        self.size += len(payload) - at
        if self.size > len(self._data):
            self._data.extend(bytes(self.size - len(self._data)))
        self._data[start : self.size] = memoryview(payload)[at:]
        self._starts.append(start)
        self.count += 1

    def values(self):
        """Yield the values, column after column, each from the first row to the last; None: it is missing."""
        data, places = self._data, array("H", self._starts)
        for _ in self.columns:
            value = 0
            for row in range(self.count):
                at = places[row]
                n = shift = 0
                while data[at] > 127:
                    n |= (data[at] & 127) << shift
                    shift += 7
                    at += 1
                n |= data[at] << shift
                places[row] = at + 1
                value = value + (n >> 1 if n & 1 else -(n >> 1)) if n else 0
                yield value if n else None


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
        self.segments: list = []  # of each file its number, which is its name, and its first sequence
        self._used = 0  # bytes of the newest
        self._file: object = None
        self._before: list | None = None
        self._sum = 0
        self._hint: tuple = (0, 0, 0, None)  # segment, the sequence that follows where, its header
        # One for all batches read; it grows to the largest.
        self._data = bytearray(rows * len(columns) * 3 // 2)

    @property
    def first(self) -> int:
        """The lowest sequence held; equals `next` when there is none."""
        return self.segments[0][1]

    @property
    def end(self) -> int:
        """One above the last closed sequence."""
        return self.next - 1 if self.rows else self.next

    def start(self, cause: str) -> None:
        """Find what earlier boots have left, or format; begin this boot's first segment."""
        call("lib.scan", "scan", self)
        if not self.segments:
            self.log = binascii.hexlify(os.urandom(4)).decode()
        self._salt = int(self.log, 16)
        self.boot += 1
        empty = self.segments[-1] if self.segments and self.segments[-1][1] == self.next else None
        self._roll(cause)
        if empty:
            self._remove(empty)

    def begin(self, up: int, t0: int | None, dt: int, row: list) -> None:
        """Open a batch with its first row."""
        room = _OPENING_SIZE + 4 + wire.MAX_ROWS * (3 * len(self.columns) + 4)
        if self._used > self.segment - room:
            self._roll(None)
        payload = record.pack_row(row, None)
        self._sum = binascii.crc32(payload)
        self._write(record.OPEN, struct.pack(OPENING, self.next, up, t0 or 0, self.cursor, dt) + payload)
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
        for number, first in reversed(self.segments):
            if first <= seq:
                return self._find(number, seq)
        return None

    def path(self, number: int) -> str:
        """Return where a segment lies."""
        return "%s/%08x" % (self.folder, number)

    def _roll(self, cause: str | None) -> None:
        """Begin the next segment; the oldest go where there is no room for a full one."""
        if self._file:
            self._file.close()
        while len(self.segments) > 1 and self._blocks() * _BLOCK + self.segment > self.limit:
            self._evict()
        number = self.segments[-1][0] + 1 if self.segments else 1
        line = call("lib.scan", "line", self, cause)
        self._file = open(self.path(number), "ab")
        self._file.write(line)
        self._file.flush()
        self.segments.append((number, self.next))
        self._used = len(line)

    def _blocks(self) -> int:
        return sum([os.stat(self.path(number))[6] // _BLOCK + 1 for number, _ in self.segments])

    def _evict(self) -> None:
        first, after = self.first, self.segments[1][1]
        self.dropped += max(0, after - max(first, self.cursor))
        self.cursor = max(self.cursor, after)
        self._remove(self.segments[0])

    def _remove(self, segment: tuple) -> None:
        os.remove(self.path(segment[0]))
        self.segments.remove(segment)

    def _write(self, kind: int, payload: bytes | bytearray) -> None:
        data = record.frame(kind, payload, self._salt)
        self._file.write(data)
        self._file.flush()
        self._used += len(data)

    def _find(self, number: int, seq: int) -> Batch | None:
        with open(self.path(number), "rb") as file:
            last, following, offset, header = self._hint
            if number != last:
                header = call("lib.scan", "header", file, self.columns)
            elif following <= seq:
                file.seek(offset)
            else:
                file.readline()
            self._hint = (number, seq + 1, file.tell(), header)
            return self._decode(file, number, seq, header)

    def _decode(self, file: object, number: int, seq: int, header: dict) -> Batch | None:
        batch = None
        total = 0
        for kind, payload in record.records(file, self._salt):
            if kind == record.OPEN:
                if batch:
                    return batch
                found, up, t0, _, dt = struct.unpack_from(OPENING, payload)
                if found == seq:
                    batch = Batch(seq, header["boot"], up, t0 or None, dt, header["columns"], self._data)
                    batch.take(payload, _OPENING_SIZE)
                    total = binascii.crc32(payload[_OPENING_SIZE:])
            elif batch and kind == record.ROW:
                batch.take(payload, 0)
                total = binascii.crc32(payload, total)
            elif batch and kind == record.CLOSE:
                self._hint = (number, seq + 1, file.tell(), header)
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
