"""How far a renewal came: one JSON file, replaced whole, so that it can be taken up again."""

import importlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge.problem import Problem
from gateway.renewal.steps import RENEWALS, Facts, Step


class RecordError(Problem):
    """A renewal's file can't be read."""


@dataclass(slots=True)
class Member:
    """One device of a renewal: steps done, the turn that was last asked of it and for which step, why it
    refused or gave it back, when it was last heard [UTC s]; `without`: it is left behind."""

    id: str
    site: str
    done: int = 0
    turn: int = 0
    asked: int = -1
    word: str = ""
    heard: int | None = None
    without: bool = False


@dataclass(slots=True)
class Record:
    """A renewal: its kind, what it changes (never a secret), its devices, the steps it may take so far."""

    kind: str
    facts: Facts
    begun: int
    members: dict[str, Member] = field(default_factory=dict)
    upto: int = 1
    ended: bool = False

    def steps(self, device: str) -> tuple[Step, ...]:
        """What a device goes through."""
        return RENEWALS[self.kind](self.facts, device)

    @property
    def names(self) -> tuple[str, ...]:
        """The steps' names."""
        return tuple(step.name for step in self.steps(next(iter(self.members)))) if self.members else ()

    def lacking(self, upto: int) -> list[Member]:
        """Those that haven't done so many steps and aren't left behind."""
        return [one for one in self.members.values() if one.done < upto and not one.without]

    def counts(self) -> dict[str, int]:
        """How many have done each step, and how many are left behind."""
        members = self.members.values()
        found = {name: sum(one.done > n for one in members) for n, name in enumerate(self.names)}
        return found | {"all": len(members), "left behind": sum(one.without for one in members)}

    def as_json(self) -> dict[str, Any]:
        """The record as a JSON object, with counts."""
        facts = {name: getattr(self, name) for name in ("kind", "facts", "begun", "upto", "ended")}
        return facts | {"members": [asdict(one) for one in self.members.values()], "counts": self.counts()}

    def save(self, path: Path) -> None:
        """Write the file anew, whole or not at all."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")  # there is one writer: `alone`
        part.write_bytes(msgspec.json.encode(self.as_json()))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read the file. Raises `RecordError`."""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            members = {one["id"]: Member(**one) for one in said["members"]}
            record = cls(said["kind"], said["facts"], said["begun"], members, said["upto"], said["ended"])
            for device in members:
                record.steps(device)
        except FileNotFoundError:
            raise RecordError("nothing is being renewed", str(path)) from None
        except (ValueError, KeyError, TypeError) as error:
            advice = "remove it and repeat the call that began it: devices say what they have"
            raise RecordError(f"this is no renewal: {error!r}", str(path), advice) from None
        return record

    def take_up(self) -> None:
        """A new call asks those again that refused."""
        for one in self.members.values():
            if one.word:
                one.word, one.asked = "", -1


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only call that renews this; a killed one is none. Raises `RecordError` where another does."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("wb") as file:
        try:
            _lock(file.fileno())
        except OSError:
            advice = "wait for its end, or end it (Ctrl-C): the next call goes on where it was"
            raise RecordError("another call renews this at the moment", str(path), advice) from None
        yield


def _lock(descriptor: int) -> None:
    """Hold a file until it is closed; raises `OSError` where another process does."""
    if os.name == "nt":
        windows = importlib.import_module("msvcrt")
        windows.locking(descriptor, windows.LK_NBLCK, 1)
    else:
        posix = importlib.import_module("fcntl")
        posix.flock(descriptor, posix.LOCK_EX | posix.LOCK_NB)
