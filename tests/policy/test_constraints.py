"""What the controller may not do, what it pays for, and what it says, of one room and of many at once."""

import dataclasses
import math
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.choice import RULES
from edge.decision import REASONS, Decision, Measured, Policy, RoomState
from edge.network import Actuator, Level
from edge.pace import Running
from edge.policy import MOST, combinations, decide, decide_all
from edge.readings import SECOND
from edge.room import Balance, degrees, lead_hours
from gateway.actuate import in_korean
from tests.policy.school import NOON, PURIFIER, VENTILATOR, rising, running, state
from tests.policy.test_policy import states

POLICY = Policy()
OFF = {"p": running(0), "v": running(0)}


def both(given_state: RoomState, policy: Policy = POLICY) -> Mapping[str, Decision]:
    return {one.actuator: one for one in decide(given_state, policy, (PURIFIER, VENTILATOR))}


def alone(given_state: RoomState, actuator: Actuator = PURIFIER) -> Decision:
    (decision,) = decide(given_state, POLICY, (actuator,))
    return decision


def measured(value: float) -> Measured:
    return Measured(value, 1, 5.0)


DIRTY = state(60.0, outlook=rising(70, 80), running=OFF, outdoor=measured(120.0))


def test_the_rules_that_must_be_kept_stand_before_those_that_are_paid() -> None:
    paid = [rule.price is not None for rule in RULES]
    assert paid == sorted(paid)
    assert [rule.name for rule in RULES][:4] == ["hand", "quiet", "power", "pace"]


def test_quiet_hours_cap_the_level_and_say_so() -> None:
    assert alone(DIRTY).level == 3
    quiet = alone(dataclasses.replace(DIRTY, quiet=True))
    assert (quiet.level, quiet.key, dict(quiet.details)) == (1, "quiet", {"level": 1})
    silent = dataclasses.replace(PURIFIER, quiet_level=0)
    assert alone(dataclasses.replace(DIRTY, quiet=True), silent).level == 0


def test_quiet_hours_end_a_run_that_has_just_begun() -> None:
    begun = dataclasses.replace(DIRTY, quiet=True, running={"p": running(3, 60)})
    assert alone(begun).level == 1


def test_the_site_s_peak_power_is_kept_and_said() -> None:
    short = alone(dataclasses.replace(DIRTY, budget_w=30.0))
    assert (short.level, short.key) == (2, "power")
    assert alone(dataclasses.replace(DIRTY, budget_w=0.0)).level == 0
    assert alone(dataclasses.replace(DIRTY, budget_w=-50.0)).level == 0


def test_an_actuator_s_own_least_run_counts() -> None:
    clean = state(5.0, outlook=rising(5, 5), running={"p": running(2, 900)})
    assert alone(clean).level == 0
    slow = dataclasses.replace(PURIFIER, min_run_s=1800)
    held = alone(clean, slow)
    assert (bool(held.level), held.key, dict(held.details)) == (True, "run", {"minutes": 30})


def test_a_room_asks_for_its_own_confidence() -> None:
    unsure = state(25.0, outlook=rising(26, 28, spread=12), running=OFF)
    keen, calm = (
        dataclasses.replace(unsure, room=dataclasses.replace(unsure.room, confidence=asked))
        for asked in (0.97, 0.55)
    )
    assert alone(keen).level
    assert alone(calm).level == 0


def test_what_the_sensor_may_hide_counts_as_risk() -> None:
    sure = state(32.0, outlook=rising(32, 32), running=OFF)
    unsure = dataclasses.replace(sure, pm25=Measured(32.0, 1, 5.0, u=4.0))
    assert (alone(sure).level, alone(unsure).key) == (0, "ahead")


def test_cold_outdoor_air_costs_what_warming_it_costs() -> None:
    stuffy = state(10.0, outdoor=measured(8.0), co2=measured(1020.0), running=OFF, outlook=rising(10, 10))
    mild, frost = (both(dataclasses.replace(stuffy, heat=heat)) for heat in (0.0, 30.0))
    costs = [one["v"].candidates[2].cost for one in (mild, frost)]
    assert costs[0] < costs[1]
    assert (mild["v"].level or 0) >= (frost["v"].level or 0)


