"""JSON of the wire: keys in their order, numbers from scaled integers, so that no float adds noise."""

import json

from lib.sheet import Full, Sheet

MAX_ROWS = 60


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


def put(sheet: Sheet, value: object) -> None:
    """Write one value; an object is a tuple of (key, value) pairs."""
    if isinstance(value, tuple):
        _object(sheet, value)
    elif isinstance(value, list):
        _array(sheet, value)
    elif isinstance(value, Scaled):
        sheet.put(decimal(value.value, value.scale))
    else:
        sheet.put(json.dumps(value).encode())


def _object(sheet: Sheet, facts: tuple) -> None:
    sheet.put(b"{")
    _pairs(sheet, facts)
    sheet.put(b"}")


def _pairs(sheet: Sheet, facts: tuple) -> None:
    mark = b'"%s":'
    for key, value in facts:
        sheet.put(mark % key.encode())
        put(sheet, value)
        mark = b',"%s":'


def _array(sheet: Sheet, values: list) -> None:
    sheet.put(b"[")
    for i, value in enumerate(values):
        if i:
            sheet.put(b",")
        put(sheet, value)
    sheet.put(b"]")


def text(facts: tuple, size: int = 128) -> bytes:
    """Return an object given as (key, value) pairs, on a page that is no larger than it must."""
    while True:
        out = Sheet(size)
        try:
            put(out, facts)
        except Full:
            size *= 2
            continue
        return out.text()


def batch(sheet: Sheet, log: str, batch: object) -> None:
    """Write a batch of the spool as the payload of `obs`."""
    sheet.put(b"{")
    _pairs(
        sheet,
        (
            ("log", log),
            ("seq", batch.seq),
            ("boot", batch.boot),
            ("up", batch.up),
            ("t0", batch.t0),
            ("dt", batch.dt),
        ),
    )
    values = batch.values()
    for name, scale in batch.columns:
        sheet.put(b',"%s":[' % name.encode())
        for i in range(batch.count):
            if i:
                sheet.put(b",")
            sheet.put(decimal(next(values), scale))
        sheet.put(b"]")
    sheet.put(b"}")
