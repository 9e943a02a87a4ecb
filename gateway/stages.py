"""The stages from bytes to the journal; what looks ahead and acts stands in `gateway.control`."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec
import numpy as np

from edge import calibrate, check, report, wire
from edge.place import told_by_doubles
from edge.readings import UNTIMED, Array, Flag, Readings
from edge.report import Info, Report
from edge.wire import Address, Letter
from gateway.archive import HOUR
from gateway.clock import Clock
from gateway.doubles import Doubles, Name
from gateway.hear import Hear
from gateway.journal import Draft, Journal, Waiting
from gateway.ledger import Ledger, Lost, header
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.pack import pack
from gateway.receive import Message
from gateway.river import Block

OURS = frozenset({"set", "cmd"})
"""Kinds of message that gateways send: seen again because we listen to the whole root."""

REPORTS = frozenset({"info", "reply", "state", "status"})
_KINDS = REPORTS | {"obs", "forecast"}


class Decode:
    """Bytes to readings, reports, quarantined messages and dead letters."""

    def __init__(self, live: Live, clock: Clock, metrics: Metrics) -> None:
        self._live, self._clock, self._metrics = live, clock, metrics
        self._address = lru_cache(maxsize=1 << 18)(lambda topic: wire.address(live.network.root, topic))

    def __call__(self, block: Block) -> Block:
        known, where = self._live.network.nodes, self._address
        obs = [
            (message, address)
            for message in block.messages
            if (address := where(message.topic)) and address.kind == "obs" and address.device in known
        ]
        other = _Sorted([], [], [], Counter(obs=len(obs)))
        if len(obs) < len(block.messages):
            for message in block.messages:
                self._sort(message, other)
        decoded = wire.decode(
            [address.device for _, address in obs],
            [message.topic for message, _ in obs],
            [message.payload for message, _ in obs],
            self._clock.now(),
        )
        letters = (*block.letters, *other.letters, *decoded.letters, *decoded.impossible)
        self._count(decoded, len(letters), other)
        return replace(
            block,
            readings=decoded.readings,
            reports=tuple(other.reports),
            letters=letters,
            waiting=tuple(other.waiting),
        )

    def _sort(self, message: Message, out: "_Sorted") -> None:
        """Put a message that isn't a known node's `obs` where it belongs."""
        address = self._address(message.topic)
        kind = address.kind if address and address.kind in _KINDS else "other"
        if address is None:
            self._other(message, out)
        elif kind == "obs":
            if address.device in self._live.network.nodes:
                return
            self._strange(address, message, out)
        elif kind in REPORTS:
            self._report(address, message, out)
        elif address.kind not in OURS and kind != "forecast":
            reason = f"unknown kind of message: {address.kind}"
            out.letters.append(Letter(message.topic, message.payload, reason))
        out.kinds[kind] += 1

    def _strange(self, address: Address, message: Message, out: "_Sorted") -> None:
        if len(message.payload) > wire.MAX_BYTES:
            reason = f"{len(message.payload)} bytes, at most {wire.MAX_BYTES} are allowed"
            out.letters.append(Letter(message.topic, message.payload, reason))
        else:
            out.waiting.append(Waiting(address.device, message.topic, message.payload))

    def _report(self, address: Address, message: Message, out: "_Sorted") -> None:
        if not message.payload:
            return  # a retained topic was cleared
        found = report.decode(address.kind, message.topic, message.payload)
        if isinstance(found, Letter):
            out.letters.append(found)
        else:
            out.reports.append((address, found))

    def _other(self, message: Message, out: "_Sorted") -> None:
        root = self._live.network.root
        if message.topic == f"{root}/time":
            self._announce(message, out)
        elif not re.fullmatch(rf"{re.escape(root)}/gateway/{wire.ID}/status", message.topic):
            self._metrics.count("unknown_topics")
            out.letters.append(Letter(message.topic, message.payload, "the topic is not of the wire"))

    def _announce(self, message: Message, out: "_Sorted") -> None:
        try:
            second = msgspec.json.decode(message.payload, type=int)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            out.letters.append(Letter(message.topic, message.payload, f"not a UTC second: {error}"))
            return
        if wire.EARLIEST <= second <= wire.LATEST:
            self._clock.announce(second)

    def _count(self, decoded: wire.Decoded, letters: int, out: "_Sorted") -> None:
        for kind, amount in out.kinds.items():
            self._metrics.count("messages", amount, kind=kind)
        counts = {
            "letters": letters,
            "unknown_fields": sum(decoded.unknown.values()),
            "impossible_times": len(decoded.impossible),
            "quarantined": len(out.waiting),
        }
        for name, amount in counts.items():
            self._metrics.count(name, amount)


@dataclass(slots=True)
class _Sorted:
    """A block's messages but known nodes' samples, by what they are, and how many came of each kind."""

    reports: list[tuple[Address, Report]]
    letters: list[Letter]
    waiting: list[Waiting]
    kinds: Counter[str]


class Deduplicate:
    """Lets each batch through once: what is stored, or came earlier in the block, falls out by its name."""

    def __init__(self, ledger: Ledger, doubles: Doubles, metrics: Metrics) -> None:
        self._ledger, self._doubles, self._metrics = ledger, doubles, metrics

    def __call__(self, block: Block) -> Block:
        readings = block.readings
        if not len(readings):
            return block
        starts = readings.batches()
        first = readings.take(starts)
        keep, again = self._known(first)
        if not again:
            return block
        doubles, conflicts = self._compare(first, again, keep)
        rows = np.repeat(keep, np.diff(starts, append=len(readings)))
        self._metrics.count("doubles", len(doubles))
        self._metrics.count("conflicts", len(conflicts))
        letters = tuple(_conflict(block.messages, name) for name in conflicts)
        return replace(
            block,
            readings=readings.take(rows),
            doubles=first.take(doubles),
            letters=(*block.letters, *letters),
        )

    def _known(self, first: Readings) -> tuple[Array, dict[int, Name]]:
        keep, again, seen = np.ones(len(first), bool), {}, set()
        logs, nodes = self._ledger.logs, first.nodes
        for place, (code, log, seq) in enumerate(
            zip(first.node.tolist(), first.log.tolist(), first.seq.tolist(), strict=True)
        ):
            name = (nodes[code], log, seq)
            entry = logs.get(name[:2])
            if name in seen or (entry is not None and seq in entry.stored):
                keep[place], again[place] = False, name
            seen.add(name)
        return keep, again

    def _compare(self, first: Readings, again: dict[int, Name], keep: Array) -> tuple[Array, list[Name]]:
        """Positions of true doubles, and the names under which other content came."""
        fresh = {
            (first.nodes[code], log, seq): content
            for code, log, seq, content in zip(
                *(getattr(first, name)[keep].tolist() for name in ("node", "log", "seq", "hash")), strict=True
            )
        }
        places = np.array(list(again), np.int64)
        times = first.time[places]
        timed = times[times != UNTIMED]
        start, end = (int(timed.min()), int(timed.max()) + HOUR) if timed.size else (0, 0)
        stored = fresh | self._doubles.hashes(
            {name for name in again.values() if name not in fresh}, start, end
        )
        same = np.array([stored.get(again[place]) == int(first.hash[place]) for place in again], bool)
        return places[same], [again[int(place)] for place in places[~same]]


def _conflict(messages: Sequence[Message], name: Name) -> Letter:
    node, log, seq = name
    reason = f"conflict: batch {seq} of log {log:08x} is stored with other content"
    for message in messages:
        if f"/{node}/obs" in message.topic and f'"seq":{seq},'.encode() in message.payload:
            return Letter(message.topic, message.payload, reason)
    return Letter(f"(node {node})", b"", reason)


class Check:
    """Quality control; its state moves on only once the block is committed."""

    def __init__(self, live: Live, state: check.CheckState) -> None:
        self._live, self.state = live, state

    def __call__(self, block: Block) -> Block:
        readings, state = check.check(block.readings, self.state, self._live.network)
        return replace(block, readings=readings, then=block.after(lambda: self._move(state)))

    def _move(self, state: check.CheckState) -> None:
        self.state = state


class Calibrate:
    """Calibrated values and their uncertainty beside the raw ones."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def __call__(self, block: Block) -> Block:
        return replace(block, readings=calibrate.calibrate(block.readings, self._live.network))