def test_degrees_count_where_rooms_are_heated_or_cooled() -> None:
    assert [degrees(21, outside) for outside in (-5, 20, 33)] == [26, 0.0, 12]


def test_a_dear_hour_runs_no_more_than_a_cheap_one() -> None:
    near = state(30.0, outlook=rising(33, 36), running=OFF)
    cheap, dear = (alone(dataclasses.replace(near, price=price)) for price in (50.0, 20_000.0))
    assert (cheap.level or 0) >= (dear.level or 0)


@pytest.mark.parametrize(("occupied", "level"), [(True, 1), (False, 0)])
def test_without_data_a_device_with_no_timer_gets_its_safe_level(occupied: bool, level: int) -> None:
    blind = dataclasses.replace(state(None, running=OFF), occupied=occupied)
    foreign = dataclasses.replace(PURIFIER, timer=False)
    assert (alone(blind, foreign).level, alone(blind, foreign).key) == (level, "safe")
    assert (alone(blind).level, alone(blind).key) == (None, "stale")


def test_it_starts_as_early_as_the_room_needs() -> None:
    empty = dataclasses.replace(DIRTY, occupied=False, occupied_soon=True, arrive_s=3000.0)
    assert alone(empty).level == 0
    assert alone(dataclasses.replace(empty, lead_s=3600)).level


# -- ventilation against particles --------------------------------------------------------------------------


def test_on_a_clean_day_the_ventilator_runs_the_purifier_rests_and_both_say_why() -> None:
    clean = state(38.0, outlook=rising(39, 40), outdoor=measured(6.0), co2=measured(900.0), running=OFF)
    said = both(clean)
    assert (bool(said["v"].level), said["v"].key) == (True, "fresh")
    assert (said["p"].level, said["p"].key) == (0, "aired")
    assert said["v"].reason == "outdoor air is cleaner: 6 µg/m³, indoors 38"
    assert in_korean(said["p"]) == "바깥 공기가 깨끗합니다(6 µg/m³). 환기장치로 충분합니다"


def test_in_yellow_dust_it_is_the_reverse() -> None:
    dust = state(38.0, outlook=rising(48, 60), outdoor=measured(240.0), co2=measured(1100.0), running=OFF)
    said = both(dust)
    assert (said["v"].level, said["v"].key) == (0, "foul")
    assert (bool(said["p"].level), said["p"].key) == (True, "over")
    assert said["v"].reason == "outdoor air is no cleaner: 240 µg/m³, indoors 38"
    assert "240" in in_korean(said["v"])


def test_bad_air_on_its_way_is_met_ahead() -> None:
    coming = state(20.0, outlook=rising(30, 52), outdoor=measured(150.0), co2=measured(700.0), running=OFF)
    said = both(coming)
    assert (bool(said["p"].level), said["p"].key, said["v"].level) == (True, "ahead", 0)


def test_windows_are_advice_where_there_is_no_ventilator() -> None:
    clean = state(45.0, outlook=rising(46, 47), outdoor=measured(5.0), co2=measured(1400.0), running=OFF)
    dust = dataclasses.replace(clean, outdoor=measured(150.0))
    opened, shut = (decide_all([(one, (PURIFIER,))], POLICY)[0].windows for one in (clean, dust))
    assert opened is not None
    assert shut is not None
    assert (opened.key, opened.level, shut.key) == ("open-co2", 1, "shut")
    assert decide_all([(clean, (PURIFIER, VENTILATOR))], POLICY)[0].windows is None
    assert decide_all([(clean, ())], POLICY)[0].windows is not None


# -- what was considered ------------------------------------------------------------------------------------


