"""What every dialect does: name its topics, say a level, understand what the device says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Device:
    """A foreign actuator: its `address` in its dialect, what it is told for each level (`words[0]`: off; an
    empty word stands for the dialect's own), whether it ends a command by a timer of its own, and what it has
    said about itself (`config`, Home Assistant's discovery)."""

    address: str
    words: tuple[str, ...]
    timer: bool = False
    config: Config = field(default_factory=dict)

    @property
    def switch(self) -> bool:
        """Whether it is on or off and nothing between."""
        return len(self.words) == 2

    @property
    def numbered(self) -> "Device":
        """The same with each level's number where it has no word."""
        return replace(self, words=tuple(word or str(level) for level, word in enumerate(self.words)))


@dataclass(frozen=True, slots=True)
class Said:
    """A message to a device; never retained."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What a device's message tells: its level, whether it is connected, the power that it draws [W], its
    discovery; None where the message doesn't say."""

    level: int | None = None
    online: bool | None = None
    power: float | None = None
    config: Config | None = None


class Unheard(ValueError):
    """A message isn't what its dialect says on that topic; the argument is the reason."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row of the table of dialects.

    `topics(device)` are those to subscribe to; `say(device, level, ttl)` the messages for a level that ends
    after `ttl` [s] where the device has a timer; `ask(device)` makes it report its state;
    `hear(device, topic, payload)` understands, raises `Unheard`, or returns None where a message says nothing
    of this. `timer(n)` tells whether a device of n levels ends a command itself, and `how` by what.
    """

    name: str
    how: str
    timer: Callable[[int], bool]
    topics: Callable[[Device], tuple[str, ...]]
    say: Callable[[Device, int, int], tuple[Said, ...]]
    ask: Callable[[Device], tuple[Said, ...]]
    hear: Callable[[Device, str, bytes], Heard | None]


def object_of(payload: bytes) -> Config:
    """The JSON object of a payload; raises `Unheard`."""
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unheard(str(error)) from None
    if not isinstance(found, dict):
        raise Unheard("not a JSON object")
    return found


def text_of(payload: bytes) -> str:
    """The text of a payload; raises `Unheard`."""
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise Unheard(str(error)) from None


def watts(value: object) -> float | None:
    """A power [W], None for what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def level_of(device: Device, word: str) -> int:
    """The level that a word stands for; raises `Unheard`."""
    try:
        return device.words.index(word)
    except ValueError:
        raise Unheard(f'"{word[:40]}" is none of its levels: {", ".join(device.words)}') from None
