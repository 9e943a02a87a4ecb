"""The ledger: which batches of which log are stored, which are lost and why, which are still awaited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from edge.identity import Intervals
from edge.place import Boots, Told
from edge.readings import SECOND, UNTIMED, Readings
from gateway.block import Block
from gateway.journal import Journal

SNAPSHOT = "ledger"
GONE = "no longer in the spool"
FOREIGN = 0
"""The log of samples that came without one; their sequences are UTC seconds."""
KINDS = ("readings", "info", "lost", "clock", "placed")


class Header(msgspec.Struct, frozen=True):
    """The batches of a readings block, as packed little-endian arrays; `node` indexes `nodes`; `timed` says
    which batch came with a time of its own, `offset` is its t0 - up [s], `last` its newest sample's [ns]."""

    nodes: list[str]
    node: bytes
    log: bytes
    seq: bytes
    hash: bytes
    boot: bytes
    offset: bytes
    timed: bytes
    last: bytes

    def array(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        """One of the packed arrays."""
        return np.frombuffer(getattr(self, name), _TYPES[name])


_TYPES = {
    "node": "<i4",
    "log": "<u4",
    "seq": "<i8",
    "hash": "<u8",
    "boot": "<i8",
    "offset": "<i8",
    "timed": "u1",
    "last": "<i8",
}


@dataclass
class Log:
    """One log of one node: `cursor` is the first sequence that the node hasn't sent yet, as far as known;
    `numbered`: its sequences count up (those of foreign samples are seconds)."""

    stored: Intervals = field(default_factory=Intervals)
    lost: list[tuple[int, int, str]] = field(default_factory=list)
    cursor: int = 1
    numbered: bool = True

    def gaps(self) -> list[tuple[int, int]]:
        """Intervals below the send cursor that are neither stored nor named lost."""
        if not self.numbered:
            return []
        known = Intervals([*self.stored, *((low, high) for low, high, _ in self.lost)])
        return known.missing(1, max(self.cursor, (self.stored.high or 0) + 1) - 1)


class Ledger:
    """The state of all logs, rebuilt from a snapshot and the headers of the blocks since."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], Log] = {}
        self.current: dict[str, int] = {}
        self.boots = Boots()
        self.newest: dict[str, int] = {}
        self.block = 0

    def log(self, node: str, log: int) -> Log:
        """The named log, begun where it is new."""
        return self.logs.setdefault((node, log), Log(numbered=log != FOREIGN))

    def ended(self, node: str, log: int) -> bool:
        """Whether the node has another log now."""
        return self.current.get(node, log) != log

    def store(self, header: Header) -> None:
        """Take in a committed block's batches."""
        names = header.nodes
        arrays = (header.array(name).tolist() for name in ("node", "log", "seq", "last"))
        for node, log, seq, last in zip(*arrays, strict=True):
            name = names[node]
            self.log(name, log).stored.add(seq, seq)
            if last > self.newest.get(name, UNTIMED):
                self.newest[name] = last

    def clocked(self, header: Header) -> None:
        """Take in the clock offsets of a committed block's batches, as `boots.observe` does in the river."""
        timed = header.array("timed").astype(bool)
        arrays = (header.array(name)[timed].tolist() for name in ("node", "log", "boot", "seq", "offset"))
        for node, *told in zip(*arrays, strict=True):
            self.boots.learn(header.nodes[node], *told)

    def displaced(self, heard: Iterable[Told]) -> list[tuple[str, int, int]]:
        """Nodes whose boots these batches give another offset, and the span [ns] of what that displaces."""
        known = ((one, self.boots.offset(*one[:3])) for one in heard)
        moved = [(node, old, new) for (node, *_, new), old in known if old is not None and old != new]
        return [
            (node, min(old, new) * SECOND, self.newest.get(node, 0) + max(0, new - old) * SECOND)
            for node, old, new in moved
        ]

    def placed(self, newest: Mapping[str, int]) -> None:
        """Take in the newest times [ns] of rows that were placed after they came."""
        for node, time in newest.items():
            self.newest[node] = max(time, self.newest.get(node, UNTIMED))

    def told(self, node: str, log: int, cursor: int) -> None:
        """Take in what a node's `info` says: its present log and its send cursor."""
        self.current[node] = log
        entry = self.log(node, log)
        entry.cursor = max(entry.cursor, cursor)

    def lose(self, node: str, log: int, spans: Iterable[tuple[int, int]], reason: str) -> int:
        """Name intervals lost, but for what of them is stored or was named before; how many batches."""
        entry = self.log(node, log)
        known = Intervals([*entry.stored, *((low, high) for low, high, _ in entry.lost)])
        news = [pair for low, high in spans for pair in known.missing(low, high)]
        entry.lost += [(low, high, reason) for low, high in news]
        return sum(high - low + 1 for low, high in news)

    def table(self) -> list[dict[str, Any]]:
        """The ledger as people and programs read it, a row per (node, log)."""
        return [
            _row(node, log, entry, self.ended(node, log)) for (node, log), entry in sorted(self.logs.items())
        ]

    # -- rebuilding -------------------------------------------------------------------------------------

    def apply(self, block: Block) -> None:
        """Take in one block of the journal."""
        _APPLY[block.kind](self, block)
        self.block = block.id

    @classmethod
    def load(cls, journal: Journal) -> "Ledger":
        """The ledger as the journal's snapshot and later blocks have it."""
        ledger = cls()
        if stored := journal.snapshot(SNAPSHOT):
            ledger.block = stored[0]
            ledger._restore(msgspec.json.decode(stored[1], type=_Snapshot))
        while blocks := journal.blocks(ledger.block, KINDS):
            for block in blocks:
                ledger.apply(block)
        return ledger

    def save(self, journal: Journal, block: int) -> None:
        """Snapshot the ledger, which holds all blocks up to `block`."""
        rows = [
            _Entry(node, log, list(entry.stored), entry.lost, entry.cursor)
            for (node, log), entry in self.logs.items()
        ]
        body = msgspec.json.encode(_Snapshot(rows, self.current, self.newest, self.boots.dump()))
        journal.snap(SNAPSHOT, block, body)
        self.block = block

    def _restore(self, snapshot: "_Snapshot") -> None:
        for row in snapshot.logs:
            entry = self.log(row.node, row.log)
            entry.stored, entry.lost, entry.cursor = Intervals(row.stored), row.lost, row.cursor
        self.current, self.newest = snapshot.current, snapshot.newest
        self.boots = Boots.load(snapshot.boots)


class _Entry(msgspec.Struct):
    node: str
    log: int
    stored: list[tuple[int, int]]
    lost: list[tuple[int, int, str]]
    cursor: int


class _Snapshot(msgspec.Struct):
    logs: list[_Entry]
    current: dict[str, int]
    newest: dict[str, int]
    boots: Any


def _row(node: str, log: int, entry: Log, ended: bool) -> dict[str, Any]:
    lost = [
        {"from": first, "to": last, "reason": reason}
        for low, high, reason in entry.lost
        for first, last in entry.stored.missing(low, high)
    ]
    return {
        "node": node,
        "log": f"{log:08x}",
        "first": 1,
        "next": max(entry.cursor, (entry.stored.high or 0) + 1),
        "stored": [list(span) for span in entry.stored],
        "lost": lost,
        "gaps": [list(span) for span in entry.gaps()],
        "ended": ended,
    }


def header(readings: Readings) -> Header:
    """The header of a block of decoded readings."""
    starts = readings.batches()
    first = readings.take(starts)
    timed = first.timed()
    offset = np.where(timed, first.time // 1_000_000_000 - first.up - first.row * first.dt, 0)
    arrays: Mapping[str, Any] = {
        **{name: getattr(first, name) for name in ("node", "log", "seq", "hash", "boot")},
        "offset": offset,
        "timed": timed,
        "last": readings.time[np.append(starts[1:], len(readings)) - 1] if starts.size else starts,
    }
    packed = {name: np.asarray(array).astype(_TYPES[name]).tobytes() for name, array in arrays.items()}
    return Header(nodes=list(first.nodes), **packed)


def _readings(ledger: Ledger, block: Block) -> None:
    head = msgspec.msgpack.decode(block.header, type=Header)
    ledger.store(head)
    ledger.clocked(head)


def _clock(ledger: Ledger, block: Block) -> None:
    ledger.clocked(msgspec.msgpack.decode(block.header, type=Header))


def _placed(ledger: Ledger, block: Block) -> None:
    ledger.placed(msgspec.json.decode(block.header, type=dict[str, int]))


def _info(ledger: Ledger, block: Block) -> None:
    for row in msgspec.json.decode(block.header or b"[]", type=list[tuple[str, int, int]]):
        ledger.told(*row)


class Lost(msgspec.Struct, frozen=True):
    """An interval of a log that will never be stored, and why."""

    node: str
    log: int
    low: int
    high: int
    reason: str


def _lost(ledger: Ledger, block: Block) -> None:
    for one in msgspec.json.decode(block.header, type=list[Lost]):
        ledger.lose(one.node, one.log, [(one.low, one.high)], one.reason)


_APPLY = {"readings": _readings, "info": _info, "lost": _lost, "clock": _clock, "placed": _placed}