def test_every_combination_is_kept_with_its_outcome_and_cost() -> None:
    decision = both(DIRTY)["p"]
    assert len(decision.candidates) == len(PURIFIER.levels) * len(VENTILATOR.levels)
    told = {one.levels: one for one in decision.candidates}
    chosen = (both(DIRTY)["p"].level, both(DIRTY)["v"].level)
    assert told[chosen].cost == min(one.cost for one in decision.candidates)  # type: ignore[index]
    assert told[3, 0].risk < told[0, 0].risk
    kept = msgspec.json.decode(msgspec.json.encode(decision))
    assert {"levels", "value", "risk", "peak", "co2", "energy", "cost"} == set(kept["candidates"][0])


def test_many_machines_of_a_kind_go_together() -> None:
    table = combinations((4, 4, 4, 4, 3), ("purifier",) * 4 + ("ventilator",))
    assert len(table) == 12 <= MOST
    assert (table[:, 0] == table[:, 3]).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(states, st.sampled_from([(PURIFIER,), (PURIFIER, VENTILATOR)])), max_size=6))
def test_rooms_together_are_rooms_one_by_one(rooms: list[tuple[RoomState, tuple[Actuator, ...]]]) -> None:
    together = decide_all(rooms, POLICY)
    assert together == [decide_all([one], POLICY)[0] for one in rooms]


@given(st.floats(1, 400), st.floats(0, 200), st.floats(0.3, 8))
def test_a_room_s_lead_time_leads_to_its_target(now: float, gain: float, loss: float) -> None:

    hours = lead_hours(now, 35.0, gain, loss)
    if math.isfinite(hours):
        after = now * math.exp(-loss * hours) + gain / loss * (1 - math.exp(-loss * hours))
        assert after <= 35.0 + 1e-6
    else:
        assert gain / loss >= 35.0


def test_a_worn_purifier_is_given_a_higher_level() -> None:
    fresh = Balance.of(DIRTY.room)
    worn = dataclasses.replace(fresh, delivered=0.3)
    rooms = state(33.0, outlook=rising(36, 41), running=OFF)
    levels = [alone(dataclasses.replace(rooms, balance=one)).level or 0 for one in (fresh, worn)]
    assert levels[0] < levels[1]


def test_a_hand_keeps_its_machine_and_the_other_does_what_it_can() -> None:
    hand = {"p": running(0, 600, "button"), "v": running(0)}
    said = both(dataclasses.replace(DIRTY, running=hand, outdoor=measured(5.0)))
    assert (said["p"].level, said["p"].key) == (None, "hand")
    assert said["v"].level
    past = Running(0, "button", NOON - 7200 * SECOND, NOON - 7200 * SECOND)
    assert both(dataclasses.replace(DIRTY, running={"p": past, "v": running(0)}))["p"].key == "over"


def test_a_room_with_a_limit_for_pm10_alone_is_kept_on_it_and_says_so() -> None:
    platform = dataclasses.replace(DIRTY, room=dataclasses.replace(DIRTY.room, limits={"pm10": 100.0}))
    calm, over = (dataclasses.replace(platform, pm25=measured(value), outlook=()) for value in (20.0, 140.0))
    assert (alone(calm).level, alone(calm).key) == (0, "below-pm10")
    assert alone(over).level
    assert alone(over).key == "over-pm10"
    assert alone(over).reason == "PM10 is 140 µg/m³, above 100"
    both_limits = dataclasses.replace(platform.room, limits={"pm25": 35.0, "pm10": 100.0})
    assert both_limits.dust == "pm25"


@pytest.mark.parametrize("key", REASONS)
def test_every_reason_is_said_in_korean(key: str) -> None:
    numbers = dict.fromkeys(("now", "limit", "forecast", "risk", "co2", "outdoor"), 7.0)
    details = {**numbers, "minutes": 3.0, "count": 2.0, "level": 1.0, "watts": 9.0}
    said = in_korean(Decision("p", 1, key, details))
    assert any("가" <= letter <= "힣" for letter in said)


def test_an_actuator_of_one_level_can_only_be_off() -> None:
    single = dataclasses.replace(PURIFIER, levels=(Level(),))
    assert alone(DIRTY, single).level == 0
