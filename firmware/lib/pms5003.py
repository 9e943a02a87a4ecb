"""Plantower PMS5003 and PMS7003 in active mode: frames of 32 bytes over a UART, a sample is their mean."""

import struct

from lib import ticks as tick

WARM_UP_MS = 30000
# The longest pause between two frames of a sensor that lives is 2.3 s.
SILENCE_MS = 2500
POLL_MS = 250
WAKE = b"\x42\x4d\xe4\x00\x01\x01\x74"
ACTIVE = b"\x42\x4d\xe1\x00\x01\x01\x71"
# Length field to whole length: a data frame, a reply to a command.
SIZES = {28: 32, 4: 8}


class Frames:
    """The parser: bytes in, tuples of 13 words out; finds the next frame after noise."""

    def __init__(self) -> None:
        self.checksum = 0
        self._rest = b""

    def feed(self, data: bytes) -> list:
        """Return the words of every data frame completed by `data`."""
        buf = self._rest + data
        found = []
        at = buf.find(b"BM")
        while at >= 0 and len(buf) - at >= 4:
            size = SIZES.get(buf[at + 2] << 8 | buf[at + 3], 0)
            if size and len(buf) - at < size:
                break
            good = size and self._good(buf[at : at + size])
            if good and size == 32:
                found.append(struct.unpack_from(">13H", buf, at + 4))
            at = buf.find(b"BM", at + (size if good else 1))
        self._rest = buf[at:] if at >= 0 else buf[-1:] if buf[-1:] == b"B" else b""
        return found

    def _good(self, frame: bytes) -> bool:
        good = sum(frame[:-2]) == frame[-2] << 8 | frame[-1]
        self.checksum += not good
        return good


class PMS5003:
    """The sensor on its UART; a sample is the mean of the frames since the last one."""

    columns = (
        ("pm1_cf1", 10),
        ("pm25_cf1", 10),
        ("pm10_cf1", 10),
        ("pm1", 10),
        ("pm25", 10),
        ("pm10", 10),
        ("n03", 1),
        ("n05", 1),
        ("n10", 1),
        ("n25", 1),
        ("n50", 1),
        ("n100", 1),
    )

    def __init__(self, uart: object, ticks: tick.Ticks) -> None:
        self.uart = uart
        self.ticks = ticks
        self.frames = Frames()
        self.timeout = 0
        self._since = 0
        self._warm = False

    async def start(self) -> None:
        """Wake the sensor; its first 30 s are not believed."""
        self.uart.write(WAKE)
        self.uart.write(ACTIVE)
        self._since = self.ticks.now()

    async def read(self) -> list | None:
        """Return the mean by column, all None when the sensor is silent; None while it warms up."""
        if not self._warm:
            self._warm = tick.diff(self.ticks.now(), self._since) >= WARM_UP_MS
            self.frames.feed(self.uart.read() or b"")
            if not self._warm:
                return None
        frames = await self._gather()
        if frames:
            return [self._mean(frames, i) for i in range(len(self.columns))]
        self.timeout += 1
        return [None] * len(self.columns)

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.frames.checksum), ("timeout", self.timeout))

    async def _gather(self) -> list:
        frames = self.frames.feed(self.uart.read() or b"")
        waited = 0
        while not frames and waited < SILENCE_MS:
            await self.ticks.sleep(POLL_MS)
            waited += POLL_MS
            frames = self.frames.feed(self.uart.read() or b"")
        return frames

    def _mean(self, frames: list, i: int) -> int:
        n = len(frames)
        return (sum(f[i] for f in frames) * self.columns[i][1] + n // 2) // n
