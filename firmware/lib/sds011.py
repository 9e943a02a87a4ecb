"""Nova SDS011 in active mode: one packet of 10 bytes a second over a UART."""

from lib.sensor import Talker
from micropython import const

_DATA = const(0xC0)
_REPLY = const(0xC5)
_SIZE = const(10)


def command(*data: int) -> bytes:
    """Return the 19 bytes that say `data` to whatever sensor is there."""
    body = bytes(data) + bytes(13 - len(data)) + b"\xff\xff"
    return b"\xaa\xb4" + body + bytes((sum(body) & 0xFF, 0xAB))


ACTIVE, QUERY = (2, 1, 0), (2, 1, 1)
SLEEP, WORK = (6, 1, 0), (6, 1, 1)
# A working period outlives a power cut: 0 is continuous.
CONTINUOUS = (8, 1, 0)


class Packets:
    """The parser: bytes in, (PM2.5, PM10) [0.1 µg/m³] out, replies aside; finds the next one after noise."""

    def __init__(self) -> None:
        self.checksum = 0
        self.reply: bytes | None = None  # the newest one's six bytes
        self._rest = b""

    def feed(self, data: bytes) -> list:
        """Return the values of every data packet completed by `data`."""
        buf = self._rest + data
        found: list = []
        at = buf.find(b"\xaa")
        while at >= 0 and len(buf) - at >= 2:
            known = buf[at + 1] in (_DATA, _REPLY)
            if known and len(buf) - at < _SIZE:
                break
            good = known and self._good(buf[at : at + _SIZE])
            if good:
                self._take(buf[at : at + _SIZE], found)
            at = buf.find(b"\xaa", at + (_SIZE if good else 1))
        self._rest = buf[at:] if at >= 0 else b""
        return found

    def _take(self, packet: bytes, found: list) -> None:
        if packet[1] == _DATA:
            found.append((packet[2] | packet[3] << 8, packet[4] | packet[5] << 8))
        else:
            self.reply = packet[2:8]

    def _good(self, packet: bytes) -> bool:
        good = packet[9] == 0xAB and sum(packet[2:8]) & 0xFF == packet[8]
        self.checksum += not good
        return good


class SDS011(Talker):
    """The sensor on its UART; a sample is the mean of the packets since the last one."""

    columns = (("pm25", 10), ("pm10", 10))
    warm_ms = 30000

    def __init__(self, bus: object, ticks: object) -> None:
        super().__init__(bus, ticks)
        self.frames = Packets()

    async def start(self) -> None:
        """Let it work, without pauses; its first 30 s are not believed."""
        for data in (WORK, ACTIVE, CONTINUOUS):
            self.bus.write(command(*data))
        self.begin()

    async def rest(self) -> None:
        """Stop fan and laser."""
        self.bus.write(command(*SLEEP))

    def mean(self, frames: list, i: int) -> int:
        """Return the mean of the packets' value `i`; they are in tenths already."""
        return (sum(f[i] for f in frames) + len(frames) // 2) // len(frames)
