"""What a run of the demonstration came to, and whether it may call itself a success."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.demo.running import Demo
from gateway.demo.watching import Start

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
    """The run in numbers; `failed` names in a sentence each what keeps it from being a success."""

    seconds: float
    simulated_h: float
    firmware: bool
    nodes: int
    actuators: int
    published: int
    missing: int
    gaps: int
    counts: Mapping[str, int]
    lag_s: Mapping[str, float]
    starts: tuple[Start, ...]
    rooms: tuple[RoomTruth, ...]
    dead: tuple[str, ...]
    crashed: tuple[str, ...]
    cpu_s: Mapping[str, float]

    @property
    def ahead(self) -> int:
        """How many purifiers started while their room was within its limit."""
        return sum(start.ahead for start in self.starts)

    def described(self) -> dict[str, Any]:
        """The outcome as a JSON object, without a verdict."""
        starts = [{**asdict(start), "ahead": start.ahead} for start in self.starts]
        return {**asdict(self), "starts": starts, "started_ahead": self.ahead, "label": "simulated"}


def concluded(demo: Demo, missing: int) -> Outcome:
    """The outcome of a settled demonstration whose parts still run."""
    watching, value = demo.watching, demo.gateway.metrics.value
    summary = demo.world.summary()
    return Outcome(
        seconds=round(time.monotonic() - demo.began, 1),
        simulated_h=round(summary.hours, 2),
        firmware=demo.firmware,
        nodes=len(demo.network.nodes),
        actuators=len(demo.network.actuators),
        published=demo.witness.counts["batches"],
        missing=missing,
        gaps=sum(high - low + 1 for row in demo.ledger() for low, high in row["gaps"]),
        counts={name: int(value(name)) for name in COUNTED},
        lag_s={
            "river_max": _worst(watching.lags),
            "river_mean": _mean(watching.lags),
            "age_max": _worst(watching.ages),
        },
        starts=tuple(watching.starts.values()),
        rooms=tuple(_room(demo, *key) for key in summary.exposures),
        dead=demo.devices.dead,
        crashed=demo.crashed,
        cpu_s={},
    )


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


def judged(outcome: Outcome, whole: bool) -> tuple[str, ...]:
    """What failed, in a sentence each; `whole`: the run had its time, so that things must have happened."""
    values = {
        **outcome.counts,
        **{name: ", ".join(getattr(outcome, name)) for name in ("dead", "crashed")},
        "missing": outcome.missing,
        "gaps": outcome.gaps,
    }
    rules = (*HAPPENED, *NOTHING_WRONG) if whole else NOTHING_WRONG
    return tuple(sentence.format(**values) for holds, sentence in rules if not holds(outcome))
