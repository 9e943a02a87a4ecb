"""An I2C bus over TCP to the virtual world."""

import errno

from micropython import const
from sim.board import Wire

_ANSWER_S = const(2)


class NotAcknowledged(OSError):
    """The world said N."""


class I2C:
    """An I2C bus whose devices are in the world; OSError where nobody acknowledges."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def writeto(self, address: int, data: bytes) -> None:
        """Write to a device."""
        self._ask(b"W", address, len(data), data)

    def readfrom(self, address: int, size: int) -> bytes:
        """Read from a device."""
        return self._ask(b"R", address, size, b"", size)

    def _ask(self, op: bytes, address: int, size: int, data: bytes, answer: int = 0) -> bytes:
        line = self._wire.socket()
        if not line:
            raise OSError(errno.ENODEV)
        try:
            line.settimeout(_ANSWER_S)
            line.write(op + bytes((address, size >> 8, size & 255)) + data)
            if self._exactly(line, 1) != b"A":
                raise NotAcknowledged(errno.ENODEV)
            return self._exactly(line, answer)
        except NotAcknowledged:
            raise
        except OSError:
            self._wire.lost()
            raise

    def _exactly(self, line: object, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = line.recv(n - len(data))
            if not part:
                raise OSError(errno.ECONNRESET)
            data += part
        return data
