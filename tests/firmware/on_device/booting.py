"""An ESP32's main.py and board, with stand-ins for what only its image has; its epoch is 2000 here."""

import asyncio
import sys
import time

import memory
from lib import care
from slots import BOOTS, Slots

ESP32 = __file__.rsplit("/", 1)[0] + "/../../../firmware/esp32/"
EPOCH = 946684800
UTC = 1795338898
said = []


class Reset(BaseException):
    """The chip has been reset."""


class WDT:
    """The watchdog."""

    def __init__(self, timeout: int) -> None:
        said.append(("watchdog", timeout))

    def feed(self) -> None:
        said.append("fed")


class Timer:
    """The timer of a trial."""

    ONE_SHOT = 0
    callback = None

    def __init__(self, number: int) -> None:
        self.number = number

    def init(self, mode: int, period: int, callback: object) -> None:
        said.append(("timer", period))
        Timer.callback = callback


class Pin:
    OUT = 1

    def __init__(self, number: int, mode: int = 0) -> None:
        self.number = number

    def value(self, on: bool = False) -> bool:
        return on


class RTC:
    def datetime(self, fields: tuple) -> None:
        said.append(fields)


def reset() -> None:
    raise Reset


class Machine:
    """The module `machine`."""

    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
    WDT, Timer, Pin, RTC = WDT, Timer, Pin, RTC
    UART = I2C = PWM = object
    reset = staticmethod(reset)
    reset_cause = staticmethod(lambda: 3)


class Station:
    STA_IF = 0

    def isconnected(self) -> bool:
        return True


class Network:
    """The module `network`."""

    STA_IF = 0
    WLAN = staticmethod(lambda kind: Station())


class Time:
    """The module `time` of a board that counts from 2000."""

    now = UTC - 1000 - EPOCH
    sleep = staticmethod(lambda s: said.append(("slept", s)))
    ticks_ms = staticmethod(time.ticks_ms)
    ticks_diff = staticmethod(time.ticks_diff)
    gmtime = staticmethod(lambda s=0: time.gmtime(s + EPOCH))
    time = staticmethod(lambda: Time.now)


class Start:
    """The module `lib.start`, whose `run` the test gives."""


class Esp32:
    """The module `esp32`, and `board_esp32` of main.py's own tests."""

    Board = staticmethod(lambda config, slots: (config["id"], slots.running))


def boot(run: object) -> list:
    """Boot by main.py as an ESP32 does; return what happened up to the reset."""
    Start.run = staticmethod(run)
    del said[:]
    with open(ESP32 + "main.py") as file:
        # Its flash is mounted elsewhere here.
        text = file.read().replace('Slots("")', 'Slots("/ram")').replace('"/config', '"/ram/config')
    stand_ins = {"machine": Machine, "lib.start": Start, "board_esp32": Esp32, "time": Time}
    path, before = list(sys.path), {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        exec(text, {})
    except Reset:
        return list(said)
    finally:
        sys.path[:] = path
        for name in stand_ins:
            del sys.modules[name]
            if before[name]:
                sys.modules[name] = before[name]
    raise AssertionError("it came to an end without a reset")


def new(**facts: object) -> Slots:
    memory.new()
    with open("/ram/config.json", "w") as file:
        file.write('{"id": "1-2-a"}')
    slots = Slots("/ram")
    slots.begin()
    if facts:
        slots.store(**facts)
    return slots


def kept() -> dict:
    slots = Slots("/ram")
    slots.begin()
    return slots.facts


def broken(config: dict, board: object) -> str:
    raise ValueError("an application that can't live")


def test_a_boot_runs_the_application_and_resets() -> None:
    new()
    ran = []
    assert boot(lambda config, board: ran.append(board)) == []
    assert ran == [("1-2-a", "")]


def test_a_trial_has_a_timer_and_a_watchdog_behind_it() -> None:
    new(trial="a", tried=7)
    ran = []
    happened = boot(lambda config, board: ran.append(board))
    assert happened == [("watchdog", 960000), ("timer", 900000)]
    assert ran == [("1-2-a", "a")]


def test_a_trial_that_hangs_is_rolled_back_by_its_timer() -> None:
    new(trial="a", tried=7)

    def hangs(config: dict, board: object) -> None:
        Timer.callback(None)
        raise AssertionError("the timer let it live")

    boot(hangs)
    facts = kept()
    assert (facts["trial"], facts["failed"]) == (None, [7, "hang"])


def test_a_confirmed_trial_has_nothing_to_fear_from_its_timer() -> None:
    new(trial="a", tried=7)

    def confirms(config: dict, board: object) -> None:
        board.store(slot="a", release=7, trial=None)
        board.on_trial = False
        Timer.callback(None)

    Esp32.Board = staticmethod(lambda config, slots: slots)
    boot(confirms)
    Esp32.Board = staticmethod(lambda config, slots: (config["id"], slots.running))
    facts = kept()
    assert (facts["slot"], facts["release"], facts["failed"]) == ("a", 7, None)


def test_what_can_t_even_be_imported_is_rolled_back_after_some_boots() -> None:
    new(trial="a", tried=7)
    for _ in range(BOOTS):
        assert boot(broken)[-1] == ("slept", 2)
    assert boot(lambda config, board: None) == []
    assert kept()["failed"] == [7, "crash"]


def test_a_board_that_counts_from_2000_tells_the_time_from_1970() -> None:
    sys.modules.update({"machine": Machine, "network": Network, "esp32": Esp32, "time": Time})
    before = sys.path[:]
    sys.path.insert(0, ESP32[:-1])
    sys.modules.pop("board_esp32", None)
    try:
        from board_esp32 import Board
    finally:
        sys.path[:] = before
        for name in ("machine", "network", "esp32", "time"):
            del sys.modules[name]
    board = Board({"id": "1-2-a", "wifi": [], "pins": {"led": 2}}, None)
    assert board.cause == "watchdog"
    del said[:]
    board.set_clock(UTC - 2000)
    assert said == []  # it is ahead already
    board.set_clock(UTC)
    t = time.gmtime(UTC)
    assert said == [(t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0)]
    assert t[0] == 2026


def test_the_watchdog_leaves_the_cable_time_to_copy() -> None:
    class Thing:
        pass

    device, board = Thing(), Thing()
    device.board, device.config, device.client = board, {"arm_ms": 300}, Thing()
    device.client.connected = True
    device.stalled = lambda: False
    board.failures = 0
    board.scarce = lambda connected: False
    board.watchdog = lambda ms: WDT(ms).feed
    del said[:]

    async def use() -> None:
        task = asyncio.create_task(care.watch(device))
        await asyncio.sleep_ms(100)
        assert said == []
        await asyncio.sleep_ms(600)
        assert said == [("watchdog", 120000), "fed"]
        task.cancel()

    asyncio.run(use())
