"""A client that says and hears exactly what a test wants, over MQTT 3.1.1 in a few bytes."""

import socket
import struct
from types import TracebackType
from typing import Self

PATIENCE_S = 10.0
CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 1, 2, 3, 8, 9, 12, 13
REFUSED = 0x80


class Refused(Exception):
    """The broker doesn't let this user in."""


def text(words: str) -> bytes:
    return struct.pack(">H", len(words)) + words.encode()


class Client:
    """One connection with user and password. Raises `Refused`."""

    def __init__(self, port: int, user: str, password: str, name: str = "") -> None:
        self._link = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._link.makefile("rb")
        self._number = 0
        self.heard: list[tuple[str, bytes]] = []
        body = text("MQTT") + b"\x04\xc2\x00\x00" + text(name) + text(user) + text(password)
        self._send(CONNECT, 0, body)
        kind, answer = self._take()
        if kind != CONNACK or answer[1]:
            self.close()
            raise Refused(user)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._link.close()

    def subscribe(self, topic: str) -> bool:
        """Whether the broker says that it will deliver."""
        self._number += 1
        self._send(SUBSCRIBE, 2, struct.pack(">H", self._number) + text(topic) + b"\0")
        return self._until(SUBACK)[2] != REFUSED

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 0 and wait until the broker has judged it; False where it ends the connection."""
        self._send(PUBLISH, 0, text(topic) + payload)
        return self.lives()

    def lives(self) -> bool:
        """Whether the broker still answers on this connection; what it delivers before stands in `heard`."""
        try:
            self._send(PINGREQ, 0, b"")
            self._until(PINGRESP)
        except (ConnectionError, EOFError):
            return False
        return True

    def hear(self, topic: str, payload: bytes) -> None:
        """Wait until this has come."""
        while (topic, payload) not in self.heard:
            self._note(*self._take())

    def _until(self, wanted: int) -> bytes:
        while True:
            kind, body = self._take()
            if kind == wanted:
                return body
            self._note(kind, body)

    def _note(self, kind: int, body: bytes) -> None:
        assert kind == PUBLISH, kind
        size = struct.unpack(">H", body[:2])[0]
        self.heard.append((body[2 : 2 + size].decode(), body[2 + size :]))

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        size, digits = len(body), b""
        while size > 127:
            digits += bytes([size % 128 + 128])
            size //= 128
        self._link.sendall(bytes([kind << 4 | flags]) + digits + bytes([size]) + body)

    def _take(self) -> tuple[int, bytes]:
        head = self._read(1)[0]
        size = shift = 0
        while True:
            digit = self._read(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return head >> 4, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError("the broker ended the connection")
        return data
