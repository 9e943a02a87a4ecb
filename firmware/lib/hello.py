"""How a connection to a broker begins: CONNECT and its answer."""

import struct

from lib.mqtt import packet, text
from micropython import const

_REFUSALS = const(
    (
        "",
        "protocol version",
        "client id",
        "server unavailable",
        "user name or password",
        "not authorised",
    )
)


def connect(client: object) -> bytes:
    """Return the CONNECT packet: clean session, last will of QoS 1, retained."""
    user, password = client.login
    topic, payload = client.will
    flags = 0x2E | (0x80 if user else 0) | (0x40 if password else 0)
    data = text("MQTT") + struct.pack(">BBH", 4, flags, client.keepalive)
    for part in (client.identity, topic, payload, user, password):
        if part:
            data += text(part)
    return packet(0x10, data)


def refusal(data: bytes) -> str:
    """Return why the broker refuses, "" when it doesn't."""
    if data[:2] != b"\x20\x02":
        return "no CONNACK"
    return _REFUSALS[data[3]] if data[3] < len(_REFUSALS) else "no CONNACK"
