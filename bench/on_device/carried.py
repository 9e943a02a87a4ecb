"""Run on the emulated Cortex-M3, behind `cortex`: a node with a model looks ahead."""

import gc

import psram
from lib.seldom import call

# As a node collects.
GARBAGE = 6144


def used() -> int:
    """Return what is left after a collection."""
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


def foresee(node: object) -> None:
    """Give the node a model and two hours of minutes, and have it look ahead twice; print the figures."""
    before = used()
    one = call("node.outlook", "begin", node, "/carried")
    print("carrying", used() - before)
    one._look = abs
    row = [500] * len(node.sensors.columns)
    for n in range(720):
        one.take(10 * n, row)
    peak = []
    node.device.publish = lambda name, facts: peak.append(gc.mem_alloc())
    held = used()
    gc.threshold(GARBAGE)
    call("node.forecast", "say", one, 7190)
    print("forecast", peak[0] - held)
    gc.collect()
    gc.disable()
    psram.start_timer()
    call("node.forecast", "say", one, 7190)
    ticks = psram.elapsed()
    gc.enable()
    print("foreseen", ticks * 40)
