"""The stages between decoding and the journal; what looks ahead and acts stands in `gateway.control`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from edge import calibrate, check, wire
from edge.correction.memory import Memory
from edge.network import Network
from edge.place import told_by_doubles
from edge.readings import UNTIMED, Array, Flag, Readings
from edge.wire import Letter
from gateway.archive import HOUR
from gateway.block import Draft
from gateway.doubles import Doubles, Name
from gateway.drafts import late_rows, readings_draft, report_drafts
from gateway.hear import Hear
from gateway.journal import Journal
from gateway.ledger import Ledger, header
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.receive import Message
from gateway.river import Block


class Deduplicate:
    """Lets each batch through once: what is stored, or came earlier in the block, falls out by its name."""

    def __init__(self, ledger: Ledger, doubles: Doubles, alarms: Alarms, metrics: Metrics) -> None:
        self._ledger, self._doubles = ledger, doubles
        self._alarms, self._metrics = alarms, metrics

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
        letters = tuple(_conflict(block.messages, first.take(place)) for place in conflicts.reshape(-1, 1))
        return replace(
            block,
            readings=readings.take(rows),
            doubles=first.take(doubles),
            letters=(*block.letters, *letters),
            then=block.after(lambda: self._count(len(doubles), [again[at] for at in conflicts.tolist()])),
        )

    def _count(self, doubles: int, conflicts: Sequence[Name]) -> None:
        self._metrics.count("doubles", doubles)
        self._metrics.count("conflicts", len(conflicts))
        for node, log, seq in conflicts:
            self._alarms.raised("conflict", node, log=f"{log:08x}", seq=str(seq))

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

    def _compare(self, first: Readings, again: dict[int, Name], keep: Array) -> tuple[Array, Array]:
        """Positions of true doubles, and of batches whose name stands for other content."""
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
        return places[same], places[~same]


def _conflict(messages: Sequence[Message], one: Readings) -> Letter:
    """The letter that keeps the message of a conflicting batch, of which `one` is the first row."""
    node, seq = one.nodes[one.node[0]], int(one.seq[0])
    reason = f"conflict: batch {seq} of log {int(one.log[0]):08x} is stored with other content"
    for message in messages:
        if message.topic.endswith(f"/{node}/obs") and str(seq).encode() in message.payload:
            rows = wire.decode([node], [message.topic], [message.payload], None).readings
            if len(rows) and all(
                getattr(rows, key)[0] == getattr(one, key)[0] for key in ("log", "seq", "hash")
            ):
                return Letter(message.topic, message.payload, reason)
    return Letter(f"(node {node})", b"", reason)


class Check:
    """Quality control; its state moves on only once the block is committed."""

    def __init__(self, live: Live, state: check.CheckState) -> None:
        self._live, self.state = live, state

    def __call__(self, block: Block) -> Block:
        readings, state = check.check(block.readings, self.state, self._live.network)
        return replace(block, readings=readings, owed=state.owed, then=block.after(lambda: self._move(state)))

    def _move(self, state: check.CheckState) -> None:
        self.state = state


class Calibrate:
    """Calibrated values and their uncertainty beside the raw ones; its memory moves on only once the block is
    committed. `recall` tells what is to be remembered when changed network files want more of it."""

    def __init__(self, live: Live, memory: Memory, recall: Callable[[Network], Memory]) -> None:
        self._live, self.memory, self._recall = live, memory, recall
        self._network = live.network

    def __call__(self, block: Block) -> Block:
        network = self._live.network
        if network is not self._network:
            if not calibrate.covered(network, self._network):
                self.memory = self._recall(network)
            self._network = network
        readings, memory = calibrate.correct(block.readings, self.memory, network)
        return replace(block, readings=readings, then=block.after(lambda: self._move(memory)))

    def _move(self, memory: Memory) -> None:
        self.memory = memory


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
        heard = [*self._ledger.boots.heard(block.readings), *self._ledger.boots.heard(told)]
        late = [*late_rows(block.readings), *self._ledger.displaced(heard)]
        late += [(node, time, time) for node, time in block.owed]
        if drafts or block.letters or block.waiting:
            self._journal.commit(block.at, drafts, block.letters, block.waiting, late)
        self._ledger.store(head)
        for one in heard:
            self._ledger.boots.learn(*one)
        for step in block.then:
            step()
        self._hear(block.reports, block.at)
        self._count(block.readings, len(head.seq) // 8)
        return block

    def _told(self, doubles: Readings) -> Readings:
        """Doubles that bring a boot's time before any lower sequence of it has."""
        told = told_by_doubles(doubles) if len(doubles) else doubles
        news = {(node, log, seq) for node, log, _, seq, _ in self._ledger.boots.heard(told)}
        names = zip(told.node.tolist(), told.log.tolist(), told.seq.tolist(), strict=True)
        return told.take(np.array([(told.nodes[code], log, seq) in news for code, log, seq in names], bool))

    def _count(self, readings: Readings, batches: int) -> None:
        self._metrics.count("batches_stored", batches)
        self._metrics.count("samples_stored", len(readings))
        self._metrics.count("untimed", int((~readings.timed()).sum()))
        self._metrics.count("late", len(check.late(readings)))
        for flag in (Flag.SUSPECT, Flag.FAIL):
            cells = sum(int((column.flag == flag).sum()) for column in readings.columns.values())
            self._metrics.count("flagged", cells, flag=flag.name.lower())
