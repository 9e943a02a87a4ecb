"""Whole days in a closed loop: what the purifier does, and what it is good for."""

import pytest

from edge.decision import Policy
from edge.learn.train import train
from edge.predict.model import Model
from tests.policy import day as days
from tests.policy.day import DAYS, NETWORK, Day, Outcome, live, with_policy

POLICY = Policy()
NAMES = sorted(path.stem for path in DAYS.glob("*.toml"))


def earlier() -> list[Day]:
    """Ten days before the tested ones, each with a rise of its own, from 2025-11-10 on."""
    made = []
    for number in range(10):
        high, peak = 40 + 17 * (number * 7 % 10), 7 + number * 3 % 8
        corners = [[0, 15 + number], [peak - 3, 20], [peak, high], [peak + 3, 25 + number], [24, 20]]
        made.append(
            days.of(
                {
                    "date": f"2025-11-{10 + number}",
                    "outdoor": corners,
                    "gain": [[0, 0], [8.9, 0], [9, 5], [16, 5], [16.1, 0], [24, 0]],
                }
            )
        )
    return made


@pytest.fixture(scope="module")
def model() -> Model:
    """A model from ten earlier days, the purifier at each level in turn."""
    past = days.past_of(earlier(), [number % 4 for number in range(10)])
    trained, _ = train(past.series(NETWORK, (days.read("rush").start) * days.SECOND))
    assert trained.installed == (600, 1800, 3600)
    return trained


@pytest.mark.parametrize("name", NAMES)
def test_a_day_goes_as_its_file_says(name: str, model: Model) -> None:
    day = days.read(name)
    lived = live(day, with_policy(POLICY), model)
    for start, end in day.quiet:
        running = [
            minute / 60
            for minute, level in enumerate(lived.level)
            if level and start * 60 <= minute < end * 60
        ]
        assert not running, f"runs at {running[0]:.2f} h: {lived.events}"
    for expected in day.expect:
        assert _happened(expected, lived), f"{expected} is not among {lived.events}"


def _happened(expected: dict[str, object], lived: Outcome) -> bool:
    limit = next(
        (minute / 60 for minute, air in enumerate(lived.pm25) if air > 35 and lived.occupied[minute]), 24.0
    )
    before = limit if expected.get("before_limit") else float(str(expected.get("before", 24)))
    return any(
        bool(event.level) == expected["on"]
        and float(str(expected["after"])) <= event.hour <= before
        and event.key in str(expected["keys"])
        for event in lived.events
    )


def test_it_is_worth_its_electricity(model: Model, record_property: pytest.FixtureRequest) -> None:
    day = days.read("rush")
    ways = {
        "off": live(day, days.always(0)),
        "threshold": live(day, with_policy(POLICY, blind=True)),
        "persistence": live(day, with_policy(POLICY)),
        "ours": live(day, with_policy(POLICY), model),
        "always": live(day, days.always(3)),
    }
    for name, lived in ways.items():
        print(
            f"{name:12} {lived.hours_above:5.2f} h > 35, {lived.exposure:5.1f} µg/m³ occupied,"
            f" {lived.energy:6.0f} Wh, {lived.switches} switches"
        )
    ours = ways["ours"]
    assert ways["off"].hours_above > 3
    assert ours.hours_above <= 0.1 * ways["off"].hours_above
    assert ours.hours_above <= 0.5 * ways["threshold"].hours_above
    assert ours.energy < 0.5 * ways["always"].energy
    assert ours.switches <= 6
