"""What a node adds to `info`: its sensors, its spool, its updates, its model."""

from lib.seldom import call
from lib.wire import Scaled


def facts(node: object) -> tuple:
    """Return the node's own facts."""
    spool, sensors, watch = node.spool, node.sensors, node.sampler.watch
    up = node.device.clock.up()
    return (
        (
            ("sensors", [_sensor(sensors, i, up) for i in range(len(sensors.entries))]),
            ("log", spool.log),
            ("first", spool.first),
            ("next", spool.end),
            ("cursor", spool.cursor),
            ("boot", spool.boot),
            ("dropped", spool.dropped),
            ("damaged", spool.damaged),
            ("late", node.sampler.late),
            ("busy", node.sender.busy),
        )
        + call("lib.release", "described", node.board.slots)
        + (watch.facts() if watch else ())
    )


def _sensor(sensors: object, i: int, up: int) -> tuple:
    entry = sensors.entries[i]
    serial = entry["serial"]
    trouble = sensors.troubles.get(serial)
    return (
        ("type", entry["type"]),
        ("serial", serial),
        ("hours", Scaled(sensors.ran(serial, up), 10)),
        ("errors", sensors.drivers[i].errors()),
    ) + ((("error", trouble),) if trouble else ())
