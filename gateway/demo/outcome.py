"""What a run of the demonstration came to, and whether it may call itself a success."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge.decision import REASONS
from edge.readings import SECOND
from gateway.demo.running import Demo
from gateway.demo.witness import Seen, missing
from gateway.journal import Journal

COUNTED = (
    "samples_stored",
    "batches_stored",
    "doubles",
    "conflicts",
    "letters",
    "quarantined",
    "late",
    "forecasts",
    "decisions",
    "commands",
    "acknowledgements",
    "unacknowledged",
    "resends",
    "lost",
    "stage_failures",
    "commit_failures",
)
"""The gateway's counters that the summary shows."""
STARTING = ("ahead", "over")
"""The reasons for which a purifier is started, rather than kept running."""


@dataclass(frozen=True, slots=True)
class Start:
    """An actuator's first start by the gateway, as the journal has it: simulated `minute`, PM2.5 of its room
    as measured then, how high it might have come without it, and the room's limit [µg/m³]."""

    actuator: str
    site: str
    room: str
    minute: float
    level: int
    measured: float
    risk: float
    limit: float
    reason: str

    @property
    def ahead(self) -> bool:
        """Whether the room was still within its limit."""
        return self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class RoomTruth:
    """What people of a room truly breathed: mean PM2.5 [µg/m³] and hours over 35 µg/m³ while occupied, as the
    purifiers were commanded, had they been off, had they run full; energy [kWh] as commanded and full."""

    site: str
    room: str
    occupied_h: float
    pm25: Mapping[str, float]
    over_h: Mapping[str, float]
    energy: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The run in numbers; `learnt`: horizons [s] at which this run's own model beats persistence."""

    seconds: float
    simulated_h: float
    firmware: bool
    nodes: int
    actuators: int
    published: int
    missing: int
    gaps: int
    counts: Mapping[str, int]
    learnt: tuple[int, ...]
    lag_s: Mapping[str, float]
    starts: tuple[Start, ...]
    rooms: tuple[RoomTruth, ...]
    dead: tuple[str, ...]
    crashed: tuple[str, ...]
    complaints: tuple[str, ...]
    cpu_s: Mapping[str, float]

    @property
    def ahead(self) -> int:
        """How many purifiers started while their room was within its limit."""
        return sum(start.ahead for start in self.starts)

    def described(self) -> dict[str, Any]:
        """The outcome as a JSON object, without a verdict."""
        starts = [{**asdict(start), "ahead": start.ahead} for start in self.starts]
        return {**asdict(self), "starts": starts, "started_ahead": self.ahead, "label": "simulated"}


def concluded(demo: Demo, seen: Seen) -> Outcome:
    """The outcome of a demonstration whose parts still run, once it has settled with what was `seen` sent."""
    watching, value = demo.watching, demo.gateway.metrics.value
    summary = demo.world.summary()
    return Outcome(
        seconds=round(time.monotonic() - demo.began, 1),
        simulated_h=round(summary.hours, 2),
        firmware=demo.firmware,
        nodes=len(demo.network.nodes),
        actuators=len(demo.network.actuators),
        published=sum(high - low + 1 for spans in seen.values() for low, high in spans),
        missing=missing(seen, demo.ledger()),
        gaps=sum(high - low + 1 for row in demo.ledger() for low, high in row["gaps"]),
        counts={name: int(value(name)) for name in COUNTED},
        learnt=demo.gateway.forecaster.model.installed,
        lag_s={
            "river_max": _worst(watching.lags),
            "river_mean": _mean(watching.lags),
            "age_max": _worst(watching.ages),
        },
        starts=tuple(_starts(demo)),
        rooms=tuple(_room(demo, *key) for key in summary.exposures),
        dead=demo.devices.dead,
        crashed=demo.crashed,
        complaints=demo.complaints(),
        cpu_s={},
    )


