import json

from actuator.control import OVERRIDE_S, Control
from actuator.room import Room
from vectors import load

CONFIG = {"levels": 4, "safe_level": 1, "ttl_default": 300}
T = 1763778000


def control(**more: object) -> Control:
    config = dict(CONFIG)
    config.update(more)
    return Control(config, Room(60))


def command(name: str, level: int = 2, issued: int = T, ttl: int = 300) -> dict:
    return {"id": name, "issued": issued, "ttl": ttl, "level": level, "reason": "why"}


def obs(values: list, t0: int | None, seq: int = 1, log: str = "7f3a09c1") -> bytes:
    return json.dumps(
        {"log": log, "seq": seq, "boot": 1, "up": 5, "t0": t0, "dt": 10, "pm25": values}
    ).encode()


def test_it_obeys_growing_ids_only() -> None:
    one = control()
    assert one.obey(command("5-9", 2), 0, T)
    assert one.decide(0) == (2, "command")
    assert not one.obey(command("5-8", 3), 1, T)
    assert not one.obey(command("4-99", 3), 1, T)
    assert one.decide(1) == (2, "command")
    assert one.refused["old"] == 2
    assert one.obey(command("5-10", 3), 1, T)
    assert one.obey(command("6-1", 0), 1, T)
    assert one.decide(1) == (0, "command")


def test_the_golden_commands_are_obeyed() -> None:
    one = control()
    found = [case for case in load("wire")["commands"] if case["kind"] == "set"]
    for case in found:
        message = json.loads(case["payload"])
        assert one.obey(message, 0, message["issued"] + 1), case
        assert one.decide(0) == (case["fields"]["level"], "command")
    assert len(found) >= 2


def test_a_repetition_is_acknowledged_again_and_lives_no_longer() -> None:
    one = control()
    one.obey(command("5-1", ttl=300), 0, None)
    assert one.obey(command("5-1", ttl=300), 200, None)
    assert one.refused["old"] == 0
    assert one.expire(299, None) is None
    assert one.expire(300, None) == "5-1"


def test_a_command_is_void_by_utc_or_by_its_arrival() -> None:
    one = control()
    assert not one.obey(command("5-1", issued=T - 300), 0, T)
    assert one.refused["void"] == 1
    assert one.obey(command("5-2", issued=T - 290), 0, T)
    assert one.expire(9, T + 9) is None
    assert one.expire(10, T + 10) == "5-2"
    assert one.obey(
        command("5-3", issued=T + 99999), 10, T
    )  # a clock that runs ahead makes no endless command
    assert one.expire(310, T + 310) == "5-3"


def test_old_ids_count_again_after_falling_back() -> None:
    one = control()
    one.obey(command("9-9", ttl=10), 0, None)
    one.expire(10, None)
    assert one.decide(10) == (1, "safe")
    assert one.obey(command("1-1", 3), 11, None)
    assert one.decide(11) == (3, "command")


def test_malformed_commands_change_nothing() -> None:
    one = control()
    for bad in ({}, {"id": "x"}, command("5"), command("5-1", level="high"), command("a-b")):
        try:
            assert not one.obey(bad, 0, T)
        except (KeyError, ValueError, TypeError):
            continue
    assert not one.obey(command("5-1", level=4), 0, T)
    assert not one.obey(command("5-1", level=-1), 0, T)
    assert one.refused["level"] == 2
    assert one.decide(0) == (1, "safe")


def test_fallback_has_hysteresis_and_ends_in_the_safe_level() -> None:
    one = control()
    room = one.room
    levels = []
    for i, value in enumerate((10, 34, 36, 30, 21, 19, 30)):
        room.hear("a", obs([value] * 6, T + 60 * i - 50, i + 1), 60 * i, T + 60 * i)
        levels.append(one.decide(60 * i))
    assert levels == [(n, "fallback") for n in (1, 1, 3, 3, 3, 1, 1)], levels
    assert one.decide(360 + 180) == (1, "fallback")
    assert one.decide(360 + 181) == (1, "safe")
    one.obey(command("5-1", 2), 900, None)
    assert one.decide(900) == (2, "command")


