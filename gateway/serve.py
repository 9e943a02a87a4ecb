"""The gateway: one thread that takes messages in blocks, passes them through the river and does its chores."""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from edge.check import WINDOW, CheckState, rebuild
from edge.decision import Policy
from edge.feature import DEPTH
from edge.forecast import Forecaster
from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND, Array, Readings, concat
from gateway.actuate import Actuate
from gateway.archive import Archive
from gateway.archiving import Archiving
from gateway.catchup import Catchup
from gateway.clock import Clock, SystemClock
from gateway.control import Decide, Forecast
from gateway.doubles import Doubles
from gateway.gaps import Gaps
from gateway.hear import Hear
from gateway.history import History
from gateway.influx import Settings
from gateway.journal import Journal, JournalError
from gateway.ledger import Ledger
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.network import load
from gateway.outflow import InfluxCursor
from gateway.present import Alarms, Present
from gateway.receive import Broker, Message, Receiver
from gateway.reload import Reload, contents
from gateway.river import Block, Failed, River
from gateway.stages import Calibrate, Check, Decode, Deduplicate, Journalise, lost_draft
from gateway.training import CURRENT, load_current, retrain
from gateway.watch import Watch

log = structlog.get_logger()

SNAPSHOT_BLOCKS = 2000
"""Blocks after which the ledger is written down anew; a start reads at most so many headers."""
ADOPT = 500
"""Quarantined messages imported at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a gateway is run: everything that isn't in the network files."""

    network: Path
    data: Path
    broker: Broker = field(default_factory=Broker)
    name: str = "gateway"
    influx: Settings | None = None
    policy: Policy = field(default_factory=Policy)
    archive_quiet: float = 600.0
    train_every: float = 6 * 3600.0
    linger: float = 0.1


class Busy(Problem):
    """Another gateway uses this data folder."""


