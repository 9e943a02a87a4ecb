"""What rooms' actuators should do: predict each room as it is and with every combination, take the cheapest.

The rule asks how bad it may get, not how bad it is likely to get: an hour of children in bad air (`miss`)
costs more than an hour of needless running (`alarm`), so the limit is kept with the confidence
miss / (miss + alarm), or the one that the room asks for; that quantile of the forecast is called its risk.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, product

import numpy as np

from edge.choice import Choice, Options, Rooms, choose
from edge.decision import Ahead, Candidate, Decision, Measured, Policy, RoomState, deviations, fractile
from edge.network import Actuator, Level
from edge.pace import Running, permits, recently
from edge.readings import SECOND, Array, Flag
from edge.room import Balance
from edge.why import Case, airing, reasons

MOST = 400
"""Combinations of a room; where there would be more, its machines of a kind go together."""
FOUL = 2.0
"""Unknown outdoor air is taken for this many times the limit: nothing is let in for it."""

Actuators = Sequence[Actuator]


@dataclass(frozen=True, slots=True)
class Answer:
    """The decisions for a room's actuators, in their order, and what to do with its windows (None:
    nothing)."""

    decisions: tuple[Decision, ...]
    windows: Decision | None = None


def decide(state: RoomState, policy: Policy, actuators: Actuators) -> tuple[Decision, ...]:
    """One decision for each of a room's actuators, in their order."""
    return decide_all([(state, actuators)], policy)[0].decisions


def decide_all(rooms: Sequence[tuple[RoomState, Actuators]], policy: Policy) -> list[Answer]:
    """The answers for many rooms in one go; rooms with the same numbers of levels are one block of arrays."""
    cases = [_case(state, policy, actuators) for state, actuators in rooms]
    found = {place: idle(case) for place, case in enumerate(cases) if case.idle}
    order = sorted((place for place in range(len(cases)) if place not in found), key=lambda p: cases[p].kind)
    for _, group in groupby(order, key=lambda place: cases[place].kind):
        places = list(group)
        block = [cases[place] for place in places]
        found.update(zip(places, _decide_block(block, policy), strict=True))
    return [found[place] for place in range(len(cases))]


def idle(case: Case) -> Answer:
    """The answer for a room in which nobody is and nothing runs: most rooms, most of the time."""
    details = {"minutes": case.minutes}
    return Answer(tuple(Decision(actuator.id, 0, "empty", details) for actuator in case.actuators))


def _case(state: RoomState, policy: Policy, actuators: Actuators) -> Case:
    oldest = policy.intervals * state.interval_s
    levels = tuple(_level(one, state.running.get(one.id)) for one in actuators)
    limits, asked = state.room.limits, state.room.confidence
    sure = max(deviations(policy.confidence if asked is None else asked), 0.0)
    return Case(
        state=state,
        policy=policy,
        actuators=tuple(actuators),
        levels=levels,
        limit=limits.get(state.room.dust, policy.limit),
        co2_limit=limits.get("co2", policy.co2_limit),
        pm25=_fresh(state.pm25, oldest),
        outdoor=_fresh(state.outdoor, oldest),
        co2=_fresh(state.co2, oldest),
        balance=state.balance or Balance.of(state.room),
        margin=sure * state.pm25.u if state.pm25 and math.isfinite(state.pm25.u) else 0.0,
    )


def _fresh(measured: Measured | None, oldest: float) -> float | None:
    usable = measured and measured.flag in (Flag.GOOD, Flag.SUSPECT) and measured.age_s <= oldest
    return measured.value if measured and usable else None


def _level(actuator: Actuator, running: Running | None) -> int:
    level = running.level if running and running.level is not None else 0
    return min(max(level, 0), len(actuator.levels) - 1)


def _decide_block(cases: Sequence[Case], policy: Policy) -> Iterable[Answer]:
    kinds = tuple(actuator.kind for actuator in cases[0].actuators)
    table = combinations(cases[0].shape, kinds)
    codes = _pace_codes(cases)
    rooms, options = _rooms(cases, policy), _options(cases, table, codes)
    choice = choose(rooms, options, policy.prices)
    airing_matters = any(case.airs for case in cases)
    aired = choose(rooms, _windows_open(options, policy), policy.prices) if airing_matters else choice
    for place, case in enumerate(cases):
        candidates = tuple(_candidates(choice, table, place))
        decisions = reasons(case, table, choice, place, codes[place], candidates)
        yield Answer(decisions, airing(case, choice, aired, place))