def test_observations_older_than_three_intervals_are_not_fresh() -> None:
    room = Room(60)
    room.hear("a", obs([99] * 6, T - 3600), 1000, T)
    assert room.worst(1000) is None
    room.hear("a", obs([20] * 6, T - 50, 2), 1000, T)
    assert room.worst(1000) == 20
    room.hear("a", obs([99] * 6, T - 3600, 1), 1001, T)  # the backlog comes behind
    assert (room.worst(1001), room.stale) == (20, 1)
    room.hear("b", obs([50, None], T - 10), 1001, T)
    assert room.worst(1001) == 50
    room.hear("c", obs([None, None], T), 1001, T)
    assert room.worst(1001) == 50


def test_without_any_clock_the_order_tells_fresh_from_late() -> None:
    room = Room(60)
    room.hear("a", obs([20], None, 7), 100, None)
    room.hear("a", obs([99], None, 3), 101, None)
    assert (room.worst(101), room.stale) == (20, 1)
    room.hear("a", obs([30], None, 8), 160, None)
    assert room.worst(160) == 30
    room.hear("a", obs([40], None, 1, "00000001"), 170, None)  # another board
    assert room.worst(170) == 40


def test_the_button_has_the_last_word_for_an_hour() -> None:
    one = control()
    one.obey(command("5-1", 3, ttl=9999), 0, None)
    one.press(3, 10)
    assert one.decide(10) == (0, "button")
    assert one.obey(command("5-2", 2, ttl=9999), 20, None)
    assert one.decide(20) == (0, "button")
    assert one.decide(10 + OVERRIDE_S) == (2, "command")


def ahead(value: list, issued: int | None, ttl: int = 180, quantity: str = "pm25") -> bytes:
    return json.dumps(
        {"issued": issued, "ttl": ttl, "quantity": quantity, "ahead": [600, 1800, 3600], "value": value}
    ).encode()


def test_the_golden_forecasts_are_understood() -> None:
    for case in load("wire")["forecasts"]:
        room = Room(60)
        room.expect("a", case["payload"].encode(), 100, 1763778060)
        assert room.worst(100) == case["soonest_worst"], case


def test_it_starts_ahead_of_what_the_node_sees_coming() -> None:
    one = control()
    one.room.hear("a", obs([15] * 6, T - 50), 0, T)
    assert one.decide(0) == (1, "fallback")
    one.room.expect("a", ahead([20, 30, 90], T), 1, T + 1)
    assert one.decide(1) == (1, "fallback")  # in an hour is not soon
    one.room.expect("a", ahead([20, 40, 90], T + 60), 60, T + 60)
    assert one.decide(60) == (3, "fallback")
    one.room.hear("a", obs([15] * 6, T + 70, 2), 120, T + 120)
    one.room.expect("a", ahead([18, 19, 90], T + 120), 120, T + 120)
    assert one.decide(120) == (1, "fallback")  # it passes by


def test_an_expired_forecast_is_not_obeyed() -> None:
    one = control()
    one.room.expect("a", ahead([90, 90, 90], T - 180), 0, T)
    assert (one.decide(0), one.room.stale) == ((1, "safe"), 1)
    one.room.expect("a", ahead([90, 90, 90], T - 100), 0, T)
    assert one.decide(79) == (3, "fallback")
    assert one.decide(80) == (1, "safe")
    one.room.expect("a", ahead([90, 90, 90], None), 100, None)  # by its arrival where there is no clock
    assert one.decide(279) == (3, "fallback")
    assert one.decide(280) == (1, "safe")
    one.room.expect("a", ahead([90, 90, 90], T + 9999, 99999), 300, T)  # no clock makes it live for ever
    assert one.decide(1199) == (3, "fallback")
    assert one.decide(1200) == (1, "safe")


def test_an_older_or_foreign_forecast_changes_nothing() -> None:
    one = control()
    one.room.expect("a", ahead([90, 90, 90], T), 0, T)
    one.room.expect("a", ahead([10, 10, 10], T - 60), 1, T + 1)
    assert (one.decide(1), one.room.stale) == ((3, "fallback"), 1)
    one.room.expect("b", ahead([900, 900, 900], T, 180, "co2"), 1, T + 1)
    assert one.room.worst(1) == 90
    one.obey(command("5-1", 2), 2, T)
    assert one.decide(2) == (2, "command")
    for bad in (b"{", b"7", b"{}", ahead(["x"], T), ahead([1], T, None)):
        try:
            one.room.expect("a", bad, 3, T)
            assert False, bad  # noqa: B011 (MicroPython's own runner)
        except (ValueError, KeyError, TypeError):
            continue
