"""Watches over what ought to speak: nodes gone silent, actuators gone, and the numbers on the gauges."""

import shutil
from pathlib import Path

from edge.readings import SECOND
from gateway.clock import Clock
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms

SILENT = 3
"""Intervals without a fresh sample after which a node counts as silent."""
LOW_DISK = 500_000_000
"""Free bytes below which a person should make room; a full disk stops acknowledgements."""


class Watch:
    """Raises and clears alarms about silence; sets the gauges."""

    def __init__(self, live: Live, clock: Clock, alarms: Alarms, metrics: Metrics, data: Path) -> None:
        self._live, self._clock, self._alarms, self._metrics = live, clock, alarms, metrics
        self._data = data

    def tick(self, _: float) -> None:
        """Look at all nodes once."""
        now = self._clock.now()
        if now is None:
            return
        fresh = sum(self._look(node, now) for node in self._live.network.nodes)
        self._metrics.gauge("nodes_fresh", fresh)
        self._metrics.gauge("alarms", len(self._live.alarms))
        self._disk(shutil.disk_usage(self._data).free)

    def _disk(self, free: int) -> None:
        self._metrics.gauge("disk_free_bytes", free)
        if free < LOW_DISK:
            self._alarms.raised("disk", "disk", megabytes=str(free // 1_000_000))
        else:
            self._alarms.cleared("disk", "disk")

    def _look(self, name: str, now: int) -> bool:
        node, latest = self._live.network.nodes[name], self._live.latest.get(name)
        place = self._live.network.placed(name, now)
        fresh = latest is not None and now - latest.time <= SILENT * node.batch_s * SECOND
        if fresh or latest is None or place is None:
            self._alarms.cleared("silent", name)
        else:
            self._alarms.raised("silent", name, place.site)
        return fresh
