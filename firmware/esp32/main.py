"""Run the device of /config.json on an ESP32; whatever ends it begins it anew. Only the cable renews this."""

import json
import sys
import time

import machine
from slots import Slots

# A trial that hangs is ended by a timer, and where even that is stuck by the watchdog, which the application
# sets anew; its own deadline comes before both. [ms]
TRIAL_MS, STUCK_MS = 900000, 960000
CRASH_S = 2

slots = Slots("")
sys.path[:0] = slots.begin()


def end_trial(timer: machine.Timer) -> None:
    """Give up a version that has neither confirmed nor ended itself."""
    if slots.on_trial:
        slots.roll_back("hang")
        machine.reset()


try:
    if slots.on_trial:
        machine.WDT(timeout=STUCK_MS)
        machine.Timer(1).init(mode=machine.Timer.ONE_SHOT, period=TRIAL_MS, callback=end_trial)
    from board_esp32 import Board
    from lib.start import run

    with open("/config.json") as file:
        config = json.load(file)
    run(config, Board(config, slots))
except Exception as error:
    sys.print_exception(error)
    time.sleep(CRASH_S)
machine.reset()
