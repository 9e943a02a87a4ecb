"""The node under real MicroPython with an ESP32's heap, at a real Mosquitto, with sensors' real bytes."""

import json
import random
import time
from typing import Any

import msgspec
import pytest

from edge.wire import Batch
from tests.firmware.conftest import Start
from tests.firmware.workshop import NODE, ROOT, SPEED, Ear, Process, Wires
from tests.servers import Mosquitto, wait_until

COLUMNS = ["pm1_cf1", "pm25_cf1", "pm10_cf1", "pm1", "pm25", "pm10"]
COLUMNS += ["n03", "n05", "n10", "n25", "n50", "n100", "co2", "temp", "rh"]
T = 1_763_778_000


def batches(ear: Ear, at_least: int = 1, within_s: float = 20) -> list[dict[str, Any]]:
    wait_until(lambda: len(ear.heard("obs")) >= at_least, within_s)
    return ear.heard("obs")


def info(ear: Ear) -> dict[str, Any]:
    wait_until(lambda: ear.heard("info"))
    found = ear.heard("info")[-1]
    assert isinstance(found, dict)
    return found


def complete(heard: list[dict[str, Any]]) -> None:
    """Every sequence from 1 is there, and its doubles say the same."""
    contents: dict[tuple[str, int], str] = {}
    for batch in heard:
        content = json.dumps({key: value for key, value in batch.items() if key != "t0"})
        assert contents.setdefault((batch["log"], batch["seq"]), content) == content
    assert {log for log, _ in contents} == {heard[0]["log"]}
    assert sorted(seq for _, seq in contents) == list(range(1, len(contents) + 1))


def test_it_publishes_what_its_sensors_say(ear: Ear, start: Start) -> None:
    start(NODE)
    heard = batches(ear, 2)
    assert ear.statuses()[-1] == "online"
    for payload in ear.messages[f"{ROOT}/hana/1-2-a/obs"]:
        msgspec.json.decode(payload, type=Batch)  # refuses unknown fields
    assert list(heard[0]) == ["log", "seq", "boot", "up", "t0", "dt", *COLUMNS]
    assert [batch["seq"] for batch in heard[:2]] == [1, 2]
    assert (heard[0]["boot"], heard[0]["dt"], heard[0]["t0"]) == (1, 10, None)
    assert heard[0]["pm25"][0] is None  # warming up
    last = heard[1]
    assert last["up"] == heard[0]["up"] + 60
    assert {name: len(last[name]) for name in COLUMNS} == dict.fromkeys(COLUMNS, 6)
    assert (last["pm25"], last["n03"], last["co2"]) == ([12] * 6, [210] * 6, [500] * 6)
    assert (last["temp"], last["rh"]) == ([25] * 6, [37] * 6)


def test_info_says_what_the_gateway_needs(ear: Ear, start: Start) -> None:
    start(NODE)
    batches(ear, 1)
    found = info(ear)
    assert found["sensors"][0] == {
        "type": "pms5003",
        "serial": "P-0001",
        "hours": 0,
        "errors": {"checksum": 0, "timeout": 0},
    }
    assert found["log"] == ear.heard("obs")[0]["log"]
    expected = {"kind": "node", "chip": "unix", "first": 1, "next": 1, "cursor": 1, "boot": 1, "dropped": 0}
    assert expected.items() <= found.items()
    assert found["cause"] == "power"
    wait_until(lambda: ear.heard("info")[-1]["next"] >= 10, 20)
    later = info(ear)
    assert later["up"] == pytest.approx(600, abs=30)
    assert later["sensors"][0]["hours"] == 0.1
    assert 0 <= later["next"] - later["cursor"] <= 2


def test_batches_before_the_clock_have_no_time_and_after_it_the_true_one(ear: Ear, start: Start) -> None:
    start(NODE)
    batches(ear, 1)
    ear.time(T)
    said = time.monotonic()
    wait_until(lambda: ear.heard("obs")[-1]["t0"], 10)
    timed = [batch for batch in ear.heard("obs") if batch["t0"]]
    untimed = [batch for batch in ear.heard("obs") if not batch["t0"]]
    assert max(batch["seq"] for batch in untimed) < timed[0]["seq"]
    assert len(untimed[-1]["co2"]) <= 6
    now = T + (time.monotonic() - said) * SPEED
    assert T - 10 <= timed[0]["t0"] <= now
    more = batches(ear, len(ear.heard("obs")) + 2)
    assert len({batch["t0"] - batch["up"] for batch in more if batch["t0"]}) == 1


