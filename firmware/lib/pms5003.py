"""Plantower PMS5003 and PMS7003, active or passive: frames of 32 bytes and replies of 8 over a UART."""

import struct

from lib.sensor import Talker
from micropython import const

_HEAD = const(b"BM")
PASSIVE, ACTIVE = b"\x42\x4d\xe1\x00\x00\x01\x70", b"\x42\x4d\xe1\x00\x01\x01\x71"
READ = b"\x42\x4d\xe2\x00\x00\x01\x71"
SLEEP, WAKE = b"\x42\x4d\xe4\x00\x00\x01\x73", b"\x42\x4d\xe4\x00\x01\x01\x74"
# Length field to whole length: a data frame, a reply to a command.
SIZES = {28: 32, 4: 8}
# A reply comes behind the frame of 33 ms that is on its way.
_REPLY_MS = const(500)
_POLL_MS = const(50)


class Frames:
    """The parser: bytes in, tuples of 13 words out, replies aside; finds the next frame after noise."""

    def __init__(self) -> None:
        self.checksum = 0
        self.reply: tuple | None = None  # the newest: command byte and data byte
        self._rest = b""

    def feed(self, data: bytes) -> list:
        """Return the words of every data frame completed by `data`."""
        buf = self._rest + data
        found: list = []
        at = buf.find(_HEAD)
        while at >= 0 and len(buf) - at >= 4:
            size = SIZES.get(buf[at + 2] << 8 | buf[at + 3], 0)
            if size and len(buf) - at < size:
                break
            good = size and self._good(buf[at : at + size])
            if good and size == 32:
                found.append(struct.unpack_from(">13H", buf, at + 4))
            elif good:
                self.reply = (buf[at + 4], buf[at + 5])
            at = buf.find(_HEAD, at + (size if good else 1))
        self._rest = buf[at:] if at >= 0 else buf[-1:] if buf[-1:] == b"B" else b""
        return found

    def _good(self, frame: bytes) -> bool:
        good = sum(frame[:-2]) == frame[-2] << 8 | frame[-1]
        self.checksum += not good
        return good


class PMS5003(Talker):
    """The sensor on its UART: a sample is the mean of the frames since the last one; passive, one frame."""

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
    warm_ms = 30000

    def __init__(self, bus: object, ticks: object, passive: bool = False) -> None:
        super().__init__(bus, ticks)
        self.frames = Frames()
        self.passive = passive

    async def start(self) -> None:
        """Wake the sensor; its first 30 s are not believed."""
        self.bus.write(WAKE)
        self.bus.write(PASSIVE if self.passive else ACTIVE)
        self.begin()

    async def rest(self) -> bool:
        """Stop fan and laser; return whether the sensor has said that it does."""
        self.frames.reply = None
        self.bus.write(SLEEP)
        waited = 0
        while self.frames.reply != (0xE4, 0) and waited < _REPLY_MS:
            await self.ticks.sleep(_POLL_MS)
            waited += _POLL_MS
            self.hear()
        return self.frames.reply == (0xE4, 0)

    async def gather(self) -> list:
        """Return the frames since the last sample; passive, the one asked for now."""
        if self.passive:
            self.hear()
            self.bus.write(READ)
        frames = await super().gather()
        if self.passive and not frames:  # it may have lost its power, and its mode with it
            self.bus.write(WAKE)
            self.bus.write(PASSIVE)
        return frames
