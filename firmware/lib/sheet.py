"""Where bytes are written: a page of fixed size, and a pipe whose page is sent whenever it is full."""


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


class Pipe:
    """Bytes of a packet: counted while `to` is None, then passed to it in pieces of one page."""

    def __init__(self, size: int) -> None:
        self.to: object = None
        self.total = 0
        self._buf = bytearray(size)
        self._end = 0

    def put(self, data: bytes) -> None:
        """Count or pass on bytes."""
        n = len(data)
        self.total += n
        if self.to:
            if self._end + n > len(self._buf):
                self.flush()
            if n > len(self._buf):
                self.to(data)
            else:
                self._buf[self._end : self._end + n] = data
                self._end += n

    def flush(self) -> None:
        """Pass on what is left."""
        if self._end:
            self.to(memoryview(self._buf)[: self._end])
        self._end = 0
