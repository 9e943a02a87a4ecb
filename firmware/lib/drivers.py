"""The sensors a node knows: type to driver module, class, kind of bus. A new one is a file and a row."""

DRIVERS = {
    "pms5003": ("lib.pms5003", "PMS5003", "uart"),
    "pms7003": ("lib.pms5003", "PMS5003", "uart"),
    "scd4x": ("lib.scd4x", "SCD4x", "i2c"),
}


class UnknownSensor(Exception):
    """The configuration names a sensor type without a driver."""


def driver(kind: str) -> type:
    """Import and return the driver class of a sensor type."""
    if kind not in DRIVERS:
        raise UnknownSensor("sensor type %s: known are %s" % (kind, ", ".join(sorted(DRIVERS))))
    module, name, _ = DRIVERS[kind]
    return getattr(__import__(module, None, None, (name,)), name)
