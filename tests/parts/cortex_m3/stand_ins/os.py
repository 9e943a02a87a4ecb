"""The port's os, and what it lacks."""

from uos import *  # noqa: F403

environ = {}
_state = 91


def urandom(n: int) -> bytes:
    """Return n bytes that differ from call to call, the same ones in each run."""
    global _state
    drawn = bytearray(n)
    for i in range(n):
        _state = (_state * 1103515 + 12345) & 0x3FFFFFFF
        drawn[i] = _state >> 16 & 255
    return bytes(drawn)


def getenv(name: str) -> str | None:
    """Return what the test has set."""
    return environ.get(name)
