"""What stands at the other end of a device's wires: an I2C bus with its chips, an actuator's output."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Port(Protocol):
    """One wire's far end; times are simulated UTC [s]."""

    def open(self, now: float) -> None:
        """The device was switched on: its sensors get power."""

    def close(self, now: float) -> None:
        """The device lost its power."""

    def receive(self, data: bytes, now: float) -> bytes:
        """The answer to what the device wrote."""

    def due(self) -> float:
        """When it will speak by itself; infinity for never."""

    def poll(self, now: float) -> bytes:
        """What it says by itself until `now`."""


class Chip(Protocol):
    """One I2C target."""

    def open(self, now: float) -> None:
        """Power on."""

    def write(self, data: bytes, now: float) -> bool:
        """Whether it acknowledges the bytes."""

    def read(self, length: int, now: float) -> bytes | None:
        """`length` bytes, or None for no acknowledgement."""


@dataclass(slots=True)
class I2c:
    """A bus: `W` addr len(2) bytes -> `A`|`N`; `R` addr len(2) -> `A` bytes|`N`; other bytes are skipped."""

    chips: Mapping[int, Chip]
    skipped: int = 0
    _heard: bytearray = field(default_factory=bytearray)

    def open(self, now: float) -> None:
        """Power on every chip."""
        self._heard.clear()
        for chip in self.chips.values():
            chip.open(now)

    def close(self, now: float) -> None:
        """Power off: nothing outlives it that `open` doesn't reset."""

    def due(self) -> float:
        """Never: a target speaks only when asked."""
        return math.inf

    def poll(self, now: float) -> bytes:
        """Nothing."""
        return b""

    def receive(self, data: bytes, now: float) -> bytes:
        """The answers to the requests completed by `data`."""
        self._heard += data
        answers = b""
        while (request := self._request()) is not None:
            answers += self._answer(*request, now)
        return answers

    def _request(self) -> tuple[int, int, bytes | int] | None:
        heard = self._heard
        while heard and heard[0] not in b"WR":
            del heard[0]
            self.skipped += 1
        if len(heard) < 4:
            return None
        kind, address, length = heard[0], heard[1], int.from_bytes(heard[2:4], "big")
        end = 4 + (length if kind == ord("W") else 0)
        if len(heard) < end:
            return None
        body = bytes(heard[4:end])
        del heard[:end]
        return kind, address, body if kind == ord("W") else length

    def _answer(self, kind: int, address: int, what: bytes | int, now: float) -> bytes:
        chip = self.chips.get(address)
        if chip is None:
            return b"N"
        if isinstance(what, bytes):
            return b"A" if chip.write(what, now) else b"N"
        answer = chip.read(what, now)
        return b"N" if answer is None else b"A" + answer


@dataclass(slots=True)
class Output:
    """An actuator's output: each line `LEVEL n` is told to `turned(level, time)`; `press()` sends `BUTTON`.

    Without power the output is off: closing the wire tells level 0.
    """

    turned: Callable[[int, float], None]
    refused: int = 0
    """Lines that say no level."""
    _heard: bytearray = field(default_factory=bytearray)
    _pressed: int = 0

    def open(self, now: float) -> None:
        """Power on."""
        self._heard.clear()

    def close(self, now: float) -> None:
        """Power off."""
        self.turned(0, now)

    def press(self) -> None:
        """Somebody presses the button on the device."""
        self._pressed += 1

    def due(self) -> float:
        """At once when the button was pressed."""
        return -math.inf if self._pressed else math.inf

    def poll(self, now: float) -> bytes:
        """One line for each press."""
        said, self._pressed = b"BUTTON\n" * self._pressed, 0
        return said

    def receive(self, data: bytes, now: float) -> bytes:
        """Turn to the levels that the whole lines say."""
        self._heard += data
        *lines, rest = bytes(self._heard).split(b"\n")
        self._heard[:] = rest[-256:]
        for line in lines:
            self._line(line.split(), now)
        return b""

    def _line(self, words: list[bytes], now: float) -> None:
        if len(words) == 2 and words[0] == b"LEVEL" and words[1].isdigit():
            self.turned(int(words[1]), now)
        else:
            self.refused += 1
