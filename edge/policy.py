"""What a room's actuators should do: predict as it is and with each level, take the cheapest that serves.

The rule asks how bad it may get, not how bad it is likely to get: an hour of children in bad air (`miss`)
costs more than an hour of needless running (`alarm`), so a purifier starts as soon as the limit is passed
with a probability of alarm / (alarm + miss); that fractile of the forecast is called its risk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.decision import Ahead, Candidate, Decision, Measured, Policy, RoomState
from edge.network import Actuator, Level
from edge.pace import Running, settle
from edge.readings import SECOND, Flag
from edge.room import Balance, ahead, implied_gain


@dataclass(frozen=True, slots=True)
class _Case:
    """One room's question with its limits and fresh inputs (None where stale or bad) worked out."""

    state: RoomState
    policy: Policy
    limit: float
    rest: float
    co2_limit: float
    pm25: float | None
    outdoor: float | None
    co2: float | None
    running: tuple[Level, ...]

    @property
    def people(self) -> bool:
        return self.state.occupied or self.state.occupied_soon

    @property
    def minutes(self) -> float:
        return self.policy.lead_s // 60


_Wish = tuple[int | None, str, Mapping[str, float], tuple[Candidate, ...]]


def decide(state: RoomState, policy: Policy, actuators: Sequence[Actuator]) -> tuple[Decision, ...]:
    """One decision for each of a room's actuators, in their order; ventilators are chosen first, and each
    knows what those before it will do."""
    case = _case(state, policy, actuators)
    levels = {actuator.id: _level(actuator, state.running.get(actuator.id)) for actuator in actuators}
    decisions: dict[str, Decision] = {}
    for actuator in sorted(actuators, key=lambda a: a.kind != "ventilator"):
        others = [a.levels[levels[a.id]] for a in actuators if a is not actuator]
        decision = decisions[actuator.id] = _decide_one(case, actuator, others)
        if decision.level is not None:
            levels[actuator.id] = decision.level
    return tuple(decisions[actuator.id] for actuator in actuators)


def _case(state: RoomState, policy: Policy, actuators: Sequence[Actuator]) -> _Case:
    oldest = policy.intervals * state.interval_s
    limit = state.room.limits.get("pm25", policy.limit)
    return _Case(
        state=state,
        policy=policy,
        limit=limit,
        rest=limit * policy.rest / policy.limit,
        co2_limit=state.room.limits.get("co2", policy.co2_limit),
        pm25=_fresh(state.pm25, oldest),
        outdoor=_fresh(state.outdoor, oldest),
        co2=_fresh(state.co2, oldest),
        running=tuple(a.levels[_level(a, state.running.get(a.id))] for a in actuators),
    )


def _fresh(measured: Measured | None, oldest: float) -> float | None:
    usable = measured and measured.flag in (Flag.GOOD, Flag.SUSPECT) and measured.age_s <= oldest
    return measured.value if measured and usable else None


def _level(actuator: Actuator, running: Running | None) -> int:
    level = running.level if running and running.level is not None else 0
    return min(max(level, 0), len(actuator.levels) - 1)


