"""The sensors a node knows: type and kind of bus to module and class. One's own is a file on the node."""

import os
import sys

FOLDER = "/drivers"
PLANTOWER = ("lib.pms5003", "PMS5003")
SCD = ("lib.scd4x", "SCD4x")
SHT = ("lib.sht4x", "SHT4x")
DRIVERS = {
    "pms5003": {"uart": PLANTOWER},
    "pms7003": {"uart": PLANTOWER},
    "sds011": {"uart": ("lib.sds011", "SDS011")},
    "sps30": {"uart": ("lib.sps30", "SPS30"), "i2c": ("lib.sps30", "SPS30I2C")},
    "scd4x": {"i2c": SCD},
    "scd40": {"i2c": SCD},
    "scd41": {"i2c": SCD},
    "sht4x": {"i2c": SHT},
    "sht40": {"i2c": SHT},
    "sht41": {"i2c": SHT},
    "sht45": {"i2c": SHT},
}


class UnknownSensor(Exception):
    """The configuration names a sensor type without a driver, or a bus that it doesn't hang on."""


def bus_kind(name: str) -> str:
    """Return the kind of the bus `uart1`, `i2c1`."""
    return name.rstrip("0123456789")


def driver(kind: str, bus: str, folder: str = FOLDER) -> type:
    """Import and return the driver class of a sensor type: `Driver` of the file FOLDER/KIND.py where there
    is one, else the table's; raise UnknownSensor, and whatever one's own file raises."""
    own = kind.replace("-", "_")
    if _is_there(folder, own + ".py") or _is_there(folder, own + ".mpy"):
        if folder not in sys.path:
            sys.path.append(folder)
        return __import__(own).Driver
    if kind not in DRIVERS:
        known = ", ".join(sorted(DRIVERS))
        raise UnknownSensor("sensor type %s: known are %s, and files in %s" % (kind, known, folder))
    if bus_kind(bus) not in DRIVERS[kind]:
        raise UnknownSensor("a %s hangs on %s, not on %s" % (kind, " or ".join(DRIVERS[kind]), bus))
    module, name = DRIVERS[kind][bus_kind(bus)]
    return getattr(__import__(module, None, None, (name,)), name)


def _is_there(folder: str, name: str) -> bool:
    try:
        os.stat(folder + "/" + name)
    except OSError:
        return False
    return True
