"""A command to an actuator: what it says, and when it must be said again."""

import json
from dataclasses import dataclass, replace
from enum import StrEnum


class Due(StrEnum):
    """What a command asks for now: nothing, its first sending, a repetition, an alarm, or a successor because
    its time is half over (`refresh`)."""

    NOTHING = "nothing"
    SEND = "send"
    REPEAT = "repeat"
    ALARM = "alarm"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Command:
    """A level for an actuator: `id` is `TERM-COUNTER`, both growing; `issued` [s], void after `ttl` [s]; the
    reason in English and in Korean (`ko`)."""

    id: str
    issued: int
    ttl: int
    level: int
    reason: str
    ko: str = ""

    def encode(self) -> bytes:
        """The payload of `{root}/{site}/{actuator}/set`."""
        said = {name: value for name in self.__slots__ if (value := getattr(self, name)) != ""}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a command fares: how often and when [s] it was sent, whether the actuator's state named its id, and
    whether its silence was raised as an alarm."""

    command: Command
    sends: int = 0
    last: int = 0
    acknowledged: bool = False
    alarmed: bool = False

    def sent(self, now: int) -> "Delivery":
        """After one more sending at `now` [s]."""
        return replace(self, sends=self.sends + 1, last=now)

    def heard(self, command_id: str | None) -> "Delivery":
        """After a state message that names the command last obeyed."""
        return replace(self, acknowledged=self.acknowledged or command_id == self.command.id)

    def raised(self) -> "Delivery":
        """After its silence was raised as an alarm."""
        return replace(self, alarmed=True)


def command_id(term: int, counter: int) -> str:
    """The id of a gateway's command: its start second (or fencing number) and a counter."""
    return f"{term}-{counter}"


def rank(command_id: str) -> tuple[int, int]:
    """An id as numbers that grow; raises ValueError for anything else."""
    term, _, counter = command_id.partition("-")
    return int(term), int(counter)


def due(delivery: Delivery, now: int, repeat_s: int, repeats: int) -> Due:
    """What a command asks for at `now` [s].

    An unacknowledged one is repeated every `repeat_s`, after `repeats` repetitions it is an alarm, once; at
    half its life any command is followed by a new one, so that an actuator that hears us never falls back.
    """
    command = delivery.command
    if not delivery.sends:
        return Due.SEND
    if 2 * (now - command.issued) >= command.ttl:
        return Due.REFRESH
    if delivery.acknowledged or now - delivery.last < repeat_s:
        return Due.NOTHING
    if delivery.sends <= repeats:
        return Due.REPEAT
    return Due.NOTHING if delivery.alarmed else Due.ALARM