def _decide_one(case: _Case, actuator: Actuator, others: Sequence[Level]) -> Decision:
    running = case.state.running.get(actuator.id, Running())
    since = case.state.now - running.changed
    if running.cause == "button" and since < case.policy.hand_s * SECOND:
        return Decision(actuator.id, None, "hand", {"minutes": since // (60 * SECOND)})
    level, key, details, candidates = _WISHES.get(actuator.kind, _clean)(case, actuator, others)
    if level is not None:
        policy = case.policy
        paces = (policy.min_run_s, policy.min_off_s, policy.hold_s, policy.max_switches)
        level, held, why = settle(level, running, case.state.now, *paces)
        level = min(max(level, 0), len(actuator.levels) - 1)
        key, details = (held, why) if held else (key, details)
    return Decision(actuator.id, level, key, details, candidates)


def _clean(case: _Case, actuator: Actuator, others: Sequence[Level]) -> _Wish:
    """The cheapest level, off included, that brings the risk down to `rest`, once the limit is at risk."""
    if case.pm25 is None:
        return None, "stale", {}, ()
    if not case.people:
        return 0, "empty", {"minutes": case.minutes}, ()
    candidates = _candidates(case, actuator, others)
    alone = candidates[0]
    level = _level(actuator, case.state.running.get(actuator.id))
    # Going down asks for more than staying: noise would have it hunt between two levels.
    lower = case.rest * case.policy.down
    details = _details(case, alone) | {"rest": round(lower if level else case.rest)}
    peak = max(case.pm25, alone.peak)
    if not level and peak <= case.limit:
        return 0, "below", details, candidates
    enough = [c for c in candidates if c.risk <= (lower if c.level < level else case.rest)]
    best = min(enough, key=lambda c: (c.level > 0, c.cost, c.level)) if enough else candidates[-1]
    key = "over" if case.pm25 > case.limit else "ahead" if peak > case.limit else "cleaning"
    return best.level, key if best.level else "clean", details, candidates


def _ventilate(case: _Case, actuator: Actuator, others: Sequence[Level]) -> _Wish:
    """Outdoor air as people need it by CO2; else where it is cleaner than the room's."""
    on = _level(actuator, case.state.running.get(actuator.id)) > 0
    details = _known(limit=case.co2_limit, co2=case.co2, outdoor=case.outdoor, now=case.pm25)
    if _stuffy(case, on):
        foul = case.outdoor is not None and case.outdoor > case.limit
        return (1 if foul else _enough_air(case, actuator)), "co2-foul" if foul else "co2", details, ()
    if case.pm25 is None and case.co2 is None:
        return None, "stale", {}, ()
    if case.pm25 is None or case.outdoor is None:
        return 0, "unknown", details, ()
    if case.outdoor + (0.0 if on else case.policy.margin) > case.pm25:
        return 0, "foul", details, ()
    level, key, why, candidates = _clean(case, actuator, others)
    return level, "fresh" if level else key, {**details, **why}, candidates


_WISHES: Mapping[str, Callable[[_Case, Actuator, Sequence[Level]], _Wish]] = {"ventilator": _ventilate}


def _stuffy(case: _Case, on: bool) -> bool:
    threshold = case.co2_limit * (case.policy.co2_rest if on else 1.0)
    return case.state.occupied and case.co2 is not None and case.co2 > threshold


def _enough_air(case: _Case, actuator: Actuator) -> int:
    needed = case.state.room.occupants * case.policy.air
    enough = (n for n, level in enumerate(actuator.levels) if n and level.flow >= needed)
    return next(enough, len(actuator.levels) - 1)


def _candidates(case: _Case, actuator: Actuator, others: Sequence[Level]) -> tuple[Candidate, ...]:
    """Every level's outcome: the forecast as it is, moved by what the room model says the level changes."""
    now = case.pm25 or 0.0
    steps = _steps(case, now)
    hours = steps[-1].horizon_s / 3600
    found = []
    for number, level in enumerate(actuator.levels):
        values = [_with(case, now, step, (level, *others)) for step in steps]
        risks = [value + _doubt(case, step) for value, step in zip(values, steps, strict=True)]
        found.append(Candidate(number, values[-1], risks[-1], max(risks), level.power * hours))
    return tuple(found)


def _doubt(case: _Case, step: Ahead) -> float:
    return max(step.upper - step.value, 0.0) * case.policy.fractile


def _steps(case: _Case, now: float) -> tuple[Ahead, ...]:
    within = [step for step in case.state.outlook if step.horizon_s <= case.policy.lead_s]
    # Without a forecast it stays as it is: the rule is then a threshold with hysteresis.
    steady = Ahead(case.policy.lead_s, now, now, now)
    return tuple(sorted(within, key=lambda step: step.horizon_s)) or (steady,)


def _with(case: _Case, now: float, step: Ahead, levels: Sequence[Level]) -> float:
    balance = Balance.of(case.state.room)
    hours = step.horizon_s / 3600
    before, after = balance.loss(case.running), balance.loss(levels)
    gain = implied_gain(now, step.value, before, hours)
    outside = case.outdoor or 0.0
    leaking = balance.intake(levels) * outside
    moved = gain + leaking - balance.intake(case.running) * outside
    # The forecast and the balance disagree at times: what a level spares is at most all but the leaks.
    change = ahead(now, max(moved, min(gain, leaking)), after, hours) - ahead(now, gain, before, hours)
    return max(step.value + change, 0.0)


def _details(case: _Case, alone: Candidate) -> dict[str, float]:
    forecast = _steps(case, case.pm25 or 0.0)[-1].value
    levels = _known(now=case.pm25, forecast=forecast, risk=alone.peak, limit=case.limit, rest=case.rest)
    return {**levels, "minutes": case.minutes}


def _known(**values: float | None) -> dict[str, float]:
    return {name: round(value) for name, value in values.items() if value is not None}
