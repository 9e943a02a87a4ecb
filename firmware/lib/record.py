"""Records of a spool segment: kind, length, payload, checksum; rows as differences in a few bytes."""

import binascii
import struct

DAMAGED, OPEN, ROW, CLOSE = 0, 1, 2, 3


def pack_row(row: list, last: list | None) -> bytearray:
    """Pack a row of integers and None as differences to the row before; 1 byte for one within ±63."""
    out = bytearray()
    for i, value in enumerate(row):
        if value is None:
            out.append(0)
            continue
        n = value - (last[i] or 0) if last else value
        n = (n << 1 if n >= 0 else ~(n << 1)) + 1
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        out.append(n)
    return out


def _sum(data: bytes, salt: int) -> int:
    return binascii.crc32(data, salt) & 0xFFFF


def frame(kind: int, payload: bytes | bytearray, salt: int) -> bytes:
    """Return the record; the salt is the log's id: an erased log's bytes never pass for this one's."""
    body = bytes((kind, len(payload))) + payload
    return body + struct.pack("<H", _sum(body, salt))


def records(file: object, salt: int):
    """Yield (kind, payload) to the end of the file; (DAMAGED, b"") once for bytes that are no record."""
    start = file.tell()
    damaged = False
    while True:
        head = file.read(2)
        if len(head) < 2:
            return
        body = file.read(head[1] + 2)
        payload = body[:-2]
        if len(body) == head[1] + 2 and _sum(head + payload, salt) == body[-2] | body[-1] << 8:
            start += 2 + len(body)
            damaged = False
            yield head[0], payload
            continue
        if not damaged:
            yield DAMAGED, b""
        damaged = True
        start += 1
        file.seek(start)
