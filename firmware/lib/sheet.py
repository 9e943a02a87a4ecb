"""A page of fixed size on which packets are written: made once, so that a fragmented heap can't refuse it."""


class Full(Exception):
    """What was to be written doesn't fit."""


class Sheet:
    """A bytearray and the position behind what is written."""

    def __init__(self, size: int) -> None:
        self.buf = bytearray(size)
        self.end = 0

    def put(self, data: bytes) -> None:
        """Append bytes; raise Full."""
        end = self.end + len(data)
        if end > len(self.buf):
            raise Full
        self.buf[self.end : end] = data
        self.end = end

    def text(self) -> bytes:
        """Return a copy of what is written."""
        return bytes(memoryview(self.buf)[: self.end])
