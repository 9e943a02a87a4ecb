"""JSON of the wire: keys in their given order, numbers from scaled integers, so that no float adds its noise."""

import json

MAX_ROWS = 60
MAX_BYTES = 8192


class Scaled:
    """A number kept as an integer: value / scale, where scale is 1, 10 or 100."""

    def __init__(self, value: int, scale: int) -> None:
        self.value = value
        self.scale = scale


def decimal(value: int | None, scale: int) -> bytes:
    """Render value / scale exactly, `null` for None."""
    if value is None:
        return b"null"
    if scale == 1:
        return b"%d" % value
    sign = b"-" if value < 0 else b""
    whole, part = divmod(abs(value), scale)
    if not part:
        return b"%s%d" % (sign, whole)
    return b"%s%d.%s" % (sign, whole, (b"%02d" % part if scale == 100 else b"%d" % part).rstrip(b"0"))


def put(out: bytearray, value: object) -> None:
    """Append one value to `out`; an object is a tuple of (key, value) pairs."""
    if isinstance(value, tuple):
        _object(out, value)
    elif isinstance(value, list):
        _array(out, value)
    elif isinstance(value, Scaled):
        out.extend(decimal(value.value, value.scale))
    else:
        out.extend(json.dumps(value).encode())


def _object(out: bytearray, pairs: tuple) -> None:
    mark = b"{"
    for key, value in pairs:
        out.extend(mark)
        out.extend(b'"%s":' % key.encode())
        put(out, value)
        mark = b","
    out.extend(b"}" if mark == b"," else b"{}")


def _array(out: bytearray, values: list) -> None:
    out.extend(b"[")
    for i, value in enumerate(values):
        if i:
            out.extend(b",")
        put(out, value)
    out.extend(b"]")


def text(pairs: tuple) -> bytearray:
    """Render an object given as (key, value) pairs."""
    out = bytearray()
    put(out, pairs)
    return out


def batch(log: str, batch: object) -> bytearray:
    """Render a batch of the spool as the payload of `obs`."""
    out = text((
        ("log", log), ("seq", batch.seq), ("boot", batch.boot),
        ("up", batch.up), ("t0", batch.t0), ("dt", batch.dt),
    ))
    out[-1:] = b""
    for column, (name, scale) in enumerate(batch.columns):
        out.extend(b',"%s":[' % name.encode())
        for i, row in enumerate(batch.rows):
            if i:
                out.extend(b",")
            out.extend(decimal(row[column], scale))
        out.extend(b"]")
    out.extend(b"}")
    return out
