"""A virtual PMS5003/PMS7003: the bytes of its serial line, as the datasheet and recordings have them."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

START = b"BM"
COMMAND = 7
"""Length of every command: start, command byte, two data bytes, checksum."""
STABLE, CHANGING = 2.3, 0.8
"""Seconds between two frames in active mode, in steady and in changing air."""
JUMP = 10
"""A change of PM2.5 [µg/m³] that makes it send faster."""
VERSION, NO_ERROR = 0x97, 0

Words = tuple[int, ...]
"""PM1, PM2.5, PM10 (CF=1), the same (ATM) [µg/m³], particles > 0.3, 0.5, 1, 2.5, 5, 10 µm [1/0.1 L]."""


def frame(words: Sequence[int], version: int = VERSION, error: int = NO_ERROR) -> bytes:
    """The 32 bytes that say these twelve words, each held within 0..65535."""
    held = [min(max(word, 0), 0xFFFF) for word in words]
    return _summed(struct.pack(">2sH12H2B", START, 28, *held, version, error))


def _summed(body: bytes) -> bytes:
    return body + struct.pack(">H", sum(body) & 0xFFFF)


def _acknowledgement(command: int, data: int) -> bytes:
    return _summed(struct.pack(">2sHBB", START, 4, command, data))


@dataclass(slots=True)
class Pms5003:
    """The device on one UART; `measure(time)` gives the twelve words, or None when it is silent by a fault.

    `time` is simulated UTC [s]. Powered when its line is opened: awake, in active mode.
    """

    measure: Callable[[float, float], Words | None]
    """(time, seconds since the fan started) -> the words."""
    active: bool = True
    awake: bool = True
    woken: float = -math.inf
    next: float = math.inf
    pm25: int = 0
    refused: int = 0
    """Commands with a wrong checksum or an unknown command byte."""
    _heard: bytearray = field(default_factory=bytearray)

    def open(self, now: float) -> None:
        """Power on at `now`."""
        self.active = self.awake = True
        self.woken, self.next = now, now + STABLE
        self._heard.clear()

    def close(self, now: float) -> None:
        """Power off."""
        self.next = math.inf

    def due(self) -> float:
        """When the next frame leaves [simulated UTC s]; never in passive mode and asleep."""
        return self.next if self.active and self.awake else math.inf

    def poll(self, now: float) -> bytes:
        """The frames due by `now`; after a long absence of the line's reader only the newest four."""
        self.next = max(self.next, now - 4 * STABLE)
        sent = b""
        while self.due() <= now:
            sent += self._measured(self.next)
        return sent

    def receive(self, data: bytes, now: float) -> bytes:
        """The replies to the commands completed by `data`."""
        self._heard += data
        replies = b""
        while (command := self._command()) is not None:
            replies += self._obey(command[2], command[4], now)
        return replies

    def _command(self) -> bytes | None:
        heard = self._heard
        while len(heard) >= COMMAND:
            whole = bytes(heard[:COMMAND])
            if whole.startswith(START) and _summed(whole[:5]) == whole:
                del heard[:COMMAND]
                return whole
            self.refused += whole.startswith(START)
            del heard[0]
        return None

    def _obey(self, command: int, data: int, now: float) -> bytes:
        if not self.awake:  # asleep it hears the wake command alone
            return self._wake(now) if (command, data) == (0xE4, 1) else b""
        answer = _COMMANDS.get(command)
        if answer is None:
            self.refused += 1
            return b""
        return answer(self, data, now)

    def _mode(self, data: int, now: float) -> bytes:
        self.active = bool(data)
        self.next = now + STABLE
        return _acknowledgement(0xE1, data)

    def _read(self, data: int, now: float) -> bytes:
        return b"" if self.active else self._measured(now)

    def _sleep(self, data: int, now: float) -> bytes:
        if data:
            return self._wake(now)
        self.awake = False
        return _acknowledgement(0xE4, data)

    def _wake(self, now: float) -> bytes:
        if not self.awake:
            self.woken = now
        self.awake = True
        return self._measured(now)

    def _measured(self, now: float) -> bytes:
        words = self.measure(now, now - self.woken)
        if words is None:
            self.next = now + STABLE
            return b""
        self.next = now + (CHANGING if abs(words[4] - self.pm25) > JUMP else STABLE)
        self.pm25 = words[4]
        return frame(words)


_COMMANDS: dict[int, Callable[[Pms5003, int, float], bytes]] = {
    0xE1: Pms5003._mode,
    0xE2: Pms5003._read,
    0xE4: Pms5003._sleep,
}
