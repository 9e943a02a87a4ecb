"""Whether the gateway's clock still moves: numbers of one that stands still must say that they are old."""

from collections.abc import Callable
from time import monotonic

from gateway.live import Live

STALLED = 30.0
"""Seconds of the machine after which a clock that hasn't moved counts as stalled."""


class Pulse:
    """Watches `live.now`; `observe` has to be called every second or so while the console runs."""

    def __init__(
        self, live: Live, seconds: Callable[[], float] = monotonic, stalled_s: float = STALLED
    ) -> None:
        self._live = live
        self._seconds = seconds
        self._stalled_s = stalled_s
        self._seen = live.now
        self._moved = seconds()

    def observe(self) -> None:
        """Takes note of the clock."""
        if self._live.now != self._seen:
            self._seen, self._moved = self._live.now, self._seconds()

    @property
    def still_s(self) -> float:
        """For how long the clock hasn't moved [s]."""
        self.observe()
        return self._seconds() - self._moved

    @property
    def stalled(self) -> bool:
        """Whether it counts as standing still."""
        return self.still_s > self._stalled_s
