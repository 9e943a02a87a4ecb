"""Boots that are counted, crashes that are kept, a lamp that tells: on a real LittleFS."""

import asyncio
import os

import memory
from lib import boots, crashes, lamp
from lib.boots import TOO_MANY
from lib.seldom import call
from sim.ramflash import PowerCut

FLASH = "/ram"


def test_only_failures_count_and_a_good_boot_forgives_them() -> None:
    memory.new()
    assert boots.begin(FLASH, "power") == ("power", 0, 0)
    for n in range(1, 4):
        boots.end(FLASH, "crash")
        assert boots.begin(FLASH, "reboot") == ("crash", n, 0)
    assert boots.begin(FLASH, "power") == ("power", 3, 0)
    assert boots.begin(FLASH, "watchdog") == ("watchdog", 4, 0)
    assert boots.begin(FLASH, "reboot") == ("reset", 5, 0)  # nobody announced it
    boots.end(FLASH, "reboot")
    assert boots.begin(FLASH, "reboot") == ("reboot", 5, 0)
    boots.good(FLASH)
    boots.time(FLASH, None)
    boots.time(FLASH, 1763778000)
    assert boots.begin(FLASH, "power") == ("power", 0, 1763778000)


def test_safe_mode_gives_one_try_more() -> None:
    memory.new()
    for _ in range(TOO_MANY):
        boots.end(FLASH, "crash")
        failures = boots.begin(FLASH, "crash")[1]
    assert failures == TOO_MANY
    boots.spared(FLASH)
    assert boots.begin(FLASH, "power")[1] == TOO_MANY - 1
    boots.end(FLASH, "memory")
    assert boots.begin(FLASH, "reboot")[1] == TOO_MANY


def test_the_count_survives_power_cuts() -> None:
    for cut in range(40):
        flash, _ = memory.new()
        boots.end(FLASH, "crash")
        boots.begin(FLASH, "crash")
        flash.cut = cut
        try:
            boots.end(FLASH, "crash")
            boots.begin(FLASH, "crash")
        except (PowerCut, OSError):
            pass
        memory.mount(flash.after_cut())
        assert boots.begin(FLASH, "power")[1] in (1, 2), cut


def _broken(n: int) -> None:
    raise ValueError("sample %d" % n)


def _crash(n: int) -> None:
    try:
        _broken(n)
    except ValueError as error:
        crashes.note(FLASH, error, None, "0.1.0")


def test_the_crash_log_is_bounded_and_counts_repetitions() -> None:
    memory.new()
    assert crashes.read(FLASH) == []
    assert crashes.last(FLASH) is None
    for n in range(10):
        _crash(n)
        _crash(n)
    kept = crashes.read(FLASH)
    assert [crash["times"] for crash in kept] == [2] * 4
    assert "sample 6" in kept[0]["trace"]
    assert crashes.last(FLASH).endswith("ValueError: sample 9")
    assert "_broken" in crashes.last(FLASH)
    assert os.stat(FLASH + "/crashes.json")[6] < 4 * 700


def test_a_rotten_crash_log_is_begun_anew() -> None:
    memory.new()
    with open(FLASH + "/crashes.json", "w") as file:
        file.write("[{")
    _crash(1)
    assert len(crashes.read(FLASH)) == 1


def test_what_is_seldom_needed_is_let_go() -> None:
    import sys

    memory.new()
    assert call("lib.trust", "certificates", b"\x30") == [b"\x30"]
    assert "lib.trust" not in sys.modules
    try:
        call("lib.trust", "certificates", 3)
    except TypeError:
        assert "lib.trust" not in sys.modules
        return
    raise AssertionError


class Thing:
    def __init__(self, **facts: object) -> None:
        for name, value in facts.items():
            setattr(self, name, value)


def _device(
    connected: bool, silent: bool = False, wifi: object = None, error: str = "", safe: bool = False
) -> object:
    client = Thing(connected=connected, last_error=error)
    return Thing(board=Thing(wifi=wifi), client=client, silent=lambda: silent, safe=safe)


def test_the_lamp_names_what_a_device_is_in() -> None:
    off = Thing(at=None, gated=lambda: False)
    page = Thing(at="school", gated=lambda: True)
    assert lamp.state(_device(True)) == "ok"
    assert lamp.state(_device(True, silent=True)) == "sensor"
    assert lamp.state(_device(True, safe=True, silent=True)) == "safe"
    assert lamp.state(_device(False, wifi=off)) == "wifi"
    assert lamp.state(_device(False, wifi=page)) == "gate"
    assert lamp.state(_device(False, error="Refused('not authorised',)")) == "refused"
    assert lamp.state(_device(False)) == "broker"
    assert [lamp.blinks(name) for name in ("ok", "sensor", "safe")] == [1, 6, 7]


def test_the_lamp_blinks_and_identifies() -> None:
    told = []
    one = lamp.Lamp(told.append, _device(False))

    async def use() -> None:
        task = asyncio.create_task(one.run())
        await asyncio.sleep_ms(2000)
        assert told.count(True) == 4
        one.identify()
        await asyncio.sleep_ms(1500)
        assert told.count(True) > 5
        task.cancel()

    asyncio.run(use())
