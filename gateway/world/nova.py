"""A virtual Nova SDS011: the bytes of its serial line, as its protocol paper and recordings have them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

Dust = tuple[float, float]
"""PM2.5, PM10 [µg/m³]."""
COMMAND = 19
"""Length of every command."""
ANY = b"\xff\xff"
WORKING = 30.0
"""Seconds that it measures in every working period."""


def packet(kind: int, six: bytes) -> bytes:
    """Ten bytes: data (kind C0) or a reply (C5)."""
    return bytes((0xAA, kind)) + six + bytes((sum(six) & 0xFF, 0xAB))


def measured(dust: Dust, name: bytes) -> bytes:
    """The data packet that says these two values, each held within 0 to 999.9."""
    pm25, pm10 = (round(10 * min(max(value, 0.0), 999.9)) for value in dust)
    return packet(0xC0, pm25.to_bytes(2, "little") + pm10.to_bytes(2, "little") + name)


@dataclass(slots=True)
class Sds011:
    """The device on one UART; `measure(time, awake)` gives the dust, or None when it is silent by a fault.

    `time` is simulated UTC [s], `awake` the seconds since its fan started. Mode and period outlive its power.
    """

    measure: Callable[[float, float], Dust | None]
    name: bytes = b"\x58\xd9"
    active: bool = True
    working: bool = True
    period: int = 0
    """Minutes from one start of the fan to the next; 0: it never stops."""
    woken: float = -math.inf
    next: float = math.inf
    refused: int = 0
    """Commands with a wrong checksum, and bytes that are none."""
    _heard: bytearray = field(default_factory=bytearray)

    def open(self, now: float) -> None:
        """Power on at `now`."""
        self.working = True
        self.woken, self.next = now, now + 1.0
        self._heard.clear()

    def close(self, now: float) -> None:
        """Power off."""
        self.next = math.inf

    def due(self) -> float:
        """When the next packet leaves [simulated UTC s]; never when asked mode, asleep or off."""
        return self.next if self.active and self.working else math.inf

    def poll(self, now: float) -> bytes:
        """The packets due by `now`; after a long absence of the line's reader only the newest four."""
        self.next = max(self.next, now - 4.0)
        sent = b""
        while self.due() <= now:
            sent += self._said(self.next)
            self.next += 60.0 * self.period or 1.0
        return sent

    def receive(self, data: bytes, now: float) -> bytes:
        """The replies to the commands completed by `data`."""
        self._heard += data
        replies = b""
        while (command := self._command()) is not None:
            replies += self._obey(command[2:5], now)
        return replies

    def _command(self) -> bytes | None:
        heard = self._heard
        while len(heard) >= COMMAND:
            whole = bytes(heard[:COMMAND])
            if self._good(whole):
                del heard[:COMMAND]
                return whole
            self.refused += 1
            del heard[0]
        return None

    def _good(self, whole: bytes) -> bool:
        framed = whole[:2] == b"\xaa\xb4" and whole[18] == 0xAB and whole[15:17] in (ANY, self.name)
        return framed and sum(whole[2:17]) & 0xFF == whole[17]

    def _obey(self, data: bytes, now: float) -> bytes:
        if not self.working and data[0] != 6:  # asleep it hears the work command alone
            return b""
        answer = _COMMANDS.get(data[0])
        if answer is None:
            self.refused += 1
            return b""
        return answer(self, data, now)

    def _mode(self, data: bytes, now: float) -> bytes:
        self.active = not data[2] if data[1] else self.active
        self.next = now + 1.0
        return self._reply(data)

    def _query(self, data: bytes, now: float) -> bytes:
        return self._said(now)

    def _work(self, data: bytes, now: float) -> bytes:
        if data[1]:
            if data[2] and not self.working:
                self.woken, self.next = now, now + 1.0
            self.working = bool(data[2])
        return self._reply(data)

    def _pause(self, data: bytes, now: float) -> bytes:
        if data[1]:
            self.period = data[2]
            self.next = now + (WORKING if self.period else 1.0)
        return self._reply(data)

    def _version(self, data: bytes, now: float) -> bytes:
        return packet(0xC5, bytes((7, 18, 11, 16)) + self.name)

    def _reply(self, data: bytes) -> bytes:
        return packet(0xC5, data + b"\0" + self.name)

    def _said(self, now: float) -> bytes:
        dust = self.measure(now, now - self.woken)
        return b"" if dust is None else measured(dust, self.name)


_COMMANDS: dict[int, Callable[[Sds011, bytes, float], bytes]] = {
    2: Sds011._mode,
    4: Sds011._query,
    6: Sds011._work,
    7: Sds011._version,
    8: Sds011._pause,
}