@lru_cache(maxsize=256)
def combinations(shape: tuple[int, ...], kinds: tuple[str, ...]) -> Array:
    """All combinations of levels (K × actuators), the smallest levels first."""
    if math.prod(shape) <= MOST:
        return np.array(list(product(*(range(count) for count in shape))), np.int64).reshape(
            math.prod(shape), len(shape)
        )
    together = sorted(set(kinds))
    tops = [max(count for count, kind in zip(shape, kinds, strict=True) if kind == one) for one in together]
    rows = product(*(range(top) for top in tops))
    chosen = [[row[together.index(kind)] for kind in kinds] for row in rows]
    table: Array = np.minimum(np.array(chosen, np.int64), np.array(shape) - 1)
    return table


# -- the arrays of a block ----------------------------------------------------------------------------------


def _rooms(cases: Sequence[Case], policy: Policy) -> Rooms:
    hours = np.arange(1, policy.steps + 1) * (cases[0].lead_s / 3600 / policy.steps)
    likely, risk = _outlooks(cases, hours)
    arrive = np.array([_arrival(case) for case in cases])[:, None]
    people = hours > arrive / 3600
    # Particles that nobody has measured are no reason for anything.
    seen = np.array([case.pm25 is not None for case in cases])[:, None]
    balances = [case.balance for case in cases]
    return Rooms(
        hours=hours,
        now=np.array([case.pm25 or 0.0 for case in cases]),
        likely=likely,
        risk=risk * seen,
        outdoor=np.array([_outdoors(case, hours) for case in cases]) * seen,
        people=people & np.isfinite(arrive),
        loss=_by_people(people, balances, "loss"),
        inward=_by_people(people, balances, "inward"),
        air=_by_people(people, balances, "air"),
        co2=np.array([np.nan if case.co2 is None else case.co2 for case in cases]),
        breath=people * np.array([[one.breath] for one in balances]),
        limit=np.array([case.limit for case in cases]),
        co2_limit=np.array([case.co2_limit for case in cases]),
        heat=np.array([case.state.heat * (1.0 - policy.recovered) for case in cases]),
        price=np.array([case.price for case in cases]),
        budget=np.array([case.state.budget_w for case in cases]),
    )


def _arrival(case: Case) -> float:
    state = case.state
    if state.occupied:
        return 0.0
    return (state.arrive_s or case.lead_s / 2) if state.occupied_soon else math.inf


def _by_people(people: Array, balances: Sequence[Balance], name: str) -> Array:
    busy, calm = ([[getattr(one, prefix + name)] for one in balances] for prefix in ("busy_", ""))
    return np.maximum(np.where(people, busy, calm), 0.05)


def _outlooks(cases: Sequence[Case], hours: Array) -> tuple[Array, Array]:
    """PM2.5 as expected and at risk of all rooms (R × H each)."""
    paths = np.array([_path(case, hours) for case in cases])
    # What may come and what the sensor may hide are independent of each other.
    margin = np.array([[case.margin] for case in cases])
    return paths[:, 0], paths[:, 0] + np.hypot(np.maximum(paths[:, 1] - paths[:, 0], 0.0), margin)


def _path(case: Case, hours: Array) -> Array:
    now = case.pm25 or 0.0
    # Without a forecast it stays as it is: what remains is a threshold with hysteresis.
    steps = _in_order(case.state.outlook) or (Ahead(1, now, now, now),)
    share = fractile(case.confidence)
    likely = [now, *(step.value for step in steps)]
    risks = [now, *(step.value + max(step.upper - step.value, 0.0) * share for step in steps)]
    path: Array = np.array([likely, risks]) @ _between(tuple(step.horizon_s for step in steps), tuple(hours))
    return path


def _outdoors(case: Case, hours: Array) -> Array:
    if case.outdoor is None:
        return np.full(hours.size, FOUL * max(case.limit, case.pm25 or 0.0))
    steps = _in_order(case.state.outdoor_outlook)
    values = np.array([case.outdoor, *(step.value for step in steps)])
    path: Array = values @ _between(tuple(step.horizon_s for step in steps), tuple(hours))
    return path


def _in_order(steps: tuple[Ahead, ...]) -> tuple[Ahead, ...]:
    return tuple(sorted(steps, key=lambda step: step.horizon_s))


@lru_cache(maxsize=256)
def _between(horizons: tuple[int, ...], hours: tuple[float, ...]) -> Array:
    """What each known value, the one of now first, weighs at each hour on the straight lines between them."""
    at = [0.0, *(horizon / 3600 for horizon in horizons)]
    weights: Array = np.array([np.interp(hours, at, row) for row in np.eye(len(at))])
    return weights


