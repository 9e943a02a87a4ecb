"""Run a device under the Unix port: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json"""

# All of asyncio first, while the heap is in one piece: what compiles later leaves it in shreds.
import asyncio.event
import asyncio.funcs
import asyncio.stream  # noqa: F401 (all three: loaded here to stay)
import gc
import json
import sys
import time

import vfs

HOME = __file__[: -len("sim/main.py")] or "./"
# The application of the source tree is what the cable would have brought.
sys.path[:0] = [HOME[:-1], HOME + "boot"]

from sim.flash import mount
from slots import Slots

FLASH = "/flash"
LARGEST = {
    "node": ("lib.mqtt", "lib.spool", "node.sampling", "sim.board", "node.sending", "lib.device"),
    "actuator": ("lib.mqtt", "sim.board", "actuator.app"),
}
# A crash on a board is followed by the boot's own time.
PAUSE_S = {"reboot": 0, "update": 0}


def compile_largest(config: dict) -> None:
    """Compile from source, which a board never does, in an order that leaves room for the next."""
    for name in LARGEST[config["kind"]]:
        __import__(name)
        gc.collect()
    from lib.drivers import FOLDER, driver

    for sensor in config.get("sensors", ()):
        try:
            driver(sensor["type"], sensor["bus"], FLASH + FOLDER)
        except Exception:  # the application says what is wrong with it
            sys.modules.pop(sensor["type"], None)
        gc.collect()


def boot(config: dict, cause: str) -> str:
    """Run one boot, from the flash to the end of the application; return its cause."""
    slots = Slots(FLASH)
    sys.path[:0] = slots.begin()
    try:
        compile_largest(config)
        from lib.start import run
        from sim.board import Board

        gc.collect()

        return run(config, Board(config, cause, slots))
    except Exception as error:  # of an application that can't even be imported
        sys.print_exception(error)
        return "crash"


def main() -> int:
    """Run the device of the configuration file; a reboot or a crash begins it anew, as a watchdog would."""
    if len(sys.argv) != 2:
        print("usage: micropython -X heapsize=128k firmware/sim/main.py CONFIG.json")
        return 2
    with open(sys.argv[1]) as file:
        config = json.load(file)
    path, modules = list(sys.path), list(sys.modules)
    cause = "power"
    while True:
        mount(config["sim"], FLASH)
        cause = boot(config, cause)
        vfs.umount(FLASH)
        sys.path[:] = path
        for name in [name for name in sys.modules if name not in modules]:
            del sys.modules[name]
        gc.threshold(-1)
        gc.collect()
        time.sleep(PAUSE_S.get(cause, config["sim"].get("crash_s", 2)))


if __name__ == "__main__":
    sys.exit(main())
