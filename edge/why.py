"""Why each actuator of a room has its level: the key of the reason and the numbers that fill it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edge.choice import Choice
from edge.decision import PM10, REASONS, Candidate, Decision, Policy, RoomState
from edge.network import Actuator
from edge.pace import PACES, Running, recently
from edge.readings import SECOND, Array
from edge.room import Balance

OFF = 0
"""The combination in which nothing runs."""
QUIET_LEVEL = 1
"""The highest level in quiet hours of an actuator that names none."""
AIRED = 0.6
"""PM2.5 as a share of its limit from which open windows are thought of."""
GAIN = 0.2
"""Opening the windows is advised where it saves this share of what breaks the limits."""

Details = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One room's question with its limits, levels and fresh inputs (None where stale or bad) worked out;
    `margin` [µg/m³] is what the value's own uncertainty adds to the risk."""

    state: RoomState
    policy: Policy
    actuators: tuple[Actuator, ...]
    levels: tuple[int, ...]
    limit: float
    co2_limit: float
    pm25: float | None
    outdoor: float | None
    co2: float | None
    balance: Balance
    margin: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """How many levels each actuator has."""
        return tuple(len(actuator.levels) for actuator in self.actuators)

    @property
    def lead_s(self) -> int:
        """How far it looks ahead [s]."""
        return self.state.lead_s or self.policy.lead_s

    @property
    def kind(self) -> tuple[int, tuple[int, ...]]:
        """What rooms share that are one block of arrays."""
        return self.lead_s, self.shape

    @property
    def minutes(self) -> float:
        """How far it looks ahead [min]."""
        return self.lead_s // 60

    @property
    def confidence(self) -> float:
        """With which probability the limit is to be kept."""
        asked = self.state.room.confidence
        return self.policy.confidence if asked is None else asked

    @property
    def price(self) -> float:
        """What a kWh costs."""
        return self.policy.price if self.state.price is None else self.state.price

    @property
    def idle(self) -> bool:
        """Whether nobody is there, nothing runs, and nobody has just switched it off by hand."""
        calm = not self.state.people and self.pm25 is not None and not any(self.levels)
        return calm and not any(self.hand(actuator) for actuator in self.actuators)

    @property
    def airs(self) -> bool:
        """Whether opening its windows may be worth while."""
        dusty = self.pm25 is not None and self.pm25 > AIRED * self.limit
        stuffy = self.co2 is not None and self.co2 > self.co2_limit
        return self.state.occupied and not self.ventilated and (dusty or stuffy)

    @property
    def ventilated(self) -> bool:
        """Whether it has a ventilator."""
        return any(actuator.kind == "ventilator" for actuator in self.actuators)

    def running(self, actuator: Actuator) -> Running:
        """What an actuator reports."""
        return self.state.running.get(actuator.id, Running())

    def hand(self, actuator: Actuator) -> bool:
        """Whether somebody set it by hand not long ago."""
        one = self.running(actuator)
        return one.cause == "button" and self.state.now - one.changed < self.policy.hand_s * SECOND

    def loudest(self, actuator: Actuator) -> int:
        """The highest level that it may have now."""
        top = len(actuator.levels) - 1
        if not self.state.quiet:
            return top
        return min(QUIET_LEVEL if actuator.quiet_level is None else actuator.quiet_level, top)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the choice found for one room: combinations by name, and their outcome."""

    case: Case
    table: Array
    choice: Choice
    place: int
    best: Array
    free: Array

    def peak(self, combination: int) -> float:
        return float(self.choice.outcome.peak[self.place, combination])

    def without(self, place: int) -> int:
        """The best combination with one actuator off."""
        wanted = self.best.copy()
        wanted[place] = 0
        return int(abs(self.table - wanted).sum(axis=1).argmin())


def reasons(
    case: Case,
    table: Array,
    choice: Choice,
    place: int,
    codes: Array,
    candidates: tuple[Candidate, ...],
) -> tuple[Decision, ...]:
    """The decisions for a room's actuators; `codes` (actuators × levels) are those of its paces."""
    best, free = table[choice.best[place]], table[choice.free[place]]
    seen = _Seen(case, table, choice, place, best, free)
    said = (
        _decision(seen, number, actuator, codes[number], candidates)
        for number, actuator in enumerate(case.actuators)
    )
    return tuple(_of_pm10(one) if case.state.room.dust == "pm10" else one for one in said)


def _of_pm10(decision: Decision) -> Decision:
    """The decision with the reason that says PM10, where there is one."""
    key = decision.key + PM10
    return replace(decision, key=key) if key in REASONS else decision


def _decision(
    seen: _Seen, number: int, actuator: Actuator, codes: Array, candidates: tuple[Candidate, ...]
) -> Decision:
    case, level = seen.case, int(seen.best[number])
    if case.hand(actuator):
        minutes = (case.state.now - case.running(actuator).changed) // (60 * SECOND)
        return Decision(actuator.id, None, "hand", {"minutes": minutes}, candidates)
    if case.pm25 is None and (actuator.kind != "ventilator" or case.co2 is None):
        return _blind(case, actuator)
    key, details = _held(seen, number, actuator, codes) or _KINDS.get(actuator.kind, _purifier)(seen, number)
    return Decision(actuator.id, level, key, details, candidates)


def _blind(case: Case, actuator: Actuator) -> Decision:
    """Nothing is said, so that a device with a timer falls back by itself; any other gets its safe level."""
    if actuator.timer:
        return Decision(actuator.id, None, "stale", {})
    level = actuator.safe_occupied if case.state.occupied else actuator.safe
    return Decision(actuator.id, level, "safe", {})


