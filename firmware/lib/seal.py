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


def mac(key: bytes, data: object) -> bytes:
    """HMAC-SHA256 (RFC 2104) of the joined parts; the key has at most 64 bytes."""
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key))
    for piece in data:
        inner.update(piece)
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in key))
    outer.update(inner.digest())
    return outer.digest()


def holds(key: bytes, data: object, text: str) -> bool:
    """Return whether `text` is the joined parts' seal, in hex; ValueError or TypeError where it is none."""
    return same(mac(key, data), binascii.unhexlify(text))


def same(data: bytes, text: bytes) -> bool:
    """Compare in a time that doesn't tell where they differ."""
    different = len(data) ^ len(text)
    for a, b in zip(data, text):
        different |= a ^ b
    return not different
