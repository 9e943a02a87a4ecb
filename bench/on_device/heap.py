"""Run on MicroPython: the simulated board, with the heap looked at wherever the node writes or sends."""

import gc
import sys

import vfs

vfs.mount(vfs.VfsPosix(sys.argv.pop(1)), "/w")
sys.path[:0] = ["/w", "/w/boot"]
gc.collect()
empty = gc.mem_alloc()
# A device has it too.
import asyncio.event
import asyncio.funcs
import asyncio.stream  # noqa: F401 (all three: loaded here to be looked at alone)

gc.collect()
own = gc.mem_alloc() - empty
peak = [0]


def look() -> None:
    """Note the heap's allocation, garbage and all, if it is the highest so far."""
    peak[0] = max(peak[0], gc.mem_alloc())


def looking(function: object) -> object:
    """Return the function, with a look before and behind it."""

    def wrapped(*arguments: object) -> object:
        look()
        result = function(*arguments)
        look()
        return result

    return wrapped


def watch() -> None:
    """Look around the spool's and the connection's work, and tell each new peak."""
    from lib.mqtt import Client
    from lib.spool import Spool

    for kind, names in ((Spool, ("_write", "read")), (Client, ("send", "_publish", "_put", "_take"))):
        for name in names:
            if hasattr(kind, name):
                setattr(kind, name, looking(getattr(kind, name)))
    send = Client.send

    def told(self: object, topic: str, *rest: object) -> None:
        send(self, topic, *rest)
        if topic.endswith("/obs"):
            print("peak", peak[0])
            gc.collect()
            print("live", gc.mem_alloc())

    Client.send = told


from sim import power

# The boot clears what was imported after this.
boot = power.boot


def watched(config: dict, cause: str) -> str:
    """Run a boot whose modules are watched."""
    watch()
    return boot(config, cause)


import sim.board  # noqa: F401 (before the look: what stands in for a board is not the application's)

gc.collect()
print("base", gc.mem_alloc() - own)
power.boot = watched
power.main()
