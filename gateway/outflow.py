"""What flows out of the journal into InfluxDB: accepted, rejected line by line, or kept until it answers."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from edge.network import Network
from edge.readings import SECOND
from gateway.block import Block, JournalError
from gateway.clock import Clock
from gateway.history import History
from gateway.influx import REASON, Kept, Target, Where
from gateway.journal import Journal
from gateway.line import Lines
from gateway.line_report import OF_KIND, Energy, Report, actuator, reports, withdrawn
from gateway.load import LINES, Load, Stopping, put
from gateway.means_flow import Averaging, Gone

NAME = "influx"
KINDS = tuple(OF_KIND)

POLL_S = 0.5
KEEP_S = 60.0
"""How often [s] the list of waiting means is written down; after a crash the blocks since are read again."""
STATES = 500
"""Blocks of states that are looked through for each actuator's last one."""

_log = structlog.get_logger(__name__)


class Meter(Protocol):
    """Where counters and gauges go."""

    def count(self, name: str, amount: int = 1) -> None: ...

    def gauge(self, name: str, value: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential, capped, with full jitter (Brooker 2015); [s]."""

    first: float = 0.5
    cap: float = 60.0

    def wait(self, failures: int) -> float:
        """How long to wait after that many failures in a row."""
        return random.uniform(0.0, min(self.cap, self.first * 2.0 ** min(failures, 30)))


class InfluxCursor:
    """The thread that writes journal blocks to InfluxDB, in order, and moves the cursor `influx` behind them;
    between them the means of what has come.

    `network` gives the network files in force; `alarm` gets a clear word when InfluxDB can't be written to or
    the word changes, and an empty one when it can again. Nothing raises out of the thread; it never gives up.
    """

    def __init__(
        self,
        journal: Journal,
        history: History,
        settings: Where,
        network: Callable[[], Network],
        clock: Clock,
        meter: Meter,
        alarm: Callable[[str], None] = lambda word: None,
        backoff: Backoff = Backoff(),
    ) -> None:
        self.journal = journal
        self.settings = settings
        self.network = network
        self.clock = clock
        self.meter = meter
        self.alarm = alarm
        self.backoff = backoff
        self.word = ""
        self.means = Averaging(journal, history, network, clock.monotonic)
        self._energy = Energy(self._states)
        states = partial(actuator, drawn=self._energy)
        self._of_kind: Mapping[str, Callable[[bytes, Network], Lines]] = {**OF_KIND, "state": states}
        self._kept = time.monotonic()
        self._failures = 0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="influx", daemon=True)

    def start(self) -> None:
        """Begin where the cursor stands; from now on the journal holds every block until it is written."""
        self.journal.move(NAME, self.journal.cursor(NAME))
        self._thread.start()

    def wake(self) -> None:
        """Say that the journal has grown; without it the thread looks every half second."""
        self._wake.set()

    def stop(self, within_s: float = 5.0) -> bool:
        """End the thread after its request; whether it ended in time (it dies with the process if not)."""
        self._stop.set()
        self._wake.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        bucket = self.settings.open()
        try:
            self.means.resume(self.journal.cursor(NAME), self._stop.is_set)
            while not self._stop.is_set():
                self._round(bucket)
        finally:
            bucket.close()
            self.journal.close()

    def _round(self, bucket: Target) -> None:
        self._wake.clear()
        try:
            busy = self._step(bucket)
            busy = self._average(bucket) or busy
        except Stopping:
            return
        except Kept as kept:
            self._retry(kept.word, kept.after)
        except JournalError as error:
            self._retry(f"the journal can't be written: {error}")
        # The thread must outlive whatever nobody thought of: it is logged, counted and tried again.
        except Exception as error:
            _log.exception("influx cursor failed")
            self._retry(f"writing to InfluxDB fails: {type(error).__name__}: {error}")
        else:
            self._recovered(busy)

    def _retry(self, word: str, after: float = 0.0) -> None:
        self.means.again()
        self._energy.forget()
        self._failures += 1
        self.meter.count("influx_retries")
        self._tell(word)
        self._stop.wait(max(self.backoff.wait(self._failures), after))

    def _recovered(self, busy: bool) -> None:
        if busy:
            self._failures = 0
            self._tell("")
        elif not self._stop.is_set():
            self._wake.wait(POLL_S)

    def _tell(self, word: str) -> None:
        if word != self.word:
            _log.warning("influx", word=word) if word else _log.info("influx answers again")
            self.word = word
            self.alarm(word)

    def _step(self, bucket: Target) -> bool:
        """Write the next blocks and move the cursor; False where none waits."""
        load = self._load(self.journal.cursor(NAME))
        if not load.blocks:
            return False
        self._put(bucket, load)
        return True

    def _average(self, bucket: Target) -> bool:
        """Make and write a piece of the means that are due; False where none is."""
        began, now = time.monotonic(), self.clock.now()
        made = self.means.step(now)
        self._waits()
        if made and (made.lines or made.gone):
            last = self.journal.cursor(NAME)
            load = Load(list(made.gone), list(made.lines), [last] * len(made.lines), last=last)
            load.counts["means_written"] += len(made.lines)
            self._put(bucket, load)
        if time.monotonic() - self._kept > KEEP_S:
            self.means.keep(self.journal.cursor(NAME))
            self._kept = time.monotonic()
        # History is read by halves of the time: the river's thread has the other half.
        self._stop.wait(time.monotonic() - began if made else 0.0)
        return made is not None

    def _put(self, bucket: Target, load: Load) -> None:
        """Write a load, then move the cursor to its last block and keep what was refused."""
        put(bucket, load, self._stop.is_set)
        at = self.clock.now() or 0
        self._waits()
        if load.blocks or load.rejects:
            self.journal.move(NAME, load.last, [(at, *reject) for reject in load.rejects])
        self._counted(load)

    def _waits(self) -> None:
        now = self.clock.now()
        self.meter.gauge("means_lag_seconds", self.means.due.lag(now))
        self.meter.gauge("means_waiting", self.means.waiting(now))

    def _counted(self, load: Load) -> None:
        self.meter.count("influx_lines", len(load.lines) - load.counts["influx_rejected"])
        self.meter.count("influx_blocks", load.blocks)
        for name, amount in load.counts.items():
            self.meter.count(name, amount)

    def _load(self, after: int) -> Load:
        """The next blocks up to about `LINES` lines; one that deletes begins a load of its own."""
        load = Load(last=after)
        while len(load.lines) < LINES and (block := self._next(load.last)):
            if not load.blocks:
                self._lag(block)
            if _erases(block) and load.blocks:
                break
            self._take(block, load)
        if not load.blocks:
            self._lag(None)
        return load

    def _next(self, after: int) -> Block | None:
        return next(iter(self.journal.blocks(after, KINDS, 1)), None)

    def _lag(self, oldest: Block | None) -> None:
        now = self.clock.now()
        seconds = (now - oldest.at) / SECOND if oldest and now else 0.0
        self.meter.gauge("influx_lag_seconds", max(0.0, seconds))
        self.meter.gauge("influx_lag_blocks", self.journal.newest() - oldest.id + 1 if oldest else 0)

    def _take(self, block: Block, load: Load) -> None:
        gone: Sequence[Gone] = ()
        made = Lines([])
        try:
            gone = self._gone(block)
            made = self._lines(block)
            self.means.take(block)
        # A block that can't be read, whatever the cause, is named and passed: those behind it mustn't wait.
        except Exception as error:
            _log.exception("unreadable block", block=block.id, kind=block.kind)
            load.rejects.append((block.id, f"block {block.id} ({block.kind})", str(error)[:REASON]))
            load.counts["influx_unreadable_blocks"] += 1
        load.take(block, made, gone)

    def _gone(self, block: Block) -> Sequence[Gone]:
        if block.kind == "reference":
            return withdrawn(block.body or b"[]")
        return _gone(block) if self.network().influx_resolution == "air" else []

    def _lines(self, block: Block) -> Lines:
        if block.body is None:
            return Lines([], {"released": 1})
        return self._of_kind[block.kind](block.body, self.network())

    def _states(self) -> list[Report]:
        """The newest reports of actuators that are written, oldest first."""
        last = self.journal.cursor(NAME)
        found = reversed([one for one in self.journal.heads("state", STATES) if one <= last])
        return [report for one in found for report in reports(self.journal.body(one) or b"[]")]


def _erases(block: Block) -> bool:
    if block.kind == "reference":
        return bool(withdrawn(block.body or b"[]"))
    return block.kind == "revision" and bool(block.header)


def _gone(block: Block) -> list[Gone]:
    """What a revision says to delete: `[node, at]` is one point, `[node, first, last]` all between."""
    if not _erases(block):
        return []
    entries = json.loads(block.header).get("gone", ())
    return [
        ("air", {"node": str(node)}, int(first), int(last[0] if last else first))
        for node, first, *last in entries
    ]