def test_a_clock_step_closes_the_batch(ear: Ear, start: Start) -> None:
    start(NODE, batch_s=600)
    ear.say("cmd", {"op": "identify", "id": "1"})
    wait_until(lambda: info(ear))
    ear.time(T)
    time.sleep(60 / SPEED)
    ear.time(T + 7200)
    wait_until(lambda: len(ear.heard("obs")) >= 2, 10)
    offsets = [batch["t0"] - batch["up"] for batch in ear.heard("obs") if batch["t0"]]
    assert len(ear.heard("obs")[0]["co2"]) < 60
    wait_until(lambda: any(b["t0"] and b["t0"] > T + 7000 for b in ear.heard("obs")), 15)
    offsets = [batch["t0"] - batch["up"] for batch in ear.heard("obs") if batch["t0"]]
    assert len(set(offsets)) == 2


def test_killed_at_any_moment_it_loses_and_doubles_nothing(ear: Ear, start: Start) -> None:
    node = start(NODE)
    rng = random.Random(4)
    for _ in range(6):
        time.sleep(rng.uniform(0.3, 1.3))
        node.kill()
        node.start()
    count = len(ear.heard("obs"))
    heard = batches(ear, count + 3)
    complete(heard)
    assert len({batch["boot"] for batch in heard}) >= 4
    last = info(ear)
    assert (last["boot"], last["first"]) == (7, 1)


def test_an_erased_flash_is_another_log(ear: Ear, start: Start) -> None:
    node = start(NODE)
    log = batches(ear, 1)[0]["log"]
    node.kill()
    (node.folder / "flash.img").unlink()
    node.start()
    wait_until(lambda: ear.heard("obs")[-1]["log"] != log)
    assert ear.heard("obs")[-1]["seq"] == 1


def test_a_dead_broker_costs_nothing(ear: Ear, start: Start, mosquitto: Mosquitto) -> None:
    start(NODE)
    batches(ear, 2)
    mosquitto.kill()
    time.sleep(2)
    mosquitto.start()
    wait_until(lambda: len({b["seq"] for b in ear.heard("obs")}) >= 8, 20)
    # At QoS 1 the killed broker may have taken a batch to its grave: that is what resend is for.
    found = {batch["seq"] for batch in ear.heard("obs")}
    missing = sorted(set(range(1, max(found))) - found)
    for seq in missing:
        ear.say("cmd", {"op": "resend", "log": info(ear)["log"], "from": seq, "to": seq, "id": "1-1"})
    wait_until(lambda: not set(missing) - {batch["seq"] for batch in ear.heard("obs")})
    complete(sorted(ear.heard("obs"), key=lambda b: int(b["seq"])))


def test_a_broker_that_is_away_is_replaced_by_the_next_of_the_list(
    ear: Ear, start: Start, mosquitto: Mosquitto
) -> None:
    start(NODE, brokers=[["127.0.0.1", 1], ["127.0.0.1", mosquitto.port]])
    batches(ear, 1)


def replies(ear: Ear, at_least: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(ear.heard("reply")) >= at_least)
    return ear.heard("reply")


def test_it_answers_commands(ear: Ear, start: Start) -> None:
    start(NODE)
    log = batches(ear, 3)[0]["log"]
    sent = len(ear.heard("obs"))
    ear.say("cmd", {"op": "resend", "log": log, "from": 1, "to": 2, "id": "1-1"})
    assert replies(ear, 1)[0] == {
        "op": "resend",
        "id": "1-1",
        "log": log,
        "from": 1,
        "to": 2,
        "sent": 2,
        "gone": [],
    }
    again = [batch for batch in ear.heard("obs")[sent:] if batch["seq"] <= 2]
    assert again == ear.heard("obs")[:2]
    ear.say("cmd", {"op": "resend", "log": "00000000", "from": 1, "to": 2, "id": "1-2"})
    refused = {
        "op": "resend",
        "id": "1-2",
        "log": log,
        "from": 1,
        "to": 2,
        "sent": 0,
        "gone": [],
        "error": "log",
    }
    assert replies(ear, 2)[1] == refused
    ear.say("cmd", {"op": "identify", "id": "1-3"})
    assert replies(ear, 3)[2] == {"op": "identify", "id": "1-3", "ok": True}
    ear.say("cmd", {"op": "dance", "id": "1-4"})
    assert replies(ear, 4)[3] == {"op": "dance", "id": "1-4", "error": "unknown op"}


def test_reboot_keeps_the_log_and_says_why(ear: Ear, start: Start) -> None:
    node = start(NODE)
    batches(ear, 2)
    ear.say("cmd", {"op": "reboot", "id": "1-1"})
    wait_until(lambda: info(ear)["boot"] == 2)
    assert info(ear)["cause"] == "reboot"
    complete(batches(ear, len(ear.heard("obs")) + 2))
    assert node.alive


