"""Sensirion SCD40/41: carbon dioxide, temperature and humidity over I2C, one measurement every 5 s."""

from lib.sensirion import celsius, words
from lib.sensor import BadChecksum, Sensor, Silent
from micropython import const

_ADDRESS = const(0x62)
STOP, START, READY, READ = b"\x3f\x86", b"\x21\xb1", b"\xe4\xb8", b"\xec\x05"
_STOP_MS = const(500)
_READ_MS = const(1)


def decode(data: bytes) -> list:
    """Return CO2 [ppm], temperature [0.01 °C] and humidity [0.01 %] of 9 bytes; raise BadChecksum."""
    co2, t, h = words(data)
    return [co2, celsius(t), (10000 * h + 32767) // 65535]


class SCD4x(Sensor):
    """The sensor on its bus."""

    columns = (("co2", 1), ("temp", 100), ("rh", 100))
    warm_ms = 5500

    def __init__(self, bus: object, ticks: object) -> None:
        super().__init__(bus, ticks)
        self._running = False

    async def start(self) -> None:
        """Start the measurement anew, also where it still runs from before a reboot; count a silence."""
        try:
            await self._restart()
        except OSError:
            self.timeout += 1

    async def read(self) -> list | None:
        """Return the newest values, all None when there are none; None until the first measurement is due."""
        if self.warming():
            return None
        try:
            if not self._running:
                await self._restart()
                return None
            return decode(await self._measurement())
        except BadChecksum:
            self.checksum += 1
            return [None] * 3
        except (Silent, OSError):
            return self.nothing()

    async def _restart(self) -> None:
        self._running = False
        self.bus.writeto(_ADDRESS, STOP)
        await self.ticks.sleep(_STOP_MS)
        self.bus.writeto(_ADDRESS, START)
        self._running = True
        self.begin()

    async def _measurement(self) -> bytes:
        if not words(await self._ask(READY, 3))[0] & 0x07FF:
            raise Silent
        return await self._ask(READ, 9)

    async def _ask(self, command: bytes, size: int) -> bytes:
        self.bus.writeto(_ADDRESS, command)
        await self.ticks.sleep(_READ_MS)
        return self.bus.readfrom(_ADDRESS, size)
