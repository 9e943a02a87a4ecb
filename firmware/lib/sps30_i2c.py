"""Sensirion SPS30 over I2C (its SEL pin at ground)."""

import struct

from lib.sensirion import words
from lib.sensor import Silent
from lib.sps30 import Particles
from micropython import const

_ADDRESS = const(0x69)
START, STOP = b"\x00\x10\x03\x00\xac", b"\x01\x04"
READY, READ = b"\x02\x02", b"\x03\x00"
SLEEP, WAKE = b"\x10\x01", b"\x11\x03"
_SETTLE_MS = const(20)


class SPS30I2C(Particles):
    """The sensor on I2C."""

    async def _start(self) -> None:
        for command in (WAKE, WAKE, START):
            try:
                self.bus.writeto(_ADDRESS, command)
            except OSError:  # asleep it hears the first wake-up without acknowledging; awake it refuses both
                if command == START:
                    raise
            await self.ticks.sleep(_SETTLE_MS)

    async def _rest(self) -> None:
        for command in (STOP, SLEEP):
            self.bus.writeto(_ADDRESS, command)
            await self.ticks.sleep(_SETTLE_MS)

    async def _measurement(self) -> bytes:
        if not words(await self._words(READY, 3))[0]:
            raise Silent
        data = await self._words(READ, 60)
        return struct.pack(">20H", *words(data))

    async def _words(self, command: bytes, size: int) -> bytes:
        self.bus.writeto(_ADDRESS, command)
        await self.ticks.sleep(1)
        return self.bus.readfrom(_ADDRESS, size)
