"""The device's care for itself: watchdog, memory, and the mark of a good boot."""

import asyncio
import gc

from lib.device import Reboot
from lib.seldom import call
from micropython import const

# More than a TLS handshake over a bad network, which blocks.
_WATCHDOG_MS = const(120000)
# A watchdog that has begun can't be stopped: this long the cable can interrupt a boot and copy in peace.
_ARM_MS = const(20000)
_LOOK_MS = const(5000)
_LOOKS_PER_MEMORY = const(12)
_LOOKS_PER_TIME = const(720)
_LEAST_FREE = const(3000)


async def watch(device: object) -> None:
    """Feed the watchdog while the work goes on; end the boot before the memory does, or when work stalls."""
    board = device.board
    await asyncio.sleep_ms(min(_ARM_MS, device.config.get("arm_ms", _ARM_MS)))
    feed = board.watchdog(_WATCHDOG_MS)
    looks = 0
    marked = False
    while True:
        feed()
        if board.failures and not marked and device.proved():
            call("lib.boots", "good", board.flash)
            marked = True
        if device.stalled():
            raise Reboot("stalled")
        if not looks % _LOOKS_PER_MEMORY:
            gc.collect()
            if gc.mem_free() < _LEAST_FREE or board.scarce(device.client.connected):
                raise Reboot("memory")
        looks += 1
        if not looks % _LOOKS_PER_TIME:
            call("lib.boots", "time", board.flash, device.clock.utc())
        await asyncio.sleep_ms(_LOOK_MS)
