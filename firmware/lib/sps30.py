"""Sensirion SPS30, over a UART here (SHDLC): mass and number of particles, one measurement a second."""

import struct

from lib import shdlc
from lib.sensor import BadChecksum, Sensor, Silent
from micropython import const

_START = const(0x00)
_STOP = const(0x01)
_READ = const(0x03)
_SLEEP = const(0x10)
_WAKE = const(0x11)
_FLOATS = const(b"\x01\x03")
# Wakes the interface; whoever is awake takes it for noise.
_PULSE = const(b"\xff")
_ANSWER_MS = const(1000)
_POLL_MS = const(20)


def _scaled(value: float, scale: int) -> int | None:
    # NaN is the one that isn't itself.
    return None if value != value else max(0, int(value * scale + 0.5))


def decode(data: bytes) -> list:
    """Return the columns of ten floats: PM1, 2.5, 4, 10 [µg/m³], number of 0.3 to 0.5, 1, 2.5, 4, 10 µm
    [1/cm³], typical size [µm]; the numbers become those above a size, in 0.1 L, as a Plantower's are."""
    if len(data) != 40:
        raise Silent
    pm1, pm25, _, pm10, n05, n1, n25, _, n10, _ = struct.unpack(">10f", data)
    masses = [_scaled(value, 10) for value in (pm1, pm25, pm10)]
    return masses + [_scaled(value, 100) for value in (n10, n10 - n05, n10 - n1, n10 - n25)]


class Particles(Sensor):
    """What the sensor is on either bus, which has `_start`, `_rest` and `_measurement`."""

    columns = (("pm1", 10), ("pm25", 10), ("pm10", 10), ("n03", 1), ("n05", 1), ("n10", 1), ("n25", 1))
    warm_ms = 30000
    _start: object
    _rest: object
    _measurement: object

    async def start(self) -> None:
        """Wake it and let it measure; its first 30 s are not believed; count a silence."""
        self.begin()
        try:
            await self._start()
        except (Silent, OSError):
            self.timeout += 1

    async def rest(self) -> None:
        """Stop fan and laser; count a silence."""
        try:
            await self._rest()
        except (Silent, OSError):
            self.timeout += 1

    async def read(self) -> list | None:
        """Return the newest values, all None when there are none; None while it warms up."""
        if self.warming():
            return None
        try:
            return decode(await self._measurement())
        except BadChecksum:
            self.checksum += 1
            return [None] * len(self.columns)
        except (Silent, OSError):
            row = self.nothing()
            await self._again()
            return row

    async def _again(self) -> None:
        """Start what may have lost its power meanwhile; one that measures refuses that unharmed."""
        try:
            await self._start()
            self.begin()
        except (Silent, OSError):
            pass  # the silence is counted


class SPS30(Particles):
    """The sensor on its UART."""

    baud = 115200

    def __init__(self, bus: object, ticks: object) -> None:
        super().__init__(bus, ticks)
        self.responses = shdlc.Responses()

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.responses.checksum), ("timeout", self.timeout))

    async def _start(self) -> None:
        self.bus.write(_PULSE)
        await self._ask(_WAKE)
        await self._ask(_START, _FLOATS)

    async def _rest(self) -> None:
        await self._ask(_STOP)
        await self._ask(_SLEEP)

    async def _measurement(self) -> bytes:
        return await self._ask(_READ)

    async def _ask(self, command: int, data: bytes = b"") -> bytes:
        self.responses.feed(self.bus.read() or b"")
        self.bus.write(shdlc.frame(command, data))
        for _ in range(_ANSWER_MS // _POLL_MS):
            await self.ticks.sleep(_POLL_MS)
            for said, _, answer in self.responses.feed(self.bus.read() or b""):
                if said == command:
                    return answer
        raise Silent
