"""A walk through an actuator's levels at a running gateway: each is set by override, awaited and proved."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from edge.proof import Decay, Finding, by_decay, by_power, decay
from gateway.remote import Remote, segment
from gateway.words import LANGUAGES, N_, words

WHO = "gongi actuator test"

FINDINGS: Mapping[str, str] = {
    "power": N_("It draws {power} W, as it should at level {level}."),
    "off": N_("It draws {power} W: it is off."),
    "asleep": N_(
        "It confirms level {level}, yet draws only {power} W instead of {expected}: the plug is on, but what "
        "hangs on it stays off until its own button is pressed. Press it, or have it start with the power."
    ),
    "other": N_("It draws {power} W, where the files say {expected} for level {level}."),
    "faster": N_(
        "Particles go {gained} ± {error} times an hour faster than with it off ({expected} promised)."
    ),
    "rests": N_("Particles go slower than at its other levels: it is off."),
    "idle": N_(
        "It confirms level {level}, yet particles go no faster than with it off ({gained} ± {error} an hour, "
        "{expected} promised): it may stay off until its own button is pressed."
    ),
    "weak": N_(
        "Particles go only {gained} ± {error} times an hour faster than with it off, less than half of the "
        "{expected} promised: look at its filter."
    ),
    "clean": N_(
        "The room is too clean to tell ({excess} µg/m³ above what comes in). Try when the air is worse."
    ),
    "unsure": N_("Not to be told yet: {gained} ± {error} an hour. Hold each level for longer."),
    "unnamed": N_("The files name neither power nor clean air for level {level}."),
    "blind": N_("No power reading, and no particle monitor in its room: nobody can tell."),
    "untold": N_("No power reading, and no other level is proved: nobody can tell."),
    "silent": N_("It does not confirm level {level}. Check its power and network."),
    "hand": N_("Somebody set it by hand meanwhile."),
}
"""What is found of a level; the numbers come from `edge.proof`."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long [s] an acknowledgement and a power reading are awaited, how long a level runs before its power
    counts (`settle`), and how long it is held where only the particles can tell."""

    acknowledge: float = 60.0
    reading: float = 30.0
    settle: float = 10.0
    hold: float = 600.0
    poll: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """A level as found: whether it was acknowledged, its last power reading [W], how particles went."""

    level: int
    acknowledged: bool
    power: float | None
    finding: Finding
    decay: Decay | None = None

    def said(self, lang: str) -> str:
        """The finding as a sentence."""
        details = {name: f"{value:g}" for name, value in self.finding.details.items()}
        return words(lang).gettext(FINDINGS[self.finding.key], **details)

    def row(self) -> dict[str, Any]:
        """The step as JSON."""
        return {
            "level": self.level,
            "acknowledged": self.acknowledged,
            "power": self.power,
            "decay": None if self.decay is None else [self.decay.rate, self.decay.error, self.decay.samples],
            "finding": self.finding.key,
            "proved": self.finding.proved,
            "said": {lang: self.said(lang) for lang in LANGUAGES},
        }


@dataclass
class Walk:
    """One walk; `tell(level, of, what)` is called as it goes on. In the end the gateway decides again."""

    remote: Remote
    actuator: str
    patience: Patience = field(default_factory=Patience)
    tell: Callable[[int, int, str], None] = lambda level, of, what: None

    def run(self) -> list[Step]:
        """Every level, off first. Raises `Unanswered`."""
        self._card = self._look()
        try:
            return _judged(list(self._steps(len(self._card["levels"]))))
        finally:
            self.remote.delete(f"{self._path}/override", who=WHO)

    def _steps(self, count: int) -> Iterator[Step]:
        off: Decay | None = None
        for level in range(count):
            self.tell(level, count, "waits for its answer")
            step = self._step(level, off)
            off = off if level else step.decay
            yield step
        self.tell(count, count, "done")

    @property
    def _path(self) -> str:
        return f"actuators/{segment(self.actuator)}"

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = self.remote.get(self._path)
        return found

    def _step(self, level: int, off: Decay | None) -> Step:
        patience = self.patience
        least = patience.acknowledge + patience.reading + patience.settle + patience.hold
        said = {"level": level, "minutes": least / 60 + 5, "why": "test", "who": WHO}
        since = self.remote.post(f"{self._path}/override", said)["now"]["override"]["since"]
        card = self._until(patience.acknowledge, lambda one: _lost(one) or _obeyed(one, level))
        if _lost(card):
            return Step(level, False, None, Finding("hand"))
        if not _obeyed(card, level):
            return Step(level, False, None, Finding("silent", {"level": level}))
        self.tell(level, len(card["levels"]), "waits for its power")
        power = self._drawn(level, since, card["now"]["power_at"])
        finding = None if power is None else by_power(level, power, float(card["levels"][level]["power"]))
        return Step(level, True, power, finding) if finding else self._by_air(level, power, off)

    def _drawn(self, level: int, since: str, last: str | None) -> float | None:
        """The power [W] that it draws, from a reading that came after its acknowledgement: one that proves
        the level at once, another one once it has settled; at the end also the one that came with it."""
        expected, settled = (
            float(self._card["levels"][level]["power"]),
            time.monotonic() + self.patience.settle,
        )

        def told(card: dict[str, Any]) -> bool:
            power, at = card["now"]["power"], card["now"]["power_at"]
            if power is None or at == last:
                return False
            found = by_power(level, power, expected)
            return (found is not None and found.proved) or time.monotonic() >= settled

        now = self._until(self.patience.reading + self.patience.settle, told)["now"]
        late = now["power_at"] is None or _moment(now["power_at"]) < _moment(since)
        return None if late else float(now["power"])

    def _until(self, seconds: float, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while not done(card := self._look()) and time.monotonic() < end:
            time.sleep(self.patience.poll)
        return card

    # -- by the room's particles ------------------------------------------------------------------------

    def _by_air(self, level: int, power: float | None, off: Decay | None) -> Step:
        room = self._room()
        if not room["node"] or "pm25" not in room["values"]:
            return Step(level, True, power, Finding("blind"))
        start = self._now()
        self.tell(level, len(self._card["levels"]), "watches the particles")
        self._until(self.patience.hold, _lost)
        time_, value = self._particles(room["node"], start)
        promised, floor = self._promised(level)
        found = decay(time_, value, floor)
        finding = by_decay(level, off, found, promised) if level else Finding("untold")
        return Step(level, True, power, finding, found)

    def _room(self) -> dict[str, Any]:
        self._site = self.remote.get(f"sites/{segment(self._card['site'])}")
        room = self._card["now"]["room"]
        return next(one for one in self._site["rooms"] if one["id"] == room)

    def _now(self) -> int:
        return int(datetime.fromisoformat(self._site["now"]).timestamp())

    def _particles(self, node: str, start: int) -> tuple[Any, Any]:
        """The times [s] and values [µg/m³] of the node's samples since `start`."""
        asked: dict[str, str | int] = {"node": node, "quantity": "pm25", "start": start, "points": 2000}
        past = self.remote.get(f"sites/{segment(self._card['site'])}/series", **asked)
        pairs = [(t, v) for t, v in zip(past["time"], past["value"], strict=True) if v is not None]
        rows = np.array(pairs, float).reshape(len(pairs), 2)
        return rows[:, 0], rows[:, 1]

    def _promised(self, level: int) -> tuple[float, float]:
        """The cleaning [1/h] that the files promise, and where the room settles by it [µg/m³]: 0 where
        outdoor air is unknown."""
        card, said = self._card, self._card["levels"][level]
        cleaned, aired = float(said["cadr"]) / card["volume"], float(said["flow"]) / card["volume"]
        outdoor = (self._site["outdoor"] or {"values": {}})["values"].get("pm25")
        outside = float(outdoor["value"]) if outdoor and outdoor["usable"] else 0.0
        return cleaned + aired, outside * (card["inward"] + aired) / (card["loss"] + cleaned + aired)


def _lost(card: dict[str, Any]) -> bool:
    """Whether the override has ended before its time."""
    return card["now"]["override"] is None


def _obeyed(card: dict[str, Any], level: int) -> bool:
    now = card["now"]
    return bool(now["acknowledged"] and now["told"] == now["level"] == level)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _judged(steps: list[Step]) -> list[Step]:
    """Off is proved without a reading of its own where another level differs from it."""
    differs = any(step.finding.key == "faster" for step in steps)
    return [
        Step(step.level, step.acknowledged, step.power, Finding("rests"), step.decay)
        if step.finding.key == "untold" and differs
        else step
        for step in steps
    ]
