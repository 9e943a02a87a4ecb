"""How far a roll-out came: one JSON file, replaced whole, so that it can be taken up again."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge.problem import Problem


class RecordError(Problem):
    """A roll-out's file can't be read, or is another release's."""


class State(StrEnum):
    """Where a device stands; the last three are ends."""

    WAITING = "waiting"
    SENDING = "sending"
    TRIAL = "trial"
    GOOD = "good"
    FAILED = "failed"
    AWAY = "away"


ENDS = frozenset({State.GOOD, State.FAILED, State.AWAY})


@dataclass(slots=True)
class Device:
    """One device of a roll-out: its stage (from 0), what has been taken of how many bytes, why it failed."""

    id: str
    site: str
    stage: int
    state: State = State.WAITING
    at: int = 0
    of: int = 0
    word: str = ""


@dataclass(slots=True)
class Record:
    """A roll-out: its release, its shares, its devices, and why it halted (empty: it didn't)."""

    release: int
    version: str
    kind: str
    shares: tuple[float, ...]
    devices: dict[str, Device] = field(default_factory=dict)
    halted: str = ""

    def counts(self) -> dict[str, int]:
        """How many devices are in each state."""
        return {state.value: sum(d.state == state for d in self.devices.values()) for state in State}

    def of_stage(self, stage: int) -> list[Device]:
        """The devices of one stage."""
        return [device for device in self.devices.values() if device.stage == stage]

    @property
    def stages(self) -> int:
        """How many stages have devices."""
        return max((device.stage for device in self.devices.values()), default=-1) + 1

    @property
    def finished(self) -> bool:
        """Whether every device has the release."""
        return all(device.state == State.GOOD for device in self.devices.values())

    def as_json(self) -> dict[str, Any]:
        """The record as a JSON object, with counts."""
        devices = [asdict(device) for device in self.devices.values()]
        return asdict(self) | {"devices": devices, "counts": self.counts(), "finished": self.finished}

    def save(self, path: Path) -> None:
        """Write the file anew, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(self.as_json(), indent=1), encoding="utf-8")
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read the file. Raises `RecordError`."""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            devices = [Device(**one | {"state": State(one["state"])}) for one in said["devices"]]
            return cls(
                said["release"],
                said["version"],
                said["kind"],
                tuple(said["shares"]),
                {device.id: device for device in devices},
                said["halted"],
            )
        except FileNotFoundError:
            raise RecordError("there is no roll-out", str(path), "begin one: gongi ota roll") from None
        except (ValueError, KeyError, TypeError) as error:
            advice = "remove it and roll out again: what devices have of the release isn't sent twice"
            raise RecordError(f"this is no roll-out: {error!r}", str(path), advice) from None

    def take_up(self) -> None:
        """After an interruption: what was away or half sent begins again; a device knows how far it came."""
        for device in self.devices.values():
            if device.state in (State.SENDING, State.AWAY):
                device.state, device.word = State.WAITING, ""


def staged(ids: Iterable[str], shares: Iterable[float]) -> dict[str, int]:
    """The stage of each id, in their order: by a stage's end its share of all, rounded up, has passed."""
    order = list(ids)
    ends = [max(1, math.ceil(len(order) * share - 1e-9)) for share in shares]
    return {one: next((s for s, end in enumerate(ends) if i < end), len(ends)) for i, one in enumerate(order)}
