"""The actuator under a real MicroPython at a real Mosquitto: what it obeys, refuses and falls back to."""

import time
from typing import Any

from tests.firmware.conftest import Start
from tests.firmware.workshop import ACTUATOR, NODE, ROOT, SPEED, Ear, Wires
from tests.servers import Mosquitto, wait_until

T = 1_763_778_000
ME = "hana/p-1"


def state(ear: Ear) -> dict[str, Any]:
    found = ear.heard("state", ME)[-1]
    assert isinstance(found, dict)
    return found


def becomes(ear: Ear, within_s: float = 10, **facts: Any) -> None:
    wait_until(lambda: any(facts.items() <= s.items() for s in ear.heard("state", ME)[-1:]), within_s)


def command(ear: Ear, name: str, level: int, issued: int = T, ttl: int = 300, **more: Any) -> None:
    ear.say("set", {"id": name, "issued": issued, "ttl": ttl, "level": level, "reason": "test"} | more, ME)


def air(ear: Ear, pm25: float, seq: int, t0: int | None) -> None:
    ear.say(
        "obs",
        {"log": "7f3a09c1", "seq": seq, "boot": 1, "up": 60 * seq, "t0": t0, "dt": 10, "pm25": [pm25] * 6},
    )


def test_it_begins_safe_and_says_so(ear: Ear, start: Start, wires: Wires) -> None:
    start(ACTUATOR)
    becomes(ear, level=1, cause="safe", id=None, at=None)
    assert list(state(ear)) == ["level", "cause", "id", "filter_h", "at"]
    assert ear.statuses(ME) == ["online"]
    wait_until(lambda: wires.levels == [1])
    wait_until(lambda: ear.heard("info", ME))
    info = ear.heard("info", ME)[-1]
    assert {"kind": "actuator", "levels": 4, "safe_level": 1, "boot": 1}.items() <= info.items()


def test_it_obeys_acknowledges_and_expires(ear: Ear, start: Start, wires: Wires) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    command(ear, "7-1", 3, ttl=240)
    becomes(ear, level=3, cause="command", id="7-1")
    assert wires.levels[-1] == 3
    begun = time.monotonic()
    becomes(ear, level=1, cause="safe", id=None)
    assert 240 / SPEED - 0.3 < time.monotonic() - begun < 240 / SPEED + 1
    states = ear.heard("state", ME)
    assert [s for s in states if s["cause"] == "expired"] == [
        {"level": 1, "cause": "expired", "id": "7-1", "filter_h": states[-1]["filter_h"], "at": None}
    ]
    assert wires.levels[-1] == 1


def test_it_refuses_old_ids_until_it_has_fallen_back(ear: Ear, start: Start) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    command(ear, "7-2", 2, ttl=120)
    becomes(ear, level=2, id="7-2")
    command(ear, "7-1", 3)
    command(ear, "6-99", 3)
    becomes(ear, cause="safe")
    assert not any(s["level"] == 3 for s in ear.heard("state", ME))
    command(ear, "7-1", 3)
    becomes(ear, level=3, cause="command", id="7-1")
    assert ear.heard("state", ME)[-1]["filter_h"] >= 0


def test_by_its_clock_it_refuses_a_command_that_is_over(ear: Ear, start: Start) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    ear.time(T)
    becomes(ear, cause="safe")
    wait_until(lambda: state(ear)["at"])
    command(ear, "7-1", 3, issued=T - 301)
    command(ear, "7-2", 2, issued=T)
    becomes(ear, level=2, id="7-2")
    assert not any(s["level"] == 3 for s in ear.heard("state", ME))
    assert T <= state(ear)["at"] <= T + 600


def test_a_repeated_command_is_acknowledged_again(ear: Ear, start: Start) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    command(ear, "7-1", 3)
    becomes(ear, id="7-1")
    said = len(ear.heard("state", ME))
    command(ear, "7-1", 3)
    wait_until(lambda: len(ear.heard("state", ME)) > said, 40 / SPEED)


def test_bad_commands_change_nothing(ear: Ear, start: Start, wires: Wires) -> None:
    device = start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    for bad in ("{", "7", '{"id":"7-1"}', '{"id":7,"issued":1,"ttl":1,"level":1}', "x" * 10000):
        ear.say("set", bad, ME)
    command(ear, "7-1", 4)
    command(ear, "7-2", 2, ttl=9999)
    becomes(ear, level=2, id="7-2")
    assert set(wires.levels) == {1, 2}
    wait_until(lambda: ear.heard("info", ME)[-1]["refused"]["level"] == 1, 20)
    assert ear.heard("info", ME)[-1]["malformed"] == 4
    assert ear.heard("info", ME)[-1]["oversize"] == 1
    assert device.alive


def test_without_a_command_it_follows_its_room_and_then_the_safe_level(ear: Ear, start: Start) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    ear.time(T)
    air(ear, 80, 1, T - 3600)  # an hour old
    time.sleep(0.3)
    assert state(ear)["cause"] == "safe"
    air(ear, 80, 2, T - 40)
    becomes(ear, level=3, cause="fallback")
    command(ear, "7-1", 2, ttl=60)
    becomes(ear, level=2, cause="command")
    wait_until(lambda: state(ear)["cause"] != "command")
    becomes(ear, 300 / SPEED + 1, level=1, cause="safe")


def test_a_real_node_leads_it_when_the_gateway_is_silent(ear: Ear, start: Start, wires: Wires) -> None:
    wires.pm25 = 90
    start(NODE)
    start(ACTUATOR)
    becomes(ear, level=3, cause="fallback")
    wires.pm25 = 5
    becomes(ear, level=1, cause="fallback")
    wires.silent = True
    becomes(ear, level=1, cause="safe")


def test_the_button_has_the_last_word(ear: Ear, start: Start, wires: Wires) -> None:
    start(ACTUATOR)
    wait_until(lambda: "gpio" in wires.links and ear.statuses(ME))
    command(ear, "7-1", 3, ttl=9999)
    becomes(ear, level=3)
    wires.links["gpio"].sendall(b"BUTTON\n")
    becomes(ear, level=0, cause="button")
    assert wires.levels[-1] == 0


def test_filter_hours_outlive_a_kill(ear: Ear, start: Start) -> None:
    device = start(ACTUATOR, sim={"speed": 7200})
    wait_until(lambda: ear.heard("state", ME) and state(ear)["filter_h"] >= 1.5, 20)
    device.kill()
    device.start()
    wait_until(lambda: ear.heard("info", ME)[-1]["boot"] == 2)
    assert state(ear)["filter_h"] >= 1


def test_it_lives_through_a_dead_broker(ear: Ear, start: Start, mosquitto: Mosquitto, wires: Wires) -> None:
    start(ACTUATOR)
    wait_until(lambda: ear.statuses(ME))
    command(ear, "7-1", 3, ttl=240)
    becomes(ear, level=3)
    mosquitto.kill()
    wait_until(lambda: wires.levels[-1] == 1)
    mosquitto.start()
    ear.messages.clear()
    wait_until(lambda: ear.heard("state", ME), 15)
    becomes(ear, level=1, cause="safe")
    command(ear, "7-1", 2)
    becomes(ear, level=2, cause="command")


def test_it_tells_a_gateway_that_begins(ear: Ear, start: Start) -> None:
    start(ACTUATOR, sim={"speed": 1})
    wait_until(lambda: ear.heard("state", ME))
    said = len(ear.heard("state", ME))
    ear.client.publish(f"{ROOT}/gateway/gw-1/status", "online", qos=1).wait_for_publish(5)
    wait_until(lambda: len(ear.heard("state", ME)) > said)
