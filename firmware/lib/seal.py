"""The network's seal on a message: HMAC with the device's own key."""

import binascii
import hashlib


def key(config: dict, root: str) -> bytes:
    """Return the device's update key; OSError where it has none."""
    text = config.get("update_key")
    if not text:
        with open(root + "/update.key") as file:
            text = file.read()
    return binascii.unhexlify(text.strip())


def mac(key: bytes, parts: object) -> bytes:
    """HMAC-SHA256 (RFC 2104) of the joined parts; the key has at most 64 bytes."""
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key))
    for part in parts:
        inner.update(part)
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key))
    outer.update(inner.digest())
    return outer.digest()


def holds(key: bytes, parts: object, code: str) -> bool:
    """Return whether `code` is the parts' seal, in hex; ValueError or TypeError where it is none at all."""
    return same(mac(key, parts), binascii.unhexlify(code))


def same(one: bytes, other: bytes) -> bool:
    """Compare in a time that doesn't tell where they differ."""
    different = len(one) ^ len(other)
    for a, b in zip(one, other):
        different |= a ^ b
    return not different
