"""A virtual Sensirion SPS30: one measuring core, told over a UART (SHDLC) or over I2C."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.world.sensirion import crc, packed

ADDRESS = 0x69
Cloud = tuple[float, ...]
"""PM1, 2.5, 4, 10 [µg/m³], particles of 0.3 to 0.5, 1, 2.5, 4, 10 µm [1/cm³], typical size [µm]."""
START, STOP, READ, SLEEP, WAKE = 0x00, 0x01, 0x03, 0x10, 0x11
NO_COMMAND, WRONG_STATE = 0x02, 0x43
"""States of a response: there is no such command, it isn't allowed now."""
_STUFFED = {0x7E: b"\x7d\x5e", 0x7D: b"\x7d\x5d", 0x11: b"\x7d\x31", 0x13: b"\x7d\x33"}


@dataclass(slots=True)
class Core:
    """Its states and its measurement, once a second; `measure` gives None when it is silent by a fault."""

    measure: Callable[[float, float], Cloud | None]
    """(time, seconds since the fan started) -> the cloud."""
    started: float = math.inf
    asleep: bool = False
    taken: int = 0
    refused: int = 0

    def power(self) -> None:
        """Power on: idle."""
        self.started, self.asleep, self.taken = math.inf, False, 0

    def start(self, now: float) -> bool:
        """Let the fan run; not when asleep or running."""
        if self.asleep or self.started != math.inf:
            return False
        self.started, self.taken = now, 0
        return True

    def stop(self) -> bool:
        """Stop the fan; not when asleep."""
        self.started = math.inf
        return not self.asleep

    def sleep(self) -> bool:
        """Sleep; only from idle."""
        if self.started != math.inf:
            return False
        self.asleep = True
        return True

    def fresh(self, now: float) -> bool:
        """Whether there is a measurement that hasn't been read."""
        return self.started <= now and int(now - self.started) > self.taken and self.cloud(now) is not None

    def cloud(self, now: float) -> Cloud | None:
        """The air of now."""
        return self.measure(now, now - self.started)

    def take(self, now: float) -> bytes:
        """The ten floats of the newest measurement, once; else nothing."""
        cloud = self.cloud(now) if self.fresh(now) else None
        if cloud is None:
            return b""
        self.taken = int(now - self.started)
        return struct.pack(">10f", *cloud)


def response(command: int, state: int, data: bytes = b"") -> bytes:
    """An SHDLC response: stuffed, with its sum, between two ends."""
    body = bytes((0, command, state, len(data))) + data
    body += bytes((~sum(body) & 0xFF,))
    return b"\x7e" + b"".join(_STUFFED.get(byte, bytes((byte,))) for byte in body) + b"\x7e"


@dataclass(slots=True)
class Sps30Uart:
    """The device on one UART."""

    core: Core
    pulsed: bool = False
    """Whether its interface has been woken by a byte that is no frame."""
    _heard: bytearray = field(default_factory=bytearray)

    def open(self, now: float) -> None:
        """Power on."""
        self.core.power()
        self.pulsed = False
        self._heard.clear()

    def close(self, now: float) -> None:
        """Power off: nothing outlives it that `open` doesn't reset."""

    def due(self) -> float:
        """Never: it speaks only when asked."""
        return math.inf

    def poll(self, now: float) -> bytes:
        """Nothing."""
        return b""

    def receive(self, data: bytes, now: float) -> bytes:
        """The responses to the requests completed by `data`."""
        self._heard += data
        *frames, rest = bytes(self._heard).split(b"\x7e")
        self._heard[:] = rest[-300:]
        if self.core.asleep and b"\xff" in data:
            self.pulsed = True
        return b"".join(self._frame(frame, now) for frame in frames if frame)

    def _frame(self, frame: bytes, now: float) -> bytes:
        body = bytearray()
        parts = iter(frame)
        for byte in parts:
            body.append(next(parts, 0) ^ 0x20 if byte == 0x7D else byte)
        if len(body) < 4 or len(body) != body[2] + 4 or ~sum(body[:-1]) & 0xFF != body[-1]:
            self.core.refused += 1
            return b""
        return self._obey(body[1], bytes(body[3:-1]), now)

    def _obey(self, command: int, data: bytes, now: float) -> bytes:
        if self.core.asleep:
            return self._wake(command)
        if command == READ:
            running = self.core.started != math.inf
            return response(READ, 0 if running else WRONG_STATE, self.core.take(now))
        acts = {START: lambda: self.core.start(now), STOP: self.core.stop, SLEEP: self.core.sleep}
        act = acts.get(command)
        if act is None or (command == START and data != b"\x01\x03"):
            self.core.refused += 1
            return response(command, WRONG_STATE if command == WAKE else NO_COMMAND)
        return response(command, 0 if act() else WRONG_STATE)

    def _wake(self, command: int) -> bytes:
        if command != WAKE or not self.pulsed:
            return b""
        self.core.asleep = self.pulsed = False
        return response(WAKE, 0)


@dataclass(slots=True)
class Sps30I2c:
    """The device on an I2C bus."""

    core: Core
    reply: bytes = b""
    knocked: bool = False
    """Whether its interface has heard the first of two wake-ups."""

    def open(self, now: float) -> None:
        """Power on."""
        self.core.power()
        self.reply, self.knocked = b"", False

    def write(self, data: bytes, now: float) -> bool:
        """Whether it acknowledges these bytes."""
        command = int.from_bytes(data[:2], "big")
        if self.core.asleep:
            return self._wake(command)
        accepted = len(data) >= 2 and self._obey(command, data[2:], now)
        self.core.refused += not accepted
        return accepted

    def read(self, length: int, now: float) -> bytes | None:
        """`length` bytes of the answer to the last command, or None (no acknowledgement)."""
        answer, self.reply = self.reply, b""
        return answer[:length].ljust(length, b"\xff") if answer else None

    def _wake(self, command: int) -> bool:
        woken = command == 0x1103 and self.knocked
        self.knocked = command == 0x1103
        self.core.asleep = not woken
        return woken

    def _obey(self, command: int, argument: bytes, now: float) -> bool:
        self.reply = b""
        if command == 0x0010:
            good = len(argument) == 3 and crc(argument[:2]) == argument[2] and argument[0] == 3
            return good and self.core.start(now)
        if command == 0x0202:
            self.reply = packed((int(self.core.fresh(now)),))
        elif command == 0x0300:
            data = self.core.take(now)
            self.reply = packed(struct.unpack(">20H", data)) if data else b""
        return {0x0104: self.core.stop, 0x1001: self.core.sleep}.get(command, lambda: command in _ASKED)()


_ASKED = (0x0202, 0x0300)
