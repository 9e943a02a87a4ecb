"""Sensirion SCD40/41: carbon dioxide, temperature and humidity over I2C, one measurement every 5 s."""

from lib import ticks as tick

ADDRESS = 0x62
STOP, START, READY, READ = b"\x3f\x86", b"\x21\xb1", b"\xe4\xb8", b"\xec\x05"
STOP_MS = 500
WARM_UP_MS = 5500
READ_MS = 1


class Silent(Exception):
    """The sensor didn't answer, or has nothing new to say."""


class BadChecksum(Exception):
    """A word came with a wrong CRC."""


def crc8(data: bytes) -> int:
    """CRC-8 of Sensirion's words: polynomial 0x31, first value 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def words(data: bytes) -> list:
    """Return the 16-bit words of groups of 3 bytes; raise BadChecksum."""
    out = []
    for i in range(0, len(data), 3):
        if crc8(data[i : i + 2]) != data[i + 2]:
            raise BadChecksum
        out.append(data[i] << 8 | data[i + 1])
    return out


def decode(data: bytes) -> list:
    """Return CO2 [ppm], temperature [0.01 °C] and humidity [0.01 %] of 9 bytes; raise BadChecksum."""
    co2, t, h = words(data)
    return [co2, (17500 * t + 32767) // 65535 - 4500, (10000 * h + 32767) // 65535]


class SCD4x:
    """The sensor on its bus."""

    columns = (("co2", 1), ("temp", 100), ("rh", 100))

    def __init__(self, i2c: object, ticks: tick.Ticks) -> None:
        self.i2c = i2c
        self.ticks = ticks
        self.checksum = 0
        self.timeout = 0
        self._since = None

    async def start(self) -> None:
        """Start the measurement anew, also where it still runs from before a reboot; count a silence."""
        try:
            await self._restart()
        except OSError:
            self.timeout += 1

    async def read(self) -> list | None:
        """Return the newest values, all None when there are none; None until the first measurement is due."""
        if self._since is not None and tick.diff(self.ticks.now(), self._since) < WARM_UP_MS:
            return None
        try:
            if self._since is None:
                await self._restart()
                return None
            values = decode(await self._measurement())
            return values
        except BadChecksum:
            self.checksum += 1
        except (Silent, OSError):
            self.timeout += 1
        return [None, None, None]

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.checksum), ("timeout", self.timeout))

    async def _restart(self) -> None:
        self._since = None
        self.i2c.writeto(ADDRESS, STOP)
        await self.ticks.sleep(STOP_MS)
        self.i2c.writeto(ADDRESS, START)
        self._since = self.ticks.now()

    async def _measurement(self) -> bytes:
        if not words(await self._ask(READY, 3))[0] & 0x07FF:
            raise Silent
        return await self._ask(READ, 9)

    async def _ask(self, command: bytes, size: int) -> bytes:
        self.i2c.writeto(ADDRESS, command)
        await self.ticks.sleep(READ_MS)
        return self.i2c.readfrom(ADDRESS, size)
