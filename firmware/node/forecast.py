"""One forecast of a node's own model: the model is loaded, asked, and let go; the forecast is published."""

import binascii
import hashlib
import json

from lib.seldom import call
from lib.wire import Scaled
from micropython import const

# Minutes of the past that the gateway's forecasts may see, and so a model's.
_MOST_CELLS = const(128)
_MOST_BYTES = const(8192)
# A forecast that three newer ones should have replaced is void.
_TTL_S = const(180)
_YEAR_S = const(31556952)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_BYTES + 1)


def _name(data: bytes) -> str:
    """Return the id by which the gateway knows a model, too."""
    return binascii.hexlify(hashlib.sha256(data).digest()[:8]).decode()


def sight(path: str) -> tuple:
    """Return a model's id, how many minutes it looks back, and its columns; raise ValueError."""
    data = _read(path)
    columns, unit_s, depth = call("lib.predict", "sight", data)
    if len(data) > _MOST_BYTES or unit_s != 60 or depth > _MOST_CELLS:
        raise ValueError("not for minutes of a room")
    return _name(data), depth, columns


def say(outlook: object, up: int) -> None:
    """Publish what the model says at uptime `up` [s], that of the newest row."""
    device, data = outlook.device, _read(outlook.path)
    utc = device.clock.at(up)
    clock = calendar(outlook.path, utc) if utc is not None else None
    found = call("lib.predict", "ahead", data, outlook.cells, clock)
    if found:
        device.publish("forecast", facts(utc, max(_TTL_S, 3 * outlook.dt), _name(data), found))


def facts(utc: int | None, ttl: int, model: str, found: tuple) -> tuple:
    """Return the message: one value a horizon in each list."""
    quantity, bits, said = found
    number = [[_hundredths(one[i], bits) for one in said] for i in (1, 2, 3)]
    return (
        ("issued", utc),
        ("ttl", ttl),
        ("model", model),
        ("quantity", quantity),
        ("ahead", [one[0] for one in said]),
        ("value", number[0]),
        ("lower", number[1]),
        ("upper", number[2]),
        ("warn", [one[5] if one[4] is not None else None for one in said]),
    )


def _hundredths(value: int, bits: int) -> Scaled:
    return Scaled((200 * value + (1 << bits)) >> (bits + 1) if bits >= 0 else 100 * value << -bits, 100)


def calendar(path: str, utc: int) -> tuple | None:
    """Return the local minute of the day, the kind of the day and the place in the year, from the calendar
    beside the model; None without one."""
    try:
        with open(path + ".json") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return None
    offset = facts["zone"][0][1]
    for since, seconds in facts["zone"]:
        if since <= utc:
            offset = seconds
    local = utc // 60 * 60 + offset
    day = local // 86400
    weekday = (day + 3) % 7
    kind = 2 if weekday == 6 or day in facts["rest"] else 1 if weekday == 5 else 0
    return local % 86400 // 60, kind, local % _YEAR_S * 1440 // _YEAR_S