def _options(cases: Sequence[Case], table: Array, codes: Array) -> Options:
    levels = [[one.levels for one in case.actuators] for case in cases]
    cadr, flow, power = (_sums(levels, table, name) for name in ("cadr", "flow", "power"))
    volume = np.array([[case.state.room.volume] for case in cases])
    delivered, passing = (
        np.array([[getattr(case.balance, name)] for case in cases]) for name in ("delivered", "passing")
    )
    clean, air = cadr * delivered / volume, flow / volume
    now = np.array([case.levels for case in cases], np.int64).reshape(len(cases), table.shape[1])
    place = np.array([_place(table, row) for row in now])
    rows = np.arange(len(cases))
    changed = table[None] != now[:, None]
    return Options(
        clean=clean,
        flow=air,
        passing=np.broadcast_to(passing, air.shape),
        power=power,
        volume_flow=flow,
        starts=(changed & (now[:, None] == 0)).sum(axis=2),
        changes=(changed & (now[:, None] > 0) & (table[None] > 0)).sum(axis=2),
        hand=_count(changed, [[case.hand(one) for one in case.actuators] for case in cases]),
        quiet=_louder(cases, table),
        pace=_forbidden(codes, table),
        was_clean=clean[rows, place],
        was_flow=air[rows, place],
        was_inflow=air[rows, place] * passing[:, 0],
    )


def _sums(levels: Sequence[Sequence[Sequence[Level]]], table: Array, name: str) -> Array:
    """What all actuators of a combination give together (R × K)."""
    total = np.zeros((len(levels), len(table)))
    for place in range(table.shape[1]):
        each = np.array([[getattr(level, name) for level in room[place]] for room in levels])
        total += each[:, table[:, place]]
    return total


def _place(table: Array, row: Array) -> int:
    """The combination nearest to the levels of now (machines that go together may differ now)."""
    return int(np.argmin(np.abs(table - row).sum(axis=1)))


def _count(changed: Array, fixed: Sequence[Sequence[bool]]) -> Array:
    held: Array = (changed & np.array(fixed, bool).reshape(len(fixed), 1, changed.shape[2])).sum(axis=2)
    return held


def _louder(cases: Sequence[Case], table: Array) -> Array:
    most = np.array([[case.loudest(one) for one in case.actuators] for case in cases])
    most = most.reshape(len(cases), 1, table.shape[1])
    over: Array = np.maximum(table[None] - most, 0).sum(axis=2)
    return over


def _forbidden(codes: Array, table: Array) -> Array:
    """How many actuators of each combination their pace forbids (R × K); `codes` (R × actuators × levels)."""
    held = np.zeros((len(codes), len(table)), np.int64)
    for place in range(table.shape[1]):
        held += codes[:, place][:, table[:, place]] > 0
    return held


def _pace_codes(cases: Sequence[Case]) -> Array:
    """Codes of `permits` (R × actuators × levels)."""
    count, most = len(cases[0].actuators), max(cases[0].shape, default=1)
    flat = [(case, actuator) for case in cases for actuator in case.actuators]
    running = [(case.state.running.get(actuator.id, Running()), case.state.now) for case, actuator in flat]
    level = np.array([_level(actuator, case.state.running.get(actuator.id)) for case, actuator in flat])
    switched, changed = (
        np.array([_since(getattr(one, name), now) for one, now in running])
        for name in ("switched", "changed")
    )
    recent = np.array([recently(one, now) for one, now in running])
    least = np.array([_least(case, actuator) for case, actuator in flat], float).reshape(len(flat), 4).T
    return permits(level, switched, changed, recent, least, most).reshape(len(cases), count, most)


def _since(moment: int, now: int) -> float:
    return (now - moment) / SECOND if moment else math.inf


def _least(case: Case, actuator: Actuator) -> tuple[float, ...]:
    policy = case.policy
    run = policy.min_run_s if actuator.min_run_s is None else actuator.min_run_s
    rest = policy.min_off_s if actuator.min_rest_s is None else actuator.min_rest_s
    return run, rest, policy.hold_s, policy.max_switches


def _windows_open(options: Options, policy: Policy) -> Options:
    """The same with open windows, which let all outdoor particles pass."""
    flow = options.flow + policy.window
    passing = (options.flow * options.passing + policy.window) / flow
    return replace(options, flow=flow, passing=passing)


def _candidates(choice: Choice, table: Array, place: int) -> Iterable[Candidate]:
    outcome = choice.outcome
    columns = (outcome.value, outcome.end, outcome.peak, outcome.co2, choice.energy, choice.cost)
    rows = np.stack([column[place] for column in columns], axis=1).round(3).tolist()
    for levels, row in zip(table.tolist(), rows, strict=True):
        yield Candidate(tuple(levels), *row)
