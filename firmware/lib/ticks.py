"""Milliseconds that wrap at 2^30, as an ESP32's do, and sleeps in the same time."""

import asyncio
import time

from micropython import const

MASK = 0x3FFFFFFF
_HALF = const(0x20000000)


def diff(now: int, last: int) -> int:
    """Return now minus last [ms], right for spans below 2^29 ms (6.2 days)."""
    return ((now - last + _HALF) & MASK) - _HALF


class Ticks:
    """The machine's monotonic milliseconds; a board may stand in a faster or an offset one."""

    speed = 1

    def now(self) -> int:
        """Return the present tick [ms], 0 to 2^30 - 1."""
        return time.ticks_ms() & MASK  # type: ignore[operator]  # a number on every port

    async def sleep(self, ms: int) -> None:
        """Let other tasks run for `ms` of this time."""
        await asyncio.sleep_ms(ms)
