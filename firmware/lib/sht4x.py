"""Sensirion SHT40/41/45: temperature and humidity over I2C, measured when asked."""

from lib.sensirion import celsius, words
from lib.sensor import BadChecksum, Sensor
from micropython import const

_ADDRESS = const(0x44)
MEASURE, RESET = b"\xfd", b"\x94"
_MEASURE_MS = const(10)
_RESET_MS = const(1)


def decode(data: bytes) -> list:
    """Return temperature [0.01 °C] and humidity [0.01 %, held within 0 to 100 %] of 6 bytes; BadChecksum."""
    t, h = words(data)
    return [celsius(t), min(10000, max(0, (12500 * h + 32767) // 65535 - 600))]


class SHT4x(Sensor):
    """The sensor on its bus."""

    columns = (("temp", 100), ("rh", 100))

    async def start(self) -> None:
        """Reset it: a heater that runs from before a reboot would warm it; count a silence."""
        try:
            self.bus.writeto(_ADDRESS, RESET)
            await self.ticks.sleep(_RESET_MS)
        except OSError:
            self.timeout += 1

    async def read(self) -> list:
        """Return the values of now, all None when there are none."""
        try:
            self.bus.writeto(_ADDRESS, MEASURE)
            await self.ticks.sleep(_MEASURE_MS)
            return decode(self.bus.readfrom(_ADDRESS, 6))
        except BadChecksum:
            self.checksum += 1
            return [None, None]
        except OSError:
            return self.nothing()
