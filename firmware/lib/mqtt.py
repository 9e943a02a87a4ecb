"""MQTT 3.1.1 for one device: clean session, last will, QoS 1 out, QoS 0 in.

The protocol raises OSError wherever a connection ends; `run` alone catches it and connects again.
"""

import asyncio
import os
import struct

from lib import ticks as tick
from lib.seldom import call
from lib.sheet import Pipe
from micropython import const

_CONNECT_S = const(15)
_ACK_MS = const(20000)
_BACKOFF_MS = const(500)
_BACKOFF_MAX_MS = const(30000)
# A packet leaves in pieces of this.
_PIECE = const(512)
_BRIEF_MS = const(3000)
_UNHEARD = const("may this user speak here?")


class Refused(OSError):
    """The broker has answered CONNECT with a refusal, or its certificate isn't believed."""


def text(value: str | bytes) -> bytes:
    """Return a string as MQTT writes it."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def _head(kind: int, size: int) -> bytes:
    head = bytearray((kind,))
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head)


def packet(kind: int, data: bytes) -> bytes:
    """Return a packet with its header."""
    return _head(kind, len(data)) + data


class Client:
    """The connection to the first broker of the list that answers; `arrived(topic, payload)` hears every
    message, whose payload stands only until it returns.

    Where there are `authorities`, it goes over TLS with the context `tls(authority)`, one after the other, so
    that `ca` is the one that has proved the broker.
    """

    def __init__(
        self, identity: str, brokers: list, login: tuple, will: tuple, arrived: object, size: int = 2048
    ) -> None:
        self.identity = identity
        self.brokers = brokers
        self.login = login
        self.will = will
        self.arrived = arrived
        self.subscriptions: list = []
        self.joined: list = []
        self.authorities: list = []
        self.tls: object = None
        self.ca: str | None = None
        self.broker: str | None = None
        self.network: object = None
        self.astray: object = None
        self.keepalive = 60
        self.connected = False
        self.connections = 0
        self.oversize = 0
        self.denied = 0
        self.last_error = ""
        self._ticks = tick.Ticks()
        self._pipe = Pipe(_PIECE)
        self._in = memoryview(bytearray(size))
        self._stream: object = None
        self._since = 0
        self._busy = False
        self._out: list = []
        self._pending = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._acks: dict = {}
        self._pid = 0
        self._heard = 0

    def send(self, topic: str, fill: object, retain: bool = False, acked: object = None) -> None:
        """Publish at QoS 1 what `fill(sheet)` writes, twice the same, or the bytes `fill`; OSError without a
        connection. `acked(True)` follows its PUBACK, `acked(False)` the end of the connection before it.
        """
        if not self.connected:
            raise OSError("not connected")
        self._pid = self._pid % 65535 + 1
        pipe = self._pipe
        pipe.to = None
        pipe.total = 0
        self._publish(topic, fill)
        self._acks[self._pid] = (self._ticks.now(), acked)
        pipe.to = self._put
        try:
            pipe.put(_head(0x32 | retain, pipe.total))
            self._publish(topic, fill)
            pipe.flush()
        except Exception as error:  # half a packet is no packet
            self._end(OSError(str(error)))
            raise

    def _publish(self, topic: str, fill: object) -> None:
        self._pipe.put(text(topic))
        self._pipe.put(struct.pack(">H", self._pid))
        fill(self._pipe) if callable(fill) else self._pipe.put(fill)

    async def run(self) -> None:
        """Stay connected for ever, whatever the network does."""
        failures = 0
        while True:
            host, port = self.brokers[failures % len(self.brokers)]
            before = self.connections
            brief = True
            try:
                await self._session(host, port)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                # A broker that lets in whom it won't hear ends each connection at once.
                brief = self.connections == before or tick.diff(self._ticks.now(), self._since) < _BRIEF_MS
                self.last_error = "%s:%s: %r" % (host, port, error)
                print("broker", self.last_error, _UNHEARD if brief and self.connections > before else "")
            failures = failures + 1 if brief else 0
            if failures and self.astray and not failures % len(self.brokers):
                await self.astray(failures // len(self.brokers))
            await asyncio.sleep_ms(self._pause(failures // len(self.brokers)))

    def _pause(self, failures: int) -> int:
        longest = min(_BACKOFF_MAX_MS, _BACKOFF_MS << min(failures, 6))
        return longest * (128 + os.urandom(1)[0] // 2) // 256

    async def _session(self, host: str, port: int) -> None:
        """Connect and live until the connection ends, which raises."""
        if self.network:
            await self.network()
        stream = await self._reach(host, port)
        self.broker = "%s:%d" % (host, port)
        tasks = [asyncio.create_task(self._until_it_ends(work(stream))) for work in (self._read, self._write)]
        try:
            self._join(stream)
            await self._watch()
        finally:
            for task in tasks:
                task.cancel()
            self._leave()
            stream.close()
            await stream.wait_closed()

    async def _reach(self, host: str, port: int) -> object:
        why = None
        for authority in tuple(self.authorities) or (None,):
            self.ca = authority
            try:
                return await asyncio.wait_for(self._open(host, port), _CONNECT_S)
            except ValueError as error:  # what MicroPython makes of a certificate that it doesn't believe
                why = error
        raise Refused(str(why).strip())

    async def _open(self, host: str, port: int) -> object:
        # The keyword stands only where it is needed: ports without TLS don't know it.
        reader, stream = await (  # one and the same, but not to a type checker
            asyncio.open_connection(host, port, ssl=self.tls(self.ca), server_hostname=host)
            if self.ca
            else asyncio.open_connection(host, port)
        )
        try:
            stream.write(call("lib.hello", "connect", self))
            await stream.drain()
            why = call("lib.hello", "refusal", await reader.readexactly(4))
            if why:
                raise Refused(why)
        except (OSError, EOFError, ValueError):
            await stream.wait_closed()
            raise
        return stream

    def _join(self, stream: object) -> None:
        self._stream = stream
        self._busy = False
        self._error = None
        self._ended.clear()
        self._pid = 1  # SUBSCRIBE has it
        self._since = self._heard = self._ticks.now()
        self.connected = True
        self.connections += 1
        self.last_error = ""
        body = b"".join(text(topic) + b"\0" for topic in self.subscriptions)
        self._put(packet(0x82, b"\0\1" + body))
        for joined in self.joined:
            joined()

    def _leave(self) -> None:
        self.connected = False
        self._out.clear()
        waiting, self._acks = self._acks, {}
        for _, acked in waiting.values():
            if acked:
                acked(False)

    async def _until_it_ends(self, work: object) -> None:
        try:
            await work
        except (OSError, EOFError) as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        self._error = error
        self._ended.set()

    async def _watch(self) -> None:
        """Ping, and end the connection when the broker has fallen silent."""
        while True:
            try:
                await asyncio.wait_for_ms(self._ended.wait(), self.keepalive * 250)
            except asyncio.TimeoutError:
                pass
            if self._error:
                raise self._error
            now = self._ticks.now()
            if tick.diff(now, self._heard) > self.keepalive * 1500:
                raise OSError("broker is silent")
            if any(
                tick.diff(now, sent) > max(_ACK_MS, self.keepalive * 500) for sent, _ in self._acks.values()
            ):
                raise OSError("no PUBACK")
            self._put(b"\xc0\x00")

    def _put(self, data: bytes) -> None:
        """Write at once where the network takes it; what it doesn't take is copied and follows."""
        if self._busy:
            self._out.append(bytes(data))
            return
        try:
            self._stream.write(data)
        except OSError as error:
            self._end(error)
        if self._stream.out_buf:
            self._busy = True
            self._pending.set()

    async def _write(self, stream: object) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            await stream.drain()
            while self._out:
                stream.write(self._out.pop(0))
                await stream.drain()
            self._busy = False

    async def _read(self, stream: object) -> None:
        head = memoryview(bytearray(2))
        while True:
            await self._fill(stream, head)
            size, shift, n = head[1] & 127, 7, head[1]
            while n > 127:
                n = (await stream.readexactly(1))[0]
                size |= (n & 127) << shift
                shift += 7
            if size > len(self._in):
                await self._skip(stream, size)
                continue
            body = self._in[:size]
            await self._fill(stream, body)
            self._heard = self._ticks.now()
            self._take(head[0], body)

    async def _fill(self, stream: object, data: memoryview) -> None:
        while len(data):
            n = await stream.readinto(data)
            if n == 0:
                raise EOFError
            data = data[n or 0 :]

    async def _skip(self, stream: object, size: int) -> None:
        self.oversize += 1
        while size:
            n = min(size, len(self._in))
            await self._fill(stream, self._in[:n])
            size -= n

    def _take(self, kind: int, data: memoryview) -> None:
        if kind == 0x40:
            _, acked = self._acks.pop(data[0] << 8 | data[1], (0, None))
            if acked:
                acked(True)
        elif kind == 0x90:
            denied = bytes(data[2:]).count(b"\x80")
            self.denied += denied
            if denied:
                print("broker", _UNHEARD)
        elif kind & 0xF0 == 0x30:
            at = 2 + (data[0] << 8 | data[1])
            topic = str(data[2:at], "utf-8")
            if kind & 0x06:
                self._put(b"\x40\x02" + bytes(data[at : at + 2]))
                at += 2
            self.arrived(topic, data[at:])
