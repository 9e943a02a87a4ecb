"""Sensirion's SHDLC: frames between two 7E, four bytes stuffed, an inverted sum at the end."""

from micropython import const

_END = const(0x7E)
_ESCAPE = const(0x7D)
STUFFED = {0x7E: b"\x7d\x5e", 0x7D: b"\x7d\x5d", 0x11: b"\x7d\x31", 0x13: b"\x7d\x33"}
_LONGEST = const(264)


def checksum(data: bytes | bytearray) -> int:
    """Return the inverted low byte of the sum."""
    return ~sum(data) & 0xFF


def frame(command: int, data: bytes = b"") -> bytes:
    """Return a request to address 0."""
    body = bytes((0, command, len(data))) + data
    out = bytearray((_END,))
    for byte in body + bytes((checksum(body),)):
        out += STUFFED.get(byte) or bytes((byte,))
    out.append(_END)
    return bytes(out)


class Responses:
    """The parser: bytes in, (command, state, data) out; finds the next frame after noise."""

    def __init__(self) -> None:
        self.checksum = 0
        self._body = bytearray()
        self._escaped = False

    def feed(self, data: bytes) -> list:
        """Return every response completed by `data`."""
        found: list = []
        for byte in data:
            if byte == _END:
                self._finish(found)
            elif byte == _ESCAPE:
                self._escaped = True
            elif len(self._body) < _LONGEST:
                self._body.append(byte ^ 0x20 if self._escaped else byte)
                self._escaped = False
        return found

    def _finish(self, found: list) -> None:
        body, self._body, self._escaped = self._body, bytearray(), False
        if not body:
            return
        if len(body) >= 5 and len(body) == body[3] + 5 and checksum(body[:-1]) == body[-1]:
            found.append((body[1], body[2], bytes(body[4:-1])))
        else:
            self.checksum += 1
