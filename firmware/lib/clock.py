"""Uptime from ticks, and UTC only where somebody who knows it has said so."""

from lib import ticks as tick
from micropython import const

# A message may come late, never early: one ahead by this much is believed at once, behind only when
# so many in a row say so.
_STEP_S = const(2)
_PATIENCE = const(8)
_EARLIEST = const(978307200)
_LATEST = const(4102444800)


class Clock:
    """The uptime of this boot [s] and its offset to UTC [s], None while unknown."""

    def __init__(self, ticks: tick.Ticks) -> None:
        self.ticks = ticks
        self.offset: int | None = None
        self.steps = 0
        self._last = ticks.now()
        self._s = 0
        self._ms = 0
        self._late = 0
        self._least = 0

    def up(self) -> int:
        """Return the whole seconds since boot; must be asked more often than every 6 days."""
        now = self.ticks.now()
        ms = self._ms + tick.diff(now, self._last)
        self._last = now
        self._s += ms // 1000
        self._ms = ms % 1000
        return self._s

    def until(self, up: int) -> int:
        """Return the milliseconds from now until uptime `up` [s]; negative when it has passed."""
        return (up - self.up()) * 1000 - self._ms

    def at(self, up: int) -> int | None:
        """Return the UTC second of uptime `up`, None while the boot has had no clock."""
        return None if self.offset is None else up + self.offset

    def utc(self) -> int | None:
        """Return the UTC second of now."""
        return self.at(self.up())

    def offer(self, utc: int) -> bool:
        """Hear the UTC second from NTP or the time topic; return whether the clock was stepped.

        Raise ValueError before 2001, where boards without a clock count, and after 2100.
        """
        if not _EARLIEST <= utc <= _LATEST:
            raise ValueError("impossible time")
        offset = utc - self.up()
        if self.offset is None:
            return self._step(offset)
        lead = offset - self.offset
        if lead >= _STEP_S:
            return self._step(offset)
        if lead > -_STEP_S:
            self._late = 0
            return False
        self._least = offset if not self._late else max(self._least, offset)
        self._late += 1
        return self._late >= _PATIENCE and self._step(self._least)

    def _step(self, offset: int) -> bool:
        self.offset = offset
        self.steps += 1
        self._late = 0
        return True
