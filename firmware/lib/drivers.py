"""The sensors a node knows: type and kind of bus to module and class. One's own is a file on the node."""

import os
import sys

# A text takes a tenth of a dictionary's memory, and is read at start alone.
TABLE = """\
pms5003 uart lib.pms5003 PMS5003
pms7003 uart lib.pms5003 PMS5003
sds011 uart lib.sds011 SDS011
sps30 uart lib.sps30 SPS30
sps30 i2c lib.sps30_i2c SPS30I2C
scd4x i2c lib.scd4x SCD4x
scd40 i2c lib.scd4x SCD4x
scd41 i2c lib.scd4x SCD4x
sht4x i2c lib.sht4x SHT4x
sht40 i2c lib.sht4x SHT4x
sht41 i2c lib.sht4x SHT4x
sht45 i2c lib.sht4x SHT4x
"""


class UnknownSensor(Exception):
    """The configuration names a sensor type without a driver, or a bus that it doesn't hang on."""


def driver(kind: str, bus: str, folder: str = "/drivers") -> type:
    """Import and return the driver class of a sensor type: `Driver` of KIND.py in the folder where there
    is one, else the table's; raise UnknownSensor, and whatever one's own file raises."""
    own = kind.replace("-", "_")
    try:
        files = os.listdir(folder)
    except OSError:  # there are none of one's own
        files = []
    if own + ".py" in files or own + ".mpy" in files:
        if folder not in sys.path:
            sys.path.append(folder)
        return __import__(own).Driver
    module, name = _row(kind, bus.rstrip("0123456789"), folder)
    return getattr(__import__(module, None, None, (name,)), name)


def _row(kind: str, bus: str, folder: str) -> list:
    """Return module and class of the table's row."""
    rows = [line.split() for line in TABLE.splitlines()]
    of_type = [row for row in rows if row[0] == kind]
    for row in of_type:
        if row[1] == bus:
            return row[2:]
    if of_type:
        raise UnknownSensor("a %s hangs on %s, not on %s" % (kind, " or ".join(r[1] for r in of_type), bus))
    known = ", ".join(row[0] for row in rows)
    raise UnknownSensor("sensor type %s: known are %s, and files in %s" % (kind, known, folder))