class Gateway:
    """All parts of one gateway, put together in `start` and run by `run` until `stop`."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self.options = options
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.journal = Journal(options.data / "journal.sqlite")
        self.archive = Archive(options.data / "archive", self.journal)
        self.history = History(self.journal, self.archive)
        self.term = time.time_ns() // SECOND
        self.failed = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: Any = None

    # -- life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Build everything, then run in a thread of its own; errors of the network files are raised here."""
        self._assemble(load(self.options.network))
        # Blocks of a thousand messages are many short-lived lists and no cycles: collect seldom, and not what
        # stays for the process's life.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        self._thread = threading.Thread(target=self._run, name="river", daemon=True)
        self._thread.start()

    def stop(self, within: float = 10.0) -> None:
        """Finish the block in hand, say offline, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(within)
        self.journal.close()

    def report(self) -> dict[str, Any]:
        """The ledger as a JSON object."""
        return {"logs": self.ledger.table()}

    def join(self) -> None:
        """Wait until the gateway ends."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    # -- parts ------------------------------------------------------------------------------------------

    def _assemble(self, network: Network) -> None:
        self._claim()
        self.journal.keep(network.hash, "network", contents(self.options.network))
        self.live = Live(network, now=self.clock.now() or 0)
        self.alarms = Alarms(self.live)
        self.ledger = Ledger.load(self.journal)
        self.present = Present(self.live)
        self.forecaster = Forecaster(load_current(self._models))
        self.receiver = self._receiver(network.root)
        policy, live, journal, metrics = self.options.policy, self.live, self.journal, self.metrics
        self.actuate = Actuate(live, journal, policy, self._send, self.alarms, metrics, self.term)
        self.hear = Hear(live, self.ledger, self.actuate)
        self.check = Check(live, self._remembered())
        decide = Decide(live, policy, self.actuate, self.forecaster, self.clock, metrics)
        stages = (
            ("decode", Decode(live, self.clock, metrics)),
            ("deduplicate", Deduplicate(self.ledger, Doubles(journal), metrics)),
            ("check", self.check),
            ("calibrate", Calibrate(live)),
            ("journal", Journalise(journal, self.ledger, live, metrics, self.hear)),
            ("forecast", Forecast(self.forecaster, self.present, live, self.clock, metrics)),
            ("decide", decide),
        )
        self.river = River(
            stages, metrics, lambda stage, error: self.alarms.raised("stage", stage, error=error)
        )
        self._cursors()
        self.chores = self._chores()

    @property
    def _models(self) -> Path:
        return self.options.data / "models"

    def _claim(self) -> None:
        """Hold the data folder for as long as this process lives; the system lets go of it after a kill."""
        self.options.data.mkdir(parents=True, exist_ok=True)
        path = self.options.data / "gateway.lock"
        self._lock = self.journal.lock(path)
        if self._lock is None:
            raise Busy("another gateway uses this data folder", str(path), "stop it, or name another --data")

    def _receiver(self, root: str) -> Receiver:
        name = self.options.name
        will = f"{root}/gateway/{name}/status"
        return Receiver(self.options.broker, f"gongi-{name}", [(f"{root}/#", 1)], will)

    def _remembered(self) -> CheckState:
        """Quality control's state, the last hour for the forecasts and what is shown, from the history."""
        newest = {node: time for node, time in self.ledger.newest.items() if time > 0}
        if not newest:
            return CheckState.empty()
        latest = max(newest.values())
        recent = self.history.read(latest - WINDOW * SECOND, latest + 1)
        dormant = [node for node, time in newest.items() if time < latest - WINDOW * SECOND]
        tails = [self._tail(node, newest[node]) for node in dormant]
        rows = concat([recent.take(~_of(recent, dormant)), *tails])
        self.present.take(rows)
        self.present.refresh()
        minutes = recent.take(recent.time > latest - DEPTH * 60 * SECOND)
        self.forecaster.ingest(minutes, latest)
        return rebuild(rows, self.live.network, newest)

    def _tail(self, node: str, newest: int) -> Readings:
        return self.history.read(newest - WINDOW * SECOND, newest + 1, [node])

    def _cursors(self) -> None:
        readers = ["ledger"]
        self.influx: InfluxCursor | None = None
        if self.options.influx is not None:
            self.influx = InfluxCursor(
                self.journal,
                self.options.influx,
                lambda: self.live.network,
                self.clock,
                self.metrics,
                self._influx_says,
            )
            readers.append("influx")
        self.archiving = Archiving(
            self.journal,
            self.archive,
            self.history,
            self.live,
            self.metrics,
            tuple(readers),
            self.options.archive_quiet,
        )

    def _influx_says(self, word: str) -> None:
        if word:
            self.alarms.raised("influx", "influx", word=word)
        else:
            self.alarms.cleared("influx", "influx")

    def _chores(self) -> list["Chore"]:
        gaps = self.gaps = Gaps(self.ledger, self.live, self.metrics, self._send, self.term)
        catchup = self.catchup = Catchup(
            self.journal, self.history, self.ledger, self.live, self.check, self.metrics
        )
        reload = Reload(self.options.network, self.live, self.journal, self.alarms, self.metrics, self._adopt)
        watch = Watch(self.live, self.clock, self.alarms, self.metrics)
        return [
            Chore(0.25, lambda now: self._act()),
            Chore(0.5, gaps.tick),
            Chore(1.0, catchup.tick),
            Chore(1.0, lambda now: self._end_logs()),
            Chore(1.0, watch.tick),
            Chore(2.0, reload.tick),
            Chore(10.0, lambda now: self._tell_time()),
            Chore(10.0, lambda now: self._snapshot(SNAPSHOT_BLOCKS)),
            Chore(30.0, self.archiving.tick),
            Chore(self.options.train_every, lambda now: self._train(), first=600.0),
        ]

    # -- the loop ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        log.info("gateway runs", network=str(self.options.network), data=str(self.options.data))
        if self.influx:
            self.influx.start()
        try:
            while not self._stopping.is_set():
                self._turn()
        except Exception:
            self.failed = True
            log.exception("gateway ends on an error")
        finally:
            self._close()

    def _turn(self) -> None:
        messages = self.receiver.poll(0.2, self.options.linger)
        self.live.now = self.clock.now() or self.live.now
        if self.receiver.fresh_session:
            self.receiver.fresh_session = False
            self.gaps.all_due()
        if messages:
            self.take(messages)
        now = time.monotonic()
        for chore in self.chores:
            chore.when_due(now)

    def take(self, messages: Sequence[Message]) -> None:
        """Pass a block through the river and acknowledge it; where the disk refuses it, try until it doesn't."""
        began, failures = time.monotonic(), 0
        while not self._stopping.is_set():
            try:
                self.river.flow(Block(tuple(messages), self._now()))
            except (JournalError, Failed) as error:
                failures += 1
                self._hold(str(error), failures)
                continue
            self.receiver.ack(messages)
            self.alarms.cleared("journal", "journal")
            break
        self.metrics.gauge("lag_seconds", time.monotonic() - began)

    def _hold(self, reason: str, failures: int) -> None:
        """Nothing is acknowledged while the journal refuses: the nodes' spools hold what comes meanwhile."""
        self.metrics.count("commit_failures")
        self.alarms.raised("journal", "journal", reason=reason)
        log.error("block not stored, will try again", reason=reason, failures=failures)
        self.receiver.idle()
        self._stopping.wait(min(5.0, 0.2 * failures))

    def _now(self) -> int:
        return self.clock.now() or self.live.now

    def _send(self, topic: str, payload: bytes) -> bool:
        return self.receiver.publish(topic, payload)

    def _close(self) -> None:
        self.receiver.close()
        if self.influx:
            self.influx.stop()
        self._snapshot(0)
        self.journal.close()
        if self._lock is not None:
            self._lock.close()

    # -- chores -----------------------------------------------------------------------------------------

    def _act(self) -> None:
        now = self.clock.now()
        if now is not None:
            self.actuate.tick(now)
            self.river.flow(Block(at=now))

    def _end_logs(self) -> None:
        lost = self.gaps.ended()
        if lost:
            self.journal.commit(self._now(), [lost_draft(lost)])
            for one in lost:
                self.ledger.lose(one.node, one.log, [(one.low, one.high)], one.reason)
                self.metrics.count("lost", one.high - one.low + 1, reason=one.reason)

    def _tell_time(self) -> None:
        if isinstance(self.clock, SystemClock):
            self._send(f"{self.live.network.root}/time", str(time.time_ns() // SECOND).encode())

    def _snapshot(self, blocks: int) -> None:
        newest = self.journal.newest()
        if newest - self.ledger.block > blocks:
            self.ledger.save(self.journal, newest)

    def _adopt(self, network: Network) -> None:
        """Import what waits in quarantine for nodes that the files know now."""
        for node in self.journal.quarantined():
            while node in network.nodes and (waiting := self.journal.waiting(node, ADOPT)):
                self.take([Message(one.topic, one.payload, 0, 0, -1) for _, one in waiting])
                self.journal.adopt([number for number, _ in waiting])

    def _train(self) -> None:
        """Train anew in the background; the model is taken over where it beats what it must."""
        threading.Thread(target=self._retrain, name="training", daemon=True).start()

    def _retrain(self) -> None:
        try:
            model, report = retrain(self.history, self.live.network, self._now())
        except Problem as error:
            log.info("no model trained", reason=str(error))
            return
        finally:
            self.journal.close()
        (self._models / CURRENT).parent.mkdir(parents=True, exist_ok=True)
        self.forecaster.model = model
        log.info("model trained", model=model.id, report=str(report))


def _of(rows: Readings, nodes: Sequence[str]) -> Array:
    return np.array([name in nodes for name in rows.nodes] or [False])[rows.node]


@dataclass
class Chore:
    """Something to do every `every` seconds of the machine's clock, at first after `first`."""

    every: float
    do: Callable[[float], None]
    first: float = 0.0
    due: float | None = None

    def when_due(self, now: float) -> None:
        """Do it if its time has come."""
        if self.due is None:
            self.due = now + self.first
        if now >= self.due:
            self.due = now + self.every
            self.do(now)
