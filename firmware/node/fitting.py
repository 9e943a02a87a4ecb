"""Sensors as the configuration names them: their drivers, and the columns of a row that are theirs; and who
watches the rows."""

import os

from lib.seldom import call
from micropython import const

# Of what two sensors measure, these stand as two channels; of the rest the first sensor's stands alone.
_CHANNELS = const(("pm25", "pm10"))
_MODEL = const("%s/%s/model")


def drivers(entries: list, board: object, troubles: dict) -> list:
    """Return the entries' drivers; where one can't be had, `Missing` and its trouble."""
    made = []
    for entry in entries:
        kind, name = entry["type"], entry["bus"]
        try:
            driver = call("lib.drivers", "driver", kind, name, board.flash + "/drivers")
            bus = board.bus(name.rstrip("0123456789"), name, getattr(driver, "baud", 9600))
            made.append(driver(bus, board.ticks, **entry.get("options", {})))
        except MemoryError:
            raise
        except Exception as error:  # one's own file may raise anything; the other sensors go on
            from lib.missing import Missing
            from node.sampling import describe

            troubles[entry["serial"]] = describe(error)
            made.append(Missing())
    return made


def name_columns(sensors: list) -> list:
    """Return the names of each sensor's columns, None where one isn't kept."""
    every = [name for columns in sensors for name, _ in columns]
    named = []
    at = 0
    for columns in sensors:
        names = []
        for name, _ in columns:
            n = every[:at].count(name)
            at += 1
            if name in _CHANNELS and every.count(name) > 1:
                names.append(name + "_" + "ab"[n] if n < 2 else None)
            else:
                names.append(None if n else name)
        named.append(names)
    return named


def watch(node: object) -> object | None:
    """Return what looks ahead from each row; None without a model on the flash: the running slot's, or the
    cable's."""
    slots = node.board.slots
    for folder in (slots.running or ".", "."):
        path = _MODEL % (slots.root, folder)
        try:
            os.stat(path)
        except OSError:
            continue
        return call("node.outlook", "begin", node, path)
    return None
