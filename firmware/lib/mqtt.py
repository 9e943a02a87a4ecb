"""MQTT 3.1.1 for one device: clean session, last will, QoS 1 out, QoS 0 in.

The protocol raises OSError wherever a connection ends; `run` alone catches it and connects again.
"""

import asyncio
import os
import struct

from lib import ticks as tick
from lib.sheet import Full, Sheet
from micropython import const

_CONNECT_S = const(15)
_ACK_MS = const(20000)
_BACKOFF_MS = const(500)
_BACKOFF_MAX_MS = const(30000)
# What a packet usually needs; and a batch of 8 KB with its topic and header.
_OUT_BYTES = const(2048)
_MAX_OUT_BYTES = const(8400)
# In front of a packet's body: its kind and two bytes of length.
_HEAD = const(3)
_BRIEF_MS = const(3000)
_UNHEARD = const("may this user speak here?")
_REFUSALS = const(
    (
        "",
        "protocol version",
        "client id",
        "server unavailable",
        "user name or password",
        "not authorised",
    )
)


class Refused(OSError):
    """The broker has answered CONNECT with a refusal, or its certificate isn't believed."""


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def _packet(kind: int, data: bytes) -> bytes:
    n = len(data)
    head = bytearray((kind,))
    while n > 127:
        head.append(n & 127 | 128)
        n >>= 7
    head.append(n)
    return bytes(head) + data


class Client:
    """The connection to the first broker of the list that answers; `arrived(topic, payload)` hears every
    message, whose payload stands only until it returns.

    Where there are `authorities`, it goes over TLS with the context `tls(authority)`, one after the other, so
    that `ca` is the one that has proved the broker.
    """

    def __init__(
        self, identity: str, brokers: list, login: tuple, will: tuple, arrived: object, in_bytes: int = 2048
    ) -> None:
        self.identity = identity
        self.brokers = brokers
        self.login = login
        self.will = will
        self.arrived = arrived
        self.subscriptions = []
        self.joined = []
        self.authorities = []
        self.tls = None
        self.ca = None
        self.broker = None
        self.network = None
        self.astray = None
        self.keepalive = 60
        self.connected = False
        self.connections = 0
        self.oversize = 0
        self.denied = 0
        self.last_error = ""
        self._ticks = tick.Ticks()
        self._sheet = Sheet(_OUT_BYTES)
        self._in = memoryview(bytearray(in_bytes))
        self._stream = None
        self._since = 0
        self._busy = False
        self._out = []
        self._pending = asyncio.Event()
        self._ended = asyncio.Event()
        self._error = None
        self._acks = {}
        self._pid = 0
        self._heard = 0

    def reserve(self, size: int) -> None:
        """Make room for packets of `size` bytes, while there is as much in one piece."""
        if size > len(self._sheet.buf):
            self._sheet = Sheet(min(size, _MAX_OUT_BYTES))

    def send(self, topic: str, fill: object, retain: bool = False, acked: object = None) -> None:
        """Publish at QoS 1 what `fill(sheet)` writes, or the bytes `fill`; OSError without a connection.

        `acked(True)` follows its PUBACK, `acked(False)` the end of the connection before it.
        """
        if not self.connected:
            raise OSError("not connected")
        self._pid = self._pid % 65535 + 1
        try:
            self._publish(topic, fill)
        except Full:  # from now on there is room for every batch
            self._sheet = Sheet(_MAX_OUT_BYTES)
            self._publish(topic, fill)
        self._acks[self._pid] = (self._ticks.now(), acked)
        self._put(self._packed(0x32 | retain))

    def _publish(self, topic: str, fill: object) -> None:
        self._sheet.end = _HEAD
        self._sheet.put(_text(topic))
        self._sheet.put(struct.pack(">H", self._pid))
        fill(self._sheet) if callable(fill) else self._sheet.put(fill)

    def _packed(self, kind: int) -> memoryview:
        """Return the packet on the sheet, its header written in front of its body."""
        buf, n = self._sheet.buf, self._sheet.end - _HEAD
        start = 0 if n > 127 else 1
        buf[start] = kind
        buf[start + 1] = n & 127 | (128 if n > 127 else 0)
        if n > 127:
            buf[2] = n >> 7
        return memoryview(buf)[start : self._sheet.end]

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

    def _pause(self, rounds: int) -> int:
        longest = min(_BACKOFF_MAX_MS, _BACKOFF_MS << min(rounds, 6))
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

    async def _reach(self, host: str, port: int) -> asyncio.StreamReader:
        why = None
        for authority in tuple(self.authorities) or (None,):
            self.ca = authority
            try:
                return await asyncio.wait_for(self._open(host, port), _CONNECT_S)
            except ValueError as error:  # what MicroPython makes of a certificate that it doesn't believe
                why = error
        raise Refused(str(why).strip())

    async def _open(self, host: str, port: int) -> asyncio.StreamReader:
        # The keyword stands only where it is needed: ports without TLS don't know it.
        stream, _ = await (
            asyncio.open_connection(host, port, ssl=self.tls(self.ca), server_hostname=host)
            if self.ca
            else asyncio.open_connection(host, port)
        )
        try:
            await self._greet(stream)
        except (OSError, EOFError, ValueError):
            await stream.wait_closed()
            raise
        return stream

    async def _greet(self, stream: asyncio.StreamReader) -> None:
        stream.write(self._connect())
        await stream.drain()
        answer = await stream.readexactly(4)
        if answer[:2] != b"\x20\x02" or answer[3]:
            raise Refused(_REFUSALS[answer[3]] if answer[3] < len(_REFUSALS) else "no CONNACK")

    def _connect(self) -> bytes:
        user, password = self.login
        topic, payload = self.will
        flags = 0x2E | (0x80 if user else 0) | (0x40 if password else 0)
        body = _text("MQTT") + struct.pack(">BBH", 4, flags, self.keepalive)
        for part in (self.identity, topic, payload, user, password):
            if part:
                body += _text(part)
        return _packet(0x10, body)

    def _join(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream
        self._busy = False
        self._error = None
        self._ended.clear()
        self._pid = 1  # SUBSCRIBE has it
        self._since = self._heard = self._ticks.now()
        self.connected = True
        self.connections += 1
        self.last_error = ""
        body = b"".join(_text(topic) + b"\0" for topic in self.subscriptions)
        self._put(_packet(0x82, b"\0\1" + body))
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

    async def _write(self, stream: asyncio.StreamWriter) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            await stream.drain()
            while self._out:
                stream.write(self._out.pop(0))
                await stream.drain()
            self._busy = False

    async def _read(self, stream: asyncio.StreamReader) -> None:
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

    async def _fill(self, stream: asyncio.StreamReader, data: memoryview) -> None:
        while len(data):
            n = await stream.readinto(data)
            if n == 0:
                raise EOFError
            data = data[n or 0 :]

    async def _skip(self, stream: asyncio.StreamReader, size: int) -> None:
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