def test_bad_commands_and_times_stop_nothing(ear: Ear, start: Start) -> None:
    node = start(NODE)
    batches(ear, 1)
    for bad in (
        "",
        "{",
        "[]",
        "3",
        '{"op":"resend"}',
        '{"op":"resend","log":7,"from":"x","to":[]}',
        "x" * 20000,
    ):
        ear.say("cmd", bad)
    ear.client.publish(f"{ROOT}/time", "soon").wait_for_publish(5)
    batches(ear, len(ear.heard("obs")) + 2)
    wait_until(lambda: ear.heard("info")[-1]["malformed"] >= 5, 20)
    assert ear.heard("info")[-1]["oversize"] == 1
    assert node.alive


def test_it_contradicts_an_offline_that_came_late(ear: Ear, start: Start) -> None:
    start(NODE)
    wait_until(lambda: ear.statuses() == ["online"])
    ear.say("status", "offline")
    wait_until(lambda: ear.statuses() == ["online", "offline", "online"])


def test_a_dead_node_is_offline_by_its_will(ear: Ear, start: Start) -> None:
    node = start(NODE)
    wait_until(lambda: ear.statuses() == ["online"])
    node.kill()
    wait_until(lambda: ear.statuses()[-1] == "offline")


def test_silent_sensors_are_reported_and_never_invented(ear: Ear, start: Start, wires: Wires) -> None:
    start(NODE)
    batches(ear, 2)
    wires.silent = True
    seen = len(ear.heard("obs"))
    last = batches(ear, seen + 2)[seen + 1]
    assert all(last[name] == [None] * 6 for name in COLUMNS)
    wires.silent = False
    seen = len(ear.heard("obs"))
    assert batches(ear, seen + 2)[seen + 1]["pm25"] == [12] * 6
    wait_until(lambda: ear.heard("info")[-1]["sensors"][0]["errors"]["timeout"] >= 6, 20)
    assert ear.heard("info")[-1]["sensors"][1]["errors"]["timeout"] >= 6


def test_noise_on_the_line_is_counted(ear: Ear, start: Start, wires: Wires) -> None:
    start(NODE)
    batches(ear, 1)
    wires.noise = b"\x00\xffBM\x00\x1c" + bytes(28) + b"BM"
    seen = len(ear.heard("obs"))
    assert batches(ear, seen + 2)[seen + 1]["pm25"] == [12] * 6
    wait_until(lambda: ear.heard("info")[-1]["sensors"][0]["errors"]["checksum"] == 1, 20)


def test_a_jump_is_told_at_once(ear: Ear, start: Start, wires: Wires) -> None:
    start(NODE, batch_s=600)
    wait_until(lambda: ear.heard("info"))
    time.sleep(100 / SPEED)
    assert not ear.heard("obs")
    wires.pm25 = 90
    jumped = batches(ear, 1, 60 / SPEED + 1)[0]
    assert jumped["pm25"][-1] > 27
    assert len(jumped["pm25"]) < 60


def test_the_ticks_may_wrap(ear: Ear, start: Start) -> None:
    start(NODE, sim={"ticks_start": 0x3FFFFFFF - 90_000})
    heard = batches(ear, 5)
    assert [b["up"] for b in heard[1:5]] == [heard[0]["up"] + 60 * n for n in range(1, 5)]
    complete(heard)


def test_two_dust_sensors_are_channels(ear: Ear, start: Start) -> None:
    pair = [{"type": "pms5003", "serial": f"P-{bus}", "bus": bus} for bus in ("uart1", "uart2")]
    start(NODE, sensors=pair)
    last = batches(ear, 2)[1]
    channels = {"pm25_a", "pm25_b", "pm10_a", "pm10_b"}
    assert (
        set(last) - {"log", "seq", "boot", "up", "t0", "dt"}
        == (set(COLUMNS) - {"co2", "temp", "rh"})
        - {
            "pm25",
            "pm10",
        }
        | channels
    )
    assert last["pm25_a"] == last["pm25_b"] == [12] * 6


def test_it_needs_little_heap_and_little_of_the_machine(ear: Ear, start: Start) -> None:
    node: Process = start(NODE, sim={"speed": 60})
    begun = time.monotonic()
    wait_until(lambda: ear.heard("info"), 5)
    assert time.monotonic() - begun < 0.5
    cpu, since = node.cpu_s(), time.monotonic()
    wait_until(lambda: len(ear.heard("info")) >= 2, 20)
    share = (node.cpu_s() - cpu) / (time.monotonic() - since)
    heap = ear.heard("info")[-1]["heap"]
    print(f"CPU at speed 60: {100 * share:.1f} %; free of 128 KB: {heap}")
    assert share < 0.03
    assert heap > 24_000