def _starts(demo: Demo) -> Iterator[Start]:
    known: set[str] = set()
    for at, decision in _decisions(demo.gateway.journal):
        name, level, details = decision["actuator"], decision["level"], decision["details"]
        if level and name not in known and decision["key"] in STARTING:
            known.add(name)
            minute = round((at / SECOND - demo.world.begun) / 60, 1)
            machine = demo.network.actuators[name]
            numbers = (details["now"], details["risk"], details["limit"])
            reason = REASONS[decision["key"]].format(**details)
            yield Start(name, machine.site, machine.room, minute, level, *numbers, reason)


def _decisions(journal: Journal) -> Iterator[tuple[int, dict[str, Any]]]:
    after = 0
    while blocks := journal.blocks(after, ("decision",)):
        after = blocks[-1].id
        for row in (row for block in blocks for row in json.loads(block.body or b"[]")):
            yield row["at"], row["decision"]


def _room(demo: Demo, site: str, room: str) -> RoomTruth:
    summary = demo.world.summary()
    exposed = summary.exposures[site, room]
    machines = demo.network.actuators_in(site, room)
    full = sum(machine.levels[-1].power for machine in machines) * summary.hours / 1000
    return RoomTruth(
        site,
        room,
        round(exposed["commanded"].occupied_h, 2),
        {scenario: round(one.occupied_pm25, 1) for scenario, one in exposed.items()},
        {scenario: round(one.over_h, 2) for scenario, one in exposed.items()},
        {"commanded": round(sum(summary.energy[m.id] for m in machines), 3), "full": round(full, 3)},
    )


def _worst(values: list[float]) -> float:
    return round(max(values, default=0.0), 3)


def _mean(values: list[float]) -> float:
    return round(sum(values) / max(len(values), 1), 3)


HAPPENED: tuple[tuple[Callable[[Outcome], bool], str], ...] = (
    (lambda o: o.counts["samples_stored"] > 0, "No sample was stored."),
    (lambda o: o.counts["forecasts"] > 0, "No forecast was made."),
    (lambda o: o.counts["acknowledgements"] > 0, "No command was acknowledged."),
)
"""What must have happened in a run that was long enough."""

NOTHING_WRONG: tuple[tuple[Callable[[Outcome], bool], str], ...] = (
    (lambda o: not o.crashed, "Ended on an error: {crashed}."),
    (lambda o: not o.dead, "Devices ended by themselves: {dead}."),
    (lambda o: not o.complaints, "Devices had exceptions: {complaints}."),
    (lambda o: not o.missing, "{missing} batches passed the broker and are not stored."),
    (lambda o: not o.gaps, "{gaps} batches that nodes have sent are still missing."),
    (lambda o: not o.counts["lost"], "{lost} batches are lost."),
    (lambda o: not o.counts["conflicts"], "{conflicts} batches came with the name of others."),
    (lambda o: not o.counts["letters"], "{letters} messages ended in the dead letters."),
    (lambda o: not o.counts["quarantined"], "{quarantined} messages came from nodes that no file names."),
    (lambda o: not o.counts["unacknowledged"], "{unacknowledged} commands were never acknowledged."),
    (lambda o: not o.counts["stage_failures"], "A stage failed on {stage_failures} blocks."),
    (lambda o: not o.counts["commit_failures"], "The disk refused {commit_failures} blocks."),
)
"""What may not have happened in any run."""


LISTS = ("dead", "crashed", "complaints")


def judged(outcome: Outcome, whole: bool) -> tuple[str, ...]:
    """What failed, in a sentence each; `whole`: the run had its time, so that things must have happened."""
    parts = {name: ", ".join(getattr(outcome, name)) for name in LISTS}
    values = {**outcome.counts, **parts, "missing": outcome.missing, "gaps": outcome.gaps}
    rules = (*HAPPENED, *NOTHING_WRONG) if whole else NOTHING_WRONG
    return tuple(sentence.format(**values) for holds, sentence in rules if not holds(outcome))