def _held(seen: _Seen, number: int, actuator: Actuator, codes: Array) -> tuple[str, Details] | None:
    """What keeps an actuator from the level that the air alone would ask for."""
    case, level, wanted = seen.case, int(seen.best[number]), int(seen.free[number])
    if level == wanted:
        return None
    if wanted > case.loudest(actuator):
        return "quiet", {"level": case.loudest(actuator)}
    if codes[wanted]:
        return PACES[codes[wanted]], _pace_details(case, actuator)[PACES[codes[wanted]]]
    if wanted > level and seen.choice.energy[seen.place, seen.choice.free[seen.place]] and _short(seen):
        return "power", {"watts": round(max(case.state.budget_w, 0.0))}
    return None


def _short(seen: _Seen) -> bool:
    """Whether the site's peak power is what the free choice would break."""
    free = seen.table[seen.choice.free[seen.place]]
    actuators = seen.case.actuators
    watts: float = sum(one.levels[level].power for one, level in zip(actuators, free.tolist(), strict=True))
    return bool(watts > seen.case.state.budget_w)


def _pace_details(case: Case, actuator: Actuator) -> Mapping[str, Details]:
    policy = case.policy
    run = policy.min_run_s if actuator.min_run_s is None else actuator.min_run_s
    rest = policy.min_off_s if actuator.min_rest_s is None else actuator.min_rest_s
    return {
        "run": {"minutes": run // 60},
        "rest": {"minutes": rest // 60},
        "hold": {"minutes": policy.hold_s // 60},
        "switches": {"count": recently(case.running(actuator), case.state.now)},
    }


def _purifier(seen: _Seen, number: int) -> tuple[str, Details]:
    case, level = seen.case, int(seen.best[number])
    alone = seen.without(number)
    details = _details(seen, alone)
    if not case.state.people:
        return "empty", details
    if level:
        over = case.pm25 is not None and case.pm25 > case.limit
        return "over" if over else "ahead" if seen.peak(alone) > case.limit else "cleaning", details
    if case.outdoor is not None and _airs(seen) and seen.peak(OFF) > case.limit:
        return "aired", {**details, "outdoor": round(case.outdoor)}
    return "clean" if case.levels[number] else "below", details


def _airs(seen: _Seen) -> bool:
    kinds = zip(seen.case.actuators, seen.best.tolist(), strict=True)
    return any(one.kind == "ventilator" and level for one, level in kinds)


def _ventilator(seen: _Seen, number: int) -> tuple[str, Details]:
    case, level = seen.case, int(seen.best[number])
    alone = seen.without(number)
    later = float(seen.choice.outcome.co2[seen.place, alone])
    details = _known(limit=case.co2_limit, co2=case.co2, outdoor=case.outdoor, now=case.pm25)
    details["minutes"] = case.minutes
    if not case.state.people:
        return "empty", details
    return (_airing if level else _resting)(seen, alone, later, details)


def _airing(seen: _Seen, alone: int, later: float, details: dict[str, float]) -> tuple[str, Details]:
    case = seen.case
    cleaner = case.outdoor is not None and case.pm25 is not None and case.outdoor < case.pm25
    if case.co2 is not None and case.co2 > case.co2_limit:
        foul = case.outdoor is not None and case.outdoor > case.limit
        return "co2-foul" if foul else "co2", details
    if cleaner and seen.peak(alone) > case.limit:
        return "fresh", details
    if later > case.co2_limit:
        return "co2-ahead", {**details, "co2": round(later)}
    return "fresh" if cleaner else "enough", details


def _resting(seen: _Seen, alone: int, later: float, details: dict[str, float]) -> tuple[str, Details]:
    case = seen.case
    if case.outdoor is None:
        return "unknown", details
    if case.pm25 is not None and case.outdoor + case.policy.margin > case.pm25:
        return "foul", details
    return "enough", details


_KINDS: Mapping[str, Callable[[_Seen, int], tuple[str, Details]]] = {"ventilator": _ventilator}


def airing(case: Case, shut: Choice, opened: Choice, place: int) -> Decision | None:
    """What to do with the windows of a room that has no ventilator: advice, as nobody commands a window."""
    if case.ventilated or not case.state.occupied or case.outdoor is None or case.pm25 is None:
        return None
    details = _known(limit=case.co2_limit, co2=case.co2, outdoor=case.outdoor, now=case.pm25)
    best, other = shut.cost[place, shut.best[place]], opened.cost[place, opened.best[place]]
    if case.airs and other < (1.0 - GAIN) * best - case.policy.prices.start:
        stuffy = case.co2 is not None and case.co2 > case.co2_limit
        return Decision("windows", 1, "open-co2" if stuffy else "open", details)
    foul = case.outdoor > case.limit and case.outdoor > case.pm25
    return Decision("windows", 0, "shut", details) if foul else None


def _details(seen: _Seen, alone: int) -> dict[str, float]:
    case = seen.case
    forecast = float(seen.choice.outcome.value[seen.place, alone])
    levels = _known(now=case.pm25, forecast=forecast, risk=seen.peak(alone), limit=case.limit)
    if case.pm25 is not None and case.pm25 > case.limit and levels["now"] <= levels["limit"]:
        levels["now"] = math.ceil(case.pm25 * 10) / 10  # "35 is above 35" is no reason
    return {**levels, "minutes": case.minutes}


def _known(**values: float | None) -> dict[str, float]:
    return {name: round(value) for name, value in values.items() if value is not None}
