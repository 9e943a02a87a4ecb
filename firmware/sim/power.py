"""The power switch of a simulated board: boot after boot of the device that a configuration names."""

# All of asyncio first, while the heap is in one piece: what compiles later leaves it in shreds.
# (F401: loaded here to stay. The stubs know asyncio as a whole, without its parts.)
import asyncio.event  # type: ignore[import-not-found]
import asyncio.funcs  # type: ignore[import-not-found]
import asyncio.stream  # type: ignore[import-not-found]  # noqa: F401
import gc
import json
import sys
import time

import vfs
from micropython import const
from sim.flash import mount
from slots import Slots

_FLASH = const("/flash")
# With `sim.exit` every boot is a process of its own, begun with its cause, and so has a heap of its own.
_CRASH = const(70)
_REBOOT = const(71)
_UPDATE = const(72)


def boot(config: dict, cause: str) -> str:
    """Run one boot, from the flash to the end of the application; return its cause."""
    slots = Slots(_FLASH)
    sys.path[:0] = slots.begin()
    try:
        from lib.start import run
        from sim.board import Board

        gc.collect()

        return run(config, Board(config, cause, slots))
    except Exception as error:  # of an application that can't even be imported
        sys.print_exception(error)
        return "crash"


def main() -> int:
    """Run the device of the configuration file; a reboot or a crash begins it anew, as a watchdog would."""
    if not 2 <= len(sys.argv) <= 3:
        print("usage: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json")
        return 2
    path, modules = list(sys.path), list(sys.modules)
    cause = sys.argv[2] if len(sys.argv) == 3 else "power"
    while True:
        with open(sys.argv[1]) as file:
            config = json.load(file)
        mount(config["sim"], _FLASH)
        cause = boot(config, cause)
        vfs.umount(_FLASH)
        if config["sim"].get("exit"):
            return _UPDATE if cause == "update" else _REBOOT if cause in ("reboot", "turn") else _CRASH
        sys.path[:] = path
        for name in [name for name in sys.modules if name not in modules]:
            del sys.modules[name]
        gc.threshold(-1)
        gc.collect()
        if cause not in ("reboot", "update", "turn"):  # a crash on a board is followed by the boot's own time
            time.sleep(config["sim"].get("crash_s", 2))
