"""The policy's rule: what it starts, what it leaves, and what no input can make it do."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decision import REASONS, Ahead, Decision, Measured, Policy, RoomState, fractile
from edge.network import Actuator
from edge.pace import Running
from edge.policy import decide
from edge.readings import SECOND
from tests.policy.school import NOON, PURIFIER, VENTILATOR, rising, running, state

POLICY = Policy()


def one(given_state: RoomState, actuator: Actuator = PURIFIER, policy: Policy = POLICY) -> Decision:
    (decision,) = decide(given_state, policy, (actuator,))
    return decision


def test_it_starts_ahead_of_the_limit() -> None:
    decision = one(state(20.0, outlook=rising(27, 48), running={"p": running(0)}))
    assert decision.key == "ahead"
    assert decision.level is not None
    assert decision.level > 0
    assert decision.reason == "forecast 48 µg/m³ in 30 min, may reach 48, above 35"


def test_it_leaves_a_room_that_stays_clean() -> None:
    decision = one(state(20.0, outlook=rising(22, 25), running={"p": running(0)}))
    assert (decision.level, decision.key) == (0, "below")


def test_an_uncertain_forecast_starts_it_earlier() -> None:
    sure, unsure = rising(22, 30), rising(22, 30, spread=20)
    assert one(state(20.0, outlook=sure, running={"p": running(0)})).level == 0
    assert one(state(20.0, outlook=unsure, running={"p": running(0)})).key == "ahead"


def test_the_fractile_follows_the_costs() -> None:
    assert fractile(Policy(miss=1, alarm=1).confidence) == pytest.approx(0.0, abs=1e-12)
    assert fractile(Policy(miss=19, alarm=1).confidence) == pytest.approx(1.0)


def test_it_takes_the_cheapest_level_that_serves() -> None:
    low = one(state(30.0, outlook=rising(32, 36), running={"p": running(0)}))
    high = one(state(90.0, outlook=rising(110, 140), running={"p": running(0)}))
    assert (low.level, high.level) == (1, 3)
    assert [c.levels for c in low.candidates] == [(0,), (1,), (2,), (3,)]
    values = [c.value for c in low.candidates]
    assert values == sorted(values, reverse=True)


def test_a_horizon_beyond_the_lead_time_waits() -> None:
    assert one(state(20.0, outlook=rising(20, 20, 90), running={"p": running(0)})).level == 0


def test_nobody_comes_nothing_runs() -> None:
    empty = state(90.0, occupied=False, occupied_soon=False, running={"p": running(2)})
    assert (one(empty).level, one(empty).key) == (0, "empty")


def test_it_cleans_before_people_come() -> None:
    assert one(state(60.0, occupied=False, running={"p": running(0)})).key == "over"


def test_without_a_forecast_it_is_a_threshold_with_hysteresis() -> None:
    off, on = {"p": running(0)}, {"p": running(1)}
    levels = [one(state(value, running=off)).level for value in (30.0, 34.9, 35.1)]
    assert levels[:2] == [0, 0]
    assert levels[2]
    assert one(state(30.0, running=on)).level
    assert one(state(6.0, running=on)).level == 0


@pytest.mark.parametrize(
    "pm25", [None, Measured(90.0, 1, 181.0), Measured(90.0, 4, 5.0), Measured(90.0, 2, 5.0)], ids=str
)
def test_without_fresh_good_data_it_says_nothing(pm25: Measured | None) -> None:
    blind = dataclasses.replace(state(), pm25=pm25, running={"p": running(3)})
    assert (one(blind).level, one(blind).key) == (None, "stale")


def test_a_hand_is_respected_for_an_hour() -> None:
    assert one(state(90.0, running={"p": running(0, 600, "button")})).key == "hand"
    assert one(state(90.0, running={"p": running(0, 3700, "button")})).key == "over"


def test_a_rooms_own_limit_counts() -> None:
    base = state(30.0, running={"p": running(0)})
    strict = dataclasses.replace(base, room=dataclasses.replace(base.room, limits={"pm25": 15.0}))
    assert one(base).level == 0
    assert one(strict).level


@pytest.mark.parametrize(
    ("outdoor", "co2", "key"),
    [
        (8.0, 300.0, "fresh"),
        (8.0, 900.0, "fresh"),
        (60.0, 600.0, "foul"),
        (8.0, 1400.0, "co2"),
        (90.0, 1400.0, "foul"),
    ],
)
def test_a_ventilator_weighs_outdoor_air_and_co2(outdoor: float, co2: float, key: str) -> None:
    known = {"outdoor": Measured(outdoor, 1, 5.0), "co2": Measured(co2, 1, 5.0)}
    decision = one(state(40.0, outlook=rising(42, 45), running={"v": running(0)}, **known), VENTILATOR)
    assert decision.key == key
    assert bool(decision.level) == (key != "foul")


def test_in_dust_stuffy_air_gets_no_more_than_it_needs() -> None:
    known = {"outdoor": Measured(90.0, 1, 5.0), "co2": Measured(1900.0, 1, 5.0)}
    both = state(20.0, outlook=rising(20, 20), running={"p": running(0), "v": running(0)}, **known)
    ventilator = decide(both, POLICY, (PURIFIER, VENTILATOR))[1]
    assert (bool(ventilator.level), ventilator.key) == (True, "co2-foul")


def test_clean_outside_the_ventilator_works_and_the_purifier_rests() -> None:
    clean = Measured(3.0, 1, 5.0)
    both = state(37.0, outlook=rising(37, 37), outdoor=clean, running={"p": running(0), "v": running(0)})
    purifier, ventilator = decide(both, POLICY, (PURIFIER, VENTILATOR))
    assert (bool(ventilator.level), ventilator.key) == (True, "fresh")
    assert (purifier.level, purifier.key) == (0, "aired")


def test_dust_outside_the_purifier_works_and_the_ventilator_rests() -> None:
    dust = Measured(180.0, 1, 5.0)
    both = state(40.0, outlook=rising(50, 70), outdoor=dust, running={"p": running(0), "v": running(2)})
    purifier, ventilator = decide(both, POLICY, (PURIFIER, VENTILATOR))
    assert (ventilator.level, ventilator.key) == (0, "foul")
    assert (bool(purifier.level), purifier.key) == (True, "over")


values = st.floats(0, 1000)
fresh = st.none() | st.builds(Measured, values, st.sampled_from([0, 1, 2, 3, 4, 9]), st.floats(0, 400))
outlooks = st.lists(
    st.builds(lambda h, v, u: Ahead(h, v, 0.0, v + u), st.sampled_from([600, 1800, 3600]), values, values),
    max_size=3,
    unique_by=lambda step: step.horizon_s,
).map(tuple)
ages = st.integers(0, 7200)
devices = st.none() | st.builds(
    running, st.integers(-1, 9), ages, st.sampled_from(["command", "button", "safe"])
)
states = st.builds(
    lambda pm25, outlook, outdoor, co2, a, b, p, v: dataclasses.replace(
        state(outlook=outlook, outdoor=outdoor, co2=co2, occupied=a, occupied_soon=b),
        pm25=pm25,
        running={k: d for k, d in (("p", p), ("v", v)) if d},
    ),
    fresh,
    outlooks,
    fresh,
    fresh,
    st.booleans(),
    st.booleans(),
    devices,
    devices,
)


@given(states)
def test_every_answer_is_a_level_of_the_device_with_a_reason(any_state: RoomState) -> None:
    for actuator, decision in zip(
        (PURIFIER, VENTILATOR), decide(any_state, POLICY, (PURIFIER, VENTILATOR)), strict=True
    ):
        assert decision.level is None or decision.level in range(len(actuator.levels))
        assert decision.key in REASONS
        assert "{" not in decision.reason
        assert "nan" not in decision.reason


@given(values, outlooks, st.integers(0, 3), values)
def test_more_particles_never_ask_for_less(
    pm25: float, outlook: tuple[Ahead, ...], level: int, more: float
) -> None:
    def at(extra: float) -> int:
        moved = tuple(Ahead(a.horizon_s, a.value + extra, a.lower + extra, a.upper + extra) for a in outlook)
        answer = one(state(pm25 + extra, outlook=moved, running={"p": running(level)})).level
        assert answer is not None
        return answer

    assert at(more) >= at(0.0)


@settings(max_examples=50)
@given(st.lists(st.tuples(values, st.booleans(), st.integers(0, 600)), max_size=80))
def test_it_never_switches_faster_than_its_minimum_times(steps: list[tuple[float, bool, int]]) -> None:
    from edge.pace import reported

    device, now, switched = Running(0, "safe"), NOON, 0
    changes: list[int] = []
    for pm25, people, pause in steps:
        now += pause * SECOND
        room = dataclasses.replace(
            state(pm25, occupied=people, occupied_soon=people, running={"p": device}), now=now
        )
        level = one(room).level
        assert level is not None
        if level != device.level:
            changes = [*(t for t in changes if t > now - 3600 * SECOND), now]
            assert len(changes) <= POLICY.max_switches
        if bool(level) != bool(device.level):
            least = POLICY.min_run_s if device.level else POLICY.min_off_s
            assert not switched or now - switched >= least * SECOND
            switched = now
        device = reported(device, level, "command", now)


@given(st.floats(26, 34))
def test_between_rest_and_limit_it_stays_as_it_is(pm25: float) -> None:
    assert one(state(pm25, running={"p": running(0)})).level == 0
    assert one(state(pm25, running={"p": running(1)})).level
