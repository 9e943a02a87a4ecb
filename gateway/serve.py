"""The gateway: one thread that takes messages in blocks, passes them through the river and does chores."""

import gc
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import structlog

from edge.network import Network
from edge.readings import SECOND
from edge.wire import Letter
from gateway.assembly import Assembly, Options
from gateway.block import JournalError
from gateway.calibration_service import Drifting
from gateway.catchup import Catchup
from gateway.chore import Chore
from gateway.clock import Clock, SystemClock
from gateway.drafts import lost_draft
from gateway.gaps import Gaps
from gateway.network import load
from gateway.receive import Message
from gateway.reference.service import References
from gateway.reload import Reload
from gateway.retraining import Retraining
from gateway.river import Block, Failed
from gateway.rooms import Rooms
from gateway.watch import Watch

__all__ = ["Gateway", "Options"]

log = structlog.get_logger()

SNAPSHOT_BLOCKS = 2000
"""Blocks after which the ledger is written down anew; a start reads at most so many headers."""
ADOPT = 500
"""Quarantined messages imported at once."""


class Gateway(Assembly):
    """A gateway's parts, put together in `start` and run in a thread until `stop`."""

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        super().__init__(options, clock or SystemClock())
        self.failed = False
        self._dropped: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # -- life -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Build everything, then run in a thread of its own."""
        self.prepare()
        self.begin()

    def prepare(self) -> None:
        """Build everything without a word to the broker; raises what is wrong with files and folders."""
        self.assemble(load(self.options.network))
        # Blocks of a thousand messages are many short-lived lists and no cycles: collect seldom, and not what
        # stays for the process's life.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        self.chores = self._chores()

    def begin(self) -> None:
        """Connect, and run in a thread of its own."""
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

    def _chores(self) -> list["Chore"]:
        gaps = self.gaps = Gaps(self.ledger, self.live, self.alarms, self.metrics, self.send, self.term)
        catchup = self.catchup = Catchup(
            self.journal, self.history, self.ledger, self.live, self.check, self.calibrate, self.metrics
        )
        reload = Reload(self.options.network, self.live, self.journal, self.alarms, self.metrics, self._adopt)
        retraining = self.retraining = Retraining(
            self.models,
            self.journal,
            self.history,
            self.live,
            self.forecaster,
            self.alarms,
            self.metrics,
        )
        rooms = Rooms(self.journal, self.history, self.live, self.alarms, self.metrics)
        watch = Watch(self.live, self.clock, self.alarms, self.metrics, self.options.data)
        fetching = self.options.references
        references = self.references = fetching and References(
            fetching, self.journal, self.live, self.alarms, self.metrics
        )
        return [
            *(references.chores(self.options.reference_every) if references else ()),
            Chore("act", 0.25, lambda now: self._act()),
            Chore("foreign", 1.0, self._speak),
            Chore("gaps", 0.5, gaps.tick),
            Chore("catchup", 1.0, catchup.tick),
            Chore("ended logs", 1.0, lambda now: self._end_logs()),
            Chore("watch", 1.0, watch.tick),
            Chore("reload", 2.0, reload.tick),
            Chore("time", 10.0, lambda now: self._tell_time()),
            Chore("measure", 5.0, lambda now: self._measure()),
            Chore("snapshot", 10.0, lambda now: self._snapshot(SNAPSHOT_BLOCKS)),
            Chore("archive", 5.0, self.archiving.tick),
            Chore("models", 1.0, retraining.watch),
            Chore("rooms told", 1.0, rooms.watch),
            Chore("rooms", self.options.rooms_every, rooms.tick, first=self.options.rooms_first),
            Chore("training", self.options.train_every, retraining.tick, first=self.options.train_first),
            *self._drift(),
        ]

    def _drift(self) -> list[Chore]:
        network, live = self.options.network, self.live
        drifting = Drifting(network, self.journal, self.history, live, self.alarms, self.metrics)
        return [
            Chore("drift", 24 * 3600.0, drifting.tick, first=self.options.drift_first),
            Chore("drift told", 1.0, drifting.show),
        ]

    # -- the loop ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        log.info("gateway runs", network=str(self.options.network), data=str(self.options.data))
        if self.influx:
            self.influx.start()
        try:
            self._adopt(self.live.network)
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
            self._do(chore, now)

    def _do(self, chore: Chore, now: float) -> None:
        """Do a chore that is due; one that fails comes round again, and the stream goes on."""
        try:
            chore.when_due(now)
        except (JournalError, Failed, OSError) as error:
            self._refused(f"{chore.name}: {error}")
        # Whatever nobody thought of in a chore mustn't end the gateway: it is logged, counted and told.
        except Exception as error:
            log.exception("chore failed", chore=chore.name)
            self.metrics.count("stage_failures", stage=chore.name)
            self.alarms.raised("stage", chore.name, error=repr(error))

    def take(self, messages: Sequence[Message]) -> bool:
        """Pass a block through the river and acknowledge it; where the disk refuses it, try again.

        False where the gateway was stopped before it was stored.
        """
        began, failures = time.monotonic(), 0
        while not self._stopping.is_set():
            try:
                self.river.flow(Block(tuple(messages), self._now()))
            except JournalError as error:
                failures += 1
                self._hold(str(error), failures)
                continue
            except Failed as error:
                return self._apart(messages, str(error))
            self.receiver.ack(messages)
            self.alarms.cleared("journal", "journal")
            self.metrics.gauge("lag_seconds", time.monotonic() - began)
            return True
        return False

    def _apart(self, messages: Sequence[Message], reason: str) -> bool:
        """Take a block that a stage fails on by halves; the message it fails on becomes a dead letter."""
        middle = len(messages) // 2
        if middle:
            return self.take(messages[:middle]) and self.take(messages[middle:])
        letters = [Letter(one.topic, one.payload, f"internal error: {reason}") for one in messages]
        try:
            self.journal.commit(self._now(), [], letters)
        except JournalError as error:
            self._hold(str(error), 1)
            return self.take(messages)
        self.metrics.count("letters", len(letters))
        self.receiver.ack(messages)
        return True

    def _hold(self, reason: str, failures: int) -> None:
        """Nothing is acknowledged while the journal refuses: the nodes' spools hold what comes meanwhile."""
        self._refused(reason)
        self.receiver.idle()
        self._stopping.wait(min(5.0, 0.2 * failures))

    def _refused(self, reason: str) -> None:
        self.metrics.count("commit_failures")
        self.alarms.raised("journal", "journal", reason=reason)
        log.error("not stored, will try again", reason=reason)

    def _now(self) -> int:
        return self.clock.now() or self.live.now

    def _close(self) -> None:
        self.receiver.close()
        if self.influx:
            self.influx.stop()
        try:
            self._snapshot(0)
        except JournalError as error:
            log.error("ledger not written down, the next start reads the journal", reason=str(error))
        self.journal.close()
        self.unclaim()

    # -- chores -----------------------------------------------------------------------------------------

    def _act(self) -> None:
        now = self.clock.now()
        if now is not None:
            self.overrides.tick(now)
            self.actuate.tick(now)
            self.river.flow(Block(at=now))

    def _speak(self, now: float) -> None:
        listen, ours = self.receiver.listen, self.announce.topics()
        self.foreign.tick(lambda topics: listen((*topics, *ours)), self.send)
        self.announce.tick(now)

    def _end_logs(self) -> None:
        lost = self.gaps.ended()
        if lost:
            self.journal.commit(self._now(), [lost_draft(lost)])
            for one in lost:
                self.ledger.lose(one.node, one.log, [(one.low, one.high)], one.reason)
                self.metrics.count("lost", one.high - one.low + 1, reason=one.reason)

    def _tell_time(self) -> None:
        if isinstance(self.clock, SystemClock):
            self.send(f"{self.live.network.root}/time", str(time.time_ns() // SECOND).encode())

    def _measure(self) -> None:
        """Show what waits in quarantine, and count what bounded stores have given up since the last look."""
        self.live.quarantine = self.journal.quarantined()
        for node in self.live.strangers.keys() - self.live.quarantine.keys():
            del self.live.strangers[node]
        self.metrics.gauge("quarantine", sum(self.live.quarantine.values()))
        self.metrics.gauge("connected", self.receiver.connected)
        say = self.alarms.cleared if self.receiver.connected else self.alarms.raised
        say("broker", "broker")
        given_up = {
            **self.journal.dropped,
            **{f"forecast, {why}": n for why, n in self.forecaster.dropped.items()},
        }
        for store, amount in given_up.items():
            self.metrics.count("dropped", amount - self._dropped[store], store=store)
            self._dropped[store] = amount

    def _snapshot(self, blocks: int) -> None:
        newest = self.journal.newest()
        if newest - self.ledger.block > blocks:
            self.ledger.save(self.journal, newest)

    def _adopt(self, network: Network) -> None:
        """Import what waits in quarantine for nodes that the files know now."""
        for node in self.journal.quarantined():
            while node in network.nodes and (waiting := self.journal.waiting(node, ADOPT)):
                if not self.take([Message(one.topic, one.payload, 0, 0, -1) for _, one in waiting]):
                    return  # stopped: they wait for the next start
                self.journal.adopt([number for number, _ in waiting])
                self.receiver.idle()
