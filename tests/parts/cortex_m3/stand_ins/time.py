"""Time that passes only by waiting for it."""

_now = 0


def ticks_ms() -> int:
    """Return the milliseconds that somebody has waited for."""
    return _now


def ticks_us() -> int:
    """Return the same in microseconds, as far as a small integer goes."""
    return _now * 1000 & 0x3FFFFFFF


def ticks_add(moment: int, delay: int) -> int:
    """Return a later tick."""
    return (moment + delay) & 0x3FFFFFFF


def ticks_diff(later: int, earlier: int) -> int:
    """Return later minus earlier."""
    return ((later - earlier + 0x20000000) & 0x3FFFFFFF) - 0x20000000


def sleep_ms(ms: int) -> None:
    """Let time pass."""
    global _now
    _now = (_now + ms) & 0x3FFFFFFF


def time() -> int:
    """Return the seconds that have passed."""
    return _now // 1000