class Journalise:
    """Commits the block; what hangs on it (intervals, states, what is shown) follows in `then`."""

    def __init__(self, journal: Journal, ledger: Ledger, live: Live, metrics: Metrics, hear: Hear) -> None:
        self._journal, self._ledger, self._live, self._metrics = journal, ledger, live, metrics
        self._hear = hear

    def __call__(self, block: Block) -> Block:
        head = header(block.readings)
        drafts = [*readings_draft(block.readings, block.at, msgspec.msgpack.encode(head))]
        drafts += report_drafts(block, self._live)
        told = self._told(block.doubles)
        drafts += [Draft("clock", b"", msgspec.msgpack.encode(header(told)))] if len(told) else []
        late = _late(block.readings)
        if drafts or block.letters or block.waiting:
            self._journal.commit(block.at, drafts, block.letters, block.waiting, late)
        self._ledger.store(head)
        self._ledger.boots.observe(block.readings)
        self._ledger.boots.observe(told)
        for step in block.then:
            step()
        self._hear(block.reports, block.at)
        self._count(block.readings, len(head.seq) // 8)
        return block

    def _told(self, doubles: Readings) -> Readings:
        """Doubles that bring a time to a boot that has none."""
        told = told_by_doubles(doubles) if len(doubles) else doubles
        keys = zip(told.node.tolist(), told.log.tolist(), told.boot.tolist(), strict=True)
        news = [self._ledger.boots.offset(told.nodes[code], log, boot) is None for code, log, boot in keys]
        return told.take(np.array(news, bool))

    def _count(self, readings: Readings, batches: int) -> None:
        self._metrics.count("batches_stored", batches)
        self._metrics.count("samples_stored", len(readings))
        self._metrics.count("untimed", int((~readings.timed()).sum()))
        for flag in (Flag.SUSPECT, Flag.FAIL):
            cells = sum(int((column.flag == flag).sum()) for column in readings.columns.values())
            self._metrics.count("flagged", cells, flag=flag.name.lower())


def readings_draft(readings: Readings, at: int, head: bytes, kind: str = "readings") -> list[Draft]:
    """The block of these rows, if there are any, with the archive hours that they touch."""
    if not len(readings):
        return []
    time = readings.time[readings.timed()]
    first, last = (int(time.min()), int(time.max())) if time.size else (None, None)
    touched = np.unique(time // HOUR).tolist()
    if time.size < len(readings):
        touched.append(untimed_hour(at))
    return [Draft(kind, pack(readings), head, first, last, tuple(touched))]


def untimed_hour(at: int) -> int:
    """The archive's key of untimed rows that arrived at `at` [ns]: below zero, the older the greater."""
    return -(at // HOUR) - 1


def report_drafts(block: Block, live: Live) -> list[Draft]:
    """Blocks of what devices said beside their samples."""
    drafts = []
    for kind, form in (("info", Info), ("state", report.State)):
        said = [(address, one) for address, one in block.reports if isinstance(one, form)]
        if said:
            body = [_said(block.at, address, one) for address, one in said]
            told = [
                (address.device, int(one.log, 16), one.cursor or 0)
                for address, one in said
                if isinstance(one, Info) and one.log and address.device in live.network.nodes
            ]
            drafts.append(Draft(kind, msgspec.json.encode(body), msgspec.json.encode(told)))
    gone = [
        lost
        for address, one in block.reports
        if isinstance(one, report.Reply)
        for lost in _gone(address, one)
    ]
    if gone:
        drafts.append(lost_draft(gone))
    return drafts


def _said(at: int, address: Address, one: Report) -> dict[str, object]:
    return {"at": at, "site": address.site, "device": address.device, "payload": msgspec.to_builtins(one)}


def _gone(address: Address, reply: report.Reply) -> list[Lost]:
    if reply.log is None:
        return []
    reason = "no longer in the spool"
    return [Lost(address.device, int(reply.log, 16), low, high, reason) for low, high in reply.gone]


def lost_draft(lost: Sequence[Lost]) -> Draft:
    """The block that names intervals lost."""
    return Draft("lost", b"", msgspec.json.encode(lost))


def _late(readings: Readings) -> list[tuple[str, int, int]]:
    """Nodes with late rows, and the first and last time [ns] of these."""
    late = check.late(readings)
    nodes, times = readings.node[late], readings.time[late]
    return [
        (readings.nodes[code], int(times[nodes == code].min()), int(times[nodes == code].max()))
        for code in np.unique(nodes).tolist()
    ]
