"""The watch over drift while the gateway runs: in a thread of low rank, told and acted on in the river's."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.drift import HOUR
from edge.network import Network
from edge.problem import Problem
from edge.recalibration import Proposal
from gateway.calibration_entry import accept
from gateway.calibration_proposal import keep
from gateway.calibration_watch import QUANTITIES, watch
from gateway.history import History
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms

KIND = "drift"
CARRIED = "carried"
"""Alarms: a sensor that drifts, and one beside which a travelling node says otherwise."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a watch has found: every proposal that stands, and those that are new."""

    standing: tuple[Proposal, ...]
    new: tuple[Proposal, ...]


class Drifting:
    """Watches now and then; `show` raises and clears alarms, and accepts what the files' policy allows."""

    def __init__(
        self, network: Path, journal: Journal, history: History, live: Live, alarms: Alarms, metrics: Metrics
    ) -> None:
        self._file, self._journal, self._history = network, journal, history
        self._live, self._alarms, self._metrics = live, alarms, metrics
        self._thread: threading.Thread | None = None
        self._seen: _Seen | None = None
        self._told: set[tuple[str, str]] = set()

    def tick(self, _: float = 0.0) -> None:
        """Begin a watch, unless one is under way."""
        if self._live.now and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._watch, name="drift", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        now, network = self._live.now, self._live.network
        try:
            found: list[Proposal] = []
            for quantity in QUANTITIES:
                found += watch(self._journal, self._history, network, now, quantity).proposals
            self._seen = _Seen(tuple(found), tuple(keep(self._journal, found, now)))
        # Whatever fails in here is no reason to end the gateway: it is logged, counted and tried again.
        except Exception:
            log.exception("drift can't be watched")
            self._metrics.count("stage_failures", stage=KIND)
        finally:
            self._journal.close()

    def show(self, _: float = 0.0) -> None:
        """Tell what the last watch has found."""
        seen, self._seen = self._seen, None
        if seen is None:
            return
        standing = {(_kind(one), one.node) for one in seen.standing}
        for alarm in self._told - standing:
            self._alarms.cleared(*alarm)
        self._told = standing
        for one in seen.standing:
            place = self._live.network.placed(one.node, self._live.now)
            words = {"proposal": one.id, "gain": f"{one.gain:.2f}", "offset": f"{one.offset:+.1f}"}
            self._alarms.raised(_kind(one), one.node, place.site if place else "", **words)
        self._metrics.gauge("drifting", len(seen.standing))
        self._accept(seen.new, self._live.network)

    def _accept(self, new: Sequence[Proposal], network: Network) -> None:
        for one in new:
            if network.accepting is None or not network.accepting.allows(one.gain, one.offset):
                continue
            try:
                done = accept(self._file, one, (self._live.now // HOUR + 1) * HOUR)
            except (Problem, OSError) as error:
                log.error("recalibration not accepted", proposal=one.id, reason=str(error))
                self._metrics.count("recalibrations", how="refused")
            else:
                log.info("recalibration accepted by policy", proposal=one.id, file=str(done.file))
                self._metrics.count("recalibrations", how="accepted")


def _kind(one: Proposal) -> str:
    return CARRIED if one.kind == "travelling" else KIND
