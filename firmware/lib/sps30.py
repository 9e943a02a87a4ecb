"""Sensirion SPS30 over a UART (SHDLC) or I2C: mass and number of particles, one measurement a second."""

import struct

from lib import shdlc
from lib.sensirion import words
from lib.sensor import BadChecksum, Sensor, Silent

START, STOP, READ, SLEEP, WAKE = 0x00, 0x01, 0x03, 0x10, 0x11
FLOATS = b"\x01\x03"
# Wakes the interface; whoever is awake takes it for noise.
PULSE = b"\xff"
ANSWER_MS, POLL_MS = 300, 20

ADDRESS = 0x69
I2C_START, I2C_STOP = b"\x00\x10\x03\x00\xac", b"\x01\x04"
I2C_READY, I2C_READ = b"\x02\x02", b"\x03\x00"
I2C_SLEEP, I2C_WAKE = b"\x10\x01", b"\x11\x03"
SETTLE_MS = 20


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


class _SPS30(Sensor):
    columns = (("pm1", 10), ("pm25", 10), ("pm10", 10), ("n03", 1), ("n05", 1), ("n10", 1), ("n25", 1))
    warm_ms = 30000

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


class SPS30(_SPS30):
    """The sensor on its UART."""

    baud = 115200

    def __init__(self, bus: object, ticks: object) -> None:
        super().__init__(bus, ticks)
        self.responses = shdlc.Responses()

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.responses.checksum), ("timeout", self.timeout))

    async def _start(self) -> None:
        self.bus.write(PULSE)
        await self._ask(WAKE)
        await self._ask(START, FLOATS)

    async def _rest(self) -> None:
        await self._ask(STOP)
        await self._ask(SLEEP)

    async def _measurement(self) -> bytes:
        return await self._ask(READ)

    async def _ask(self, command: int, data: bytes = b"") -> bytes:
        self.responses.feed(self.bus.read() or b"")
        self.bus.write(shdlc.frame(command, data))
        for _ in range(ANSWER_MS // POLL_MS):
            await self.ticks.sleep(POLL_MS)
            for said, _, answer in self.responses.feed(self.bus.read() or b""):
                if said == command:
                    return answer
        raise Silent


class SPS30I2C(_SPS30):
    """The sensor on I2C (its SEL pin at ground)."""

    async def _start(self) -> None:
        for command in (I2C_WAKE, I2C_WAKE, I2C_START):
            try:
                self.bus.writeto(ADDRESS, command)
            except OSError:  # asleep it hears the first wake-up without acknowledging; awake it refuses both
                if command == I2C_START:
                    raise
            await self.ticks.sleep(SETTLE_MS)

    async def _rest(self) -> None:
        for command in (I2C_STOP, I2C_SLEEP):
            self.bus.writeto(ADDRESS, command)
            await self.ticks.sleep(SETTLE_MS)

    async def _measurement(self) -> bytes:
        if not words(await self._words(I2C_READY, 3))[0]:
            raise Silent
        out = b""
        for word in words(await self._words(I2C_READ, 60)):
            out += bytes((word >> 8, word & 0xFF))
        return out

    async def _words(self, command: bytes, size: int) -> bytes:
        self.bus.writeto(ADDRESS, command)
        await self.ticks.sleep(1)
        return self.bus.readfrom(ADDRESS, size)
