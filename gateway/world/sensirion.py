"""A virtual SCD41 (SCD4x family): its commands, words and checksums as the data sheet has them."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

ADDRESS = 0x62
PERIODS = {0x21B1: 5.0, 0x21AC: 30.0}
"""Seconds between two measurements, by the command that starts them."""
Gas = tuple[float, float, float]
"""CO2 [ppm], temperature [°C] without the sensor's own warmth, relative humidity [%]."""


def crc(data: bytes) -> int:
    """Sensirion's CRC-8 (polynomial 0x31, start 0xFF) of one word."""
    value = 0xFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x31 if value & 0x80 else value << 1) & 0xFF
    return value


def packed(words: Sequence[int]) -> bytes:
    """Words as they stand on the bus: big-endian, each followed by its checksum."""
    pairs = (struct.pack(">H", word) for word in words)
    return b"".join(pair + bytes((crc(pair),)) for pair in pairs)


def measured(gas: Gas, shift: float = 0.0) -> tuple[int, int, int]:
    """The three words of a measurement; `shift` [°C] is how far its temperature offset is set amiss."""
    co2, temp, rh = gas
    words = (co2, (temp + shift + 45) * 65535 / 175, rh * 65535 / 100)
    return tuple(round(min(max(word, 0.0), 65535.0)) for word in words)  # type: ignore[return-value]  # three


@dataclass(slots=True)
class Scd4x:
    """The device on an I2C bus; `measure(time)` gives its gas, or None when it is silent by a fault.

    Times are simulated UTC [s]. A command is refused (N) while it executes one, or where the data sheet
    forbids it during a measurement.
    """

    measure: Callable[[float], Gas | None]
    serial: int = 0xF896_9F07_3BBE
    own_warmth: float = 4.0
    """What its true temperature offset would be [°C]; the factory sets 4."""
    started: float = math.inf
    period: float = 5.0
    busy: float = -math.inf
    asleep: bool = False
    taken: int = 0
    """Measurements already read since the start."""
    settings: dict[int, int] = field(default_factory=dict)
    reply: bytes = b""
    refused: int = 0

    def open(self, now: float) -> None:
        """Power on: idle, volatile settings lost."""
        self.settings = dict(_FACTORY)
        self.started, self.busy, self.asleep, self.reply = math.inf, now + 0.03, False, b""

    def write(self, data: bytes, now: float) -> bool:
        """Whether it acknowledges these bytes (a command word, perhaps one argument with checksum)."""
        accepted = len(data) >= 2 and now >= self.busy and self._obey(data, now)
        self.refused += not accepted
        return accepted

    def read(self, length: int, now: float) -> bytes | None:
        """`length` bytes of the answer to the last command, or None (no acknowledgement)."""
        if not self.reply or now < self.busy:
            return None
        answer, self.reply = self.reply, b""
        return answer[:length].ljust(length, b"\xff")

    def _obey(self, data: bytes, now: float) -> bool:
        command, argument = int.from_bytes(data[:2], "big"), data[2:]
        if self.asleep:  # only wake-up is heard, and the data sheet says that it isn't acknowledged
            self.asleep = command != 0x36F6
            return False
        row = _COMMANDS.get(command)
        if row is None or (self.started != math.inf and not row.running):
            return False
        if len(argument) != 3 * row.argument or (argument and crc(argument[:2]) != argument[2]):
            return False
        self.reply, self.busy = b"", now + row.seconds
        return row.obey(self, command, int.from_bytes(argument[:2], "big"), now)

    def _start(self, command: int, argument: int, now: float) -> bool:
        self.started, self.period, self.taken = now, PERIODS[command], 0
        return True

    def _stop(self, command: int, argument: int, now: float) -> bool:
        self.started = math.inf
        return True

    def _single(self, command: int, argument: int, now: float) -> bool:
        words = self._words(now)
        self.reply = packed(words) if words else b""
        return True

    def _made(self, now: float) -> int:
        return int((now - self.started) // self.period) if self.started <= now else 0

    def _ready(self, command: int, argument: int, now: float) -> bool:
        fresh = self._made(now) > self.taken and self.measure(now) is not None
        self.reply = packed((0x8006 if fresh else 0x8000,))
        return True

    def _read(self, command: int, argument: int, now: float) -> bool:
        made = self._made(now)
        words = self._words(self.started + made * self.period) if made > self.taken else None
        if words is None:
            self.reply = b""
            return True  # the command is acknowledged, the read after it is not
        self.taken, self.reply = made, packed(words)
        return True

    def _words(self, time: float) -> tuple[int, int, int] | None:
        gas = self.measure(time)
        offset = self.settings.get(0x241D, 0) * 175 / 65535
        return measured(gas, self.own_warmth - offset) if gas else None

    def _set(self, command: int, argument: int, now: float) -> bool:
        self.settings[command] = argument
        return True

    def _get(self, command: int, argument: int, now: float) -> bool:
        self.reply = packed((self.settings.get(_SETTER[command], 0),))
        return True

    def _serial(self, command: int, argument: int, now: float) -> bool:
        self.reply = packed([self.serial >> shift & 0xFFFF for shift in (32, 16, 0)])
        return True

    def _recalibrate(self, command: int, argument: int, now: float) -> bool:
        gas = self.measure(now)
        self.reply = packed((0xFFFF if gas is None else 0x8000 + round(argument - gas[0]) & 0xFFFF,))
        return True

    def _passed(self, command: int, argument: int, now: float) -> bool:
        self.reply = packed((0,))
        return True

    def _restart(self, command: int, argument: int, now: float) -> bool:
        self.started = math.inf
        return True

    def _sleep(self, command: int, argument: int, now: float) -> bool:
        self.asleep = True
        return True


@dataclass(frozen=True, slots=True)
class _Command:
    obey: Callable[[Scd4x, int, int, float], bool]
    seconds: float = 0.001
    argument: bool = False
    running: bool = False
    """Whether it is allowed during a measurement."""


_FACTORY = {0x241D: round(4 * 65535 / 175), 0x2427: 0, 0xE000: 1013, 0x2416: 1, 0x243A: 400}
_SETTER = {0x2318: 0x241D, 0x2322: 0x2427, 0x2313: 0x2416, 0x233F: 0x243A}
_COMMANDS: dict[int, _Command] = {
    0x21B1: _Command(Scd4x._start),
    0x21AC: _Command(Scd4x._start),
    0xEC05: _Command(Scd4x._read, running=True),
    0x3F86: _Command(Scd4x._stop, 0.5, running=True),
    0xE4B8: _Command(Scd4x._ready, running=True),
    0x241D: _Command(Scd4x._set, argument=True),
    0x2427: _Command(Scd4x._set, argument=True),
    0xE000: _Command(Scd4x._set, argument=True, running=True),
    0x2416: _Command(Scd4x._set, argument=True),
    0x243A: _Command(Scd4x._set, argument=True),
    0x2318: _Command(Scd4x._get),
    0x2322: _Command(Scd4x._get),
    0x2313: _Command(Scd4x._get),
    0x233F: _Command(Scd4x._get),
    0x362F: _Command(Scd4x._recalibrate, 0.4, argument=True),
    0x3615: _Command(Scd4x._passed, 0.8),
    0x3646: _Command(Scd4x._restart, 0.03),
    0x3682: _Command(Scd4x._serial),
    0x3639: _Command(Scd4x._passed, 10.0),
    0x219D: _Command(Scd4x._single, 5.0),
    0x36E0: _Command(Scd4x._sleep),
    0x36F6: _Command(Scd4x._restart, 0.03),
}
