"""The parts of one gateway, and how they hang together."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.decision import Policy
from edge.forecast import Forecaster
from edge.network import Network
from edge.predict.model import PERSISTENCE, Model
from edge.problem import Problem
from edge.readings import SECOND
from gateway import versions
from gateway.actuate import Actuate
from gateway.announce import Announce
from gateway.archive import Archive
from gateway.archiving import Archiving
from gateway.asked import Asked
from gateway.clock import Clock
from gateway.control import Decide, Forecast
from gateway.doubles import Doubles
from gateway.foreign import Foreign
from gateway.hear import Hear
from gateway.history import History
from gateway.influx import Where
from gateway.intake import Decode
from gateway.journal import Journal
from gateway.ledger import Ledger
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.outflow import InfluxCursor
from gateway.override import Overrides
from gateway.present import Alarms, Present
from gateway.recall import recall, remembered
from gateway.receive import Broker, Receiver
from gateway.reference.transport import Client
from gateway.river import River
from gateway.stages import Calibrate, Check, Deduplicate, Journalise
from gateway.training import load_current

TERM = "term"
"""The snapshot that holds the last start's term."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a gateway is run: everything that isn't in the network files."""

    network: Path
    data: Path
    broker: Broker = field(default_factory=Broker)
    name: str = "gateway"
    influx: Where | None = None
    policy: Policy = field(default_factory=Policy)
    archive_quiet: float = 600.0
    train_first: float = 600.0
    train_every: float = 6 * 3600.0
    rooms_first: float = 1800.0
    rooms_every: float = 24 * 3600.0
    drift_first: float = 1800.0
    linger: float = 0.1
    references: Client | None = None
    reference_every: float = 1800.0


class Busy(Problem):
    """Another gateway uses this data folder."""


class Assembly:
    """One gateway's parts: stores at once, the rest by `assemble`."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.metrics = Metrics()
        self.journal = Journal(options.data / "journal.sqlite")
        self.archive = Archive(options.data / "archive", self.journal)
        self.history = History(self.journal, self.archive)
        self.term = 0
        self._lock: Any = None

    # -- parts ------------------------------------------------------------------------------------------

    def assemble(self, network: Network) -> None:
        """Claim the data folder, rebuild what was known, and put the stages in their order."""
        self._claim()
        self.term = self._next_term()
        self.ledger = Ledger.load(self.journal)
        self._put_in_force(network)
        self.live = Live(network, now=self.clock.now() or 0)
        self.alarms = Alarms(self.live)
        self.present = Present(self.live)
        self.forecaster = Forecaster(self._model())
        self.receiver = self._receiver(network.root)
        policy, live, journal, metrics = self.options.policy, self.live, self.journal, self.metrics
        self.foreign = Foreign(live)
        told = (self.send, self.alarms, metrics, self.term, self.foreign)
        self.overrides = Overrides(live, journal, metrics)
        self.overrides.recall()
        self.actuate = Actuate(live, journal, policy, *told)
        self.hear = Hear(live, self.ledger, self.actuate, metrics, Asked(live, self.overrides, metrics))
        self.announce = Announce(live, journal, self.receiver.publish, self.options.name)
        judge = recall(self.ledger, self.history, network, self.present, self.forecaster)
        self.check = Check(live, judge.state)
        self.calibrate = Calibrate(
            live, judge.memory, lambda changed: remembered(self.ledger, self.history, changed)
        )
        decide = Decide(live, policy, self.actuate, self.forecaster, self.clock, metrics)
        # Blocks name these by hash; a changed model is kept when it comes into force.
        journal.keep(decide.policy_hash, "policy", repr(policy).encode())
        journal.keep(self.forecaster.model.id, "model", self.forecaster.model.encode())
        stages = (
            ("decode", Decode(live, self.clock, metrics, self.foreign)),
            ("deduplicate", Deduplicate(self.ledger, Doubles(journal), self.alarms, metrics)),
            ("check", self.check),
            ("calibrate", self.calibrate),
            ("journal", Journalise(journal, self.ledger, live, metrics, self.hear)),
            ("forecast", Forecast(self.forecaster, self.present, live, self.clock, metrics)),
            ("decide", decide),
        )
        self.river = River(
            stages, metrics, lambda stage, error: self.alarms.raised("stage", stage, error=error)
        )
        self._cursors()

    def _model(self) -> Model:
        try:
            return load_current(self.models)
        except Problem as error:
            self.alarms.raised("model-refused", "model", reason=str(error))
            return PERSISTENCE

    @property
    def models(self) -> Path:
        """Where models stand."""
        return self.options.data / "models"

    def _next_term(self) -> int:
        """The start second, or one more than the last start's where the machine's clock was set back: an
        actuator obeys no id that isn't above the last one."""
        kept = self.journal.snapshot(TERM)
        term = max(time.time_ns() // SECOND, int(kept[1]) + 1 if kept else 0)
        self.journal.snap(TERM, 0, str(term).encode())
        return term

    def _claim(self) -> None:
        """Hold the data folder for as long as this process lives; the system lets go of it after a kill."""
        self.options.data.mkdir(parents=True, exist_ok=True)
        path = self.options.data / "gateway.lock"
        self._lock = self.journal.lock(path)
        if self._lock is None:
            raise Busy("another gateway uses this data folder", str(path), "stop it, or name another --data")

    def _put_in_force(self, network: Network) -> None:
        """Refuse files that change the past of those in force, as at a change while running."""
        # The clock of the data says nothing yet: what is stored has passed.
        now = self.clock.now() or max(self.ledger.newest.values(), default=0)
        old, path = versions.in_force(self.journal), self.options.network
        try:
            if old is not None:
                versions.hold(old, network, now, path, self.options.data)
        except versions.RewritesPast:
            self.unclaim()
            raise
        versions.enter(self.journal, network, path, now)

    def _receiver(self, root: str) -> Receiver:
        name = self.options.name
        will = f"{root}/gateway/{name}/status"
        return Receiver(self.options.broker, f"gongi-{name}", [(f"{root}/#", 1)], will)

    def _cursors(self) -> None:
        readers = ["ledger"]
        self.influx: InfluxCursor | None = None
        if self.options.influx is not None:
            self.influx = InfluxCursor(
                self.journal,
                self.history,
                self.options.influx,
                lambda: self.live.network,
                self.clock,
                self.metrics,
                self._influx_says,
            )
            readers += ["influx", "means"]
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

    def send(self, topic: str, payload: bytes) -> bool:
        """Publish at QoS 0; False where there is no connection."""
        return self.receiver.publish(topic, payload)

    def unclaim(self) -> None:
        """Let go of the data folder."""
        if self._lock is not None:
            self._lock.close()
