"""A virtual Sensirion SHT4x: temperature and humidity when asked, in its data sheet's words and checksums."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gateway.world.sensirion import packed

ADDRESS = 0x44
SECONDS = {0xFD: 0.0083, 0xF6: 0.0045, 0xE0: 0.0016}
"""How long a measurement takes, by its command (high, medium, low precision)."""
SERIAL, RESET = 0x89, 0x94
Climate = tuple[float, float]
"""Temperature [°C], relative humidity [%]."""


def measured(climate: Climate) -> tuple[int, int]:
    """The two words of a measurement."""
    temp, rh = ((climate[0] + 45) * 65535 / 175, (climate[1] + 6) * 65535 / 125)
    return round(min(max(temp, 0), 65535)), round(min(max(rh, 0), 65535))


@dataclass(slots=True)
class Sht4x:
    """The device on an I2C bus; `measure(time)` gives its climate, or None when it is silent by a fault."""

    measure: Callable[[float], Climate | None]
    serial: int = 0x0F0E_0D0C
    busy: float = -math.inf
    reply: bytes = b""
    refused: int = 0

    def open(self, now: float) -> None:
        """Power on."""
        self.busy, self.reply = now + 0.001, b""

    def write(self, data: bytes, now: float) -> bool:
        """Whether it acknowledges these bytes: a command of one byte, nothing while it measures."""
        if len(data) != 1 or now < self.busy or data[0] not in {*SECONDS, SERIAL, RESET}:
            self.refused += 1
            return False
        self.busy = now + SECONDS.get(data[0], 0.001)
        climate = self.measure(now)
        self.reply = packed(measured(climate)) if climate and data[0] in SECONDS else b""
        if data[0] == SERIAL:
            self.reply = packed((self.serial >> 16, self.serial & 0xFFFF))
        return climate is not None

    def read(self, length: int, now: float) -> bytes | None:
        """`length` bytes of the answer to the last command, or None (no acknowledgement)."""
        if not self.reply or now < self.busy:
            return None
        answer, self.reply = self.reply, b""
        return answer[:length].ljust(length, b"\xff")
