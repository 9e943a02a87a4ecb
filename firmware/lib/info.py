"""What a device says of itself: `info`."""

import binascii
import gc
import sys

from lib.device import VERSION
from micropython import const

# Facts about the wiring, secrets, and what `info` tells otherwise are not what the gateway compares.
_UNHASHED = const(("sim", "user", "password", "brokers", "update_key", "wifi", "tls", "pins", "built"))


def config_hash(config: dict) -> str:
    """Return 8 hex digits that change when the configuration does."""
    facts = ["%s=%r" % (name, config[name]) for name in sorted(config) if name not in _UNHASHED]
    return "%08x" % binascii.crc32("\n".join(facts).encode())


def facts(device: object) -> tuple:
    """Return the facts of every device, then the application's own."""
    gc.collect()
    board, client, config, turns = device.board, device.client, device.config, device.board.turns
    return (
        ("app", VERSION),
        ("mpy", "%d.%d.%d" % sys.implementation.version[:3]),
        ("kind", config["kind"]),
        ("chip", board.chip),
        ("config", config_hash(config)),
        ("cause", board.cause),
        ("failures", board.failures),
        ("crash", board.crash),
        ("wifi", board.wifi.told() if board.wifi else None),
        ("turn", turns["turn"]),
        ("turning", turns["turning"]),
        ("turned", turns["turned"]),
        ("trusts", client.authorities),
        ("ca", client.ca),
        ("broker", client.broker),
        ("heap", gc.mem_free()),
        ("rssi", board.rssi()),
        ("supply", board.supply()),
        ("up", device.clock.up()),
        ("connections", client.connections),
        ("oversize", client.oversize),
        ("denied", client.denied),
        ("malformed", device.malformed),
    ) + device.describe()
