"""The wires between virtual sensors and MicroPython: one TCP connection per bus, one thread for all."""

import contextlib
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gateway.world.bus import Port
from gateway.world.pace import Pace

log = structlog.get_logger(__name__)
LONGEST_GREETING = 80
LONGEST_WAIT = 0.25
"""Seconds of the machine's clock that the thread sleeps at most."""
FINEST = 0.002
"""Seconds of the machine's clock: what is due within them is sent together, lest high speeds spin."""
UNREAD = 4096
"""Bytes that wait for a device that doesn't read; more is dropped, as a full UART does."""

Attach = Callable[[str, str], Port | None]
"""(bus, device id) -> the port at the end of that wire, None where there is none."""


@dataclass(slots=True, eq=False)
class _Wire:
    link: socket.socket
    heard: bytearray = field(default_factory=bytearray)
    unsent: bytearray = field(default_factory=bytearray)
    port: Port | None = None
    name: tuple[str, str] = ("", "")


class Wiring:
    """A TCP server on 127.0.0.1; `attach` finds the port of a bus, `tick(now)` runs the world along.

    `tick` is called from the server's own thread, as are all ports, so that none of them needs a lock; it
    returns the simulated time at which it wants to be called again. `counts` counts wires opened and refused,
    bytes overrun.
    """

    def __init__(self, pace: Pace, attach: Attach, tick: Callable[[float], float]) -> None:
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._pace, self._attach, self._tick = pace, attach, tick
        self._wires: dict[socket.socket, _Wire] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._stopping = False

    def start(self, port: int = 0) -> int:
        """Listen on `port` (0: a free one) and run in a thread of its own; returns the port."""
        self._server = socket.create_server(("127.0.0.1", port), backlog=256)
        self._server.setblocking(False)
        self._bell, self._ear = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for sock in (self._server, self._ear):
            self._selector.register(sock, selectors.EVENT_READ)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="wiring", daemon=True)
        self._thread.start()
        return self.port

    def stop(self) -> None:
        """Close every wire and wait for the thread."""
        if self.port:
            self._stopping = True
            self._bell.send(b"!")
            self._thread.join(timeout=10)
            self.port = 0

    def call(self, job: Callable[[], None]) -> None:
        """Run `job` in the server's thread, soon; here and now where no such thread runs."""
        if not self.running:
            job()
            return
        self._jobs.append(job)
        with contextlib.suppress(OSError):  # stopped in this instant
            self._bell.send(b"!")

    @property
    def running(self) -> bool:
        """Whether its thread lives; a fault of the world's own ends it, and the log says which."""
        return bool(self.port) and self._thread.is_alive()

    @property
    def connected(self) -> frozenset[tuple[str, str]]:
        """The wires that are connected now, as (bus, device id)."""
        return frozenset(wire.name for wire in tuple(self._wires.values()) if wire.port)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception:
            log.exception("The virtual world stopped by a fault of its own")
            raise
        finally:
            for wire in tuple(self._wires.values()):
                self._hang_up(wire)
            for sock in (self._server, self._bell, self._ear):
                sock.close()
            self._selector.close()

    def _turn(self) -> None:
        now = self._pace.now()
        again = self._tick(now)
        for wire in tuple(self._wires.values()):
            again = min(again, self._speak(wire, now))
        wait = min(max(self._pace.real(again - self._pace.now()), FINEST), LONGEST_WAIT)
        for key, _ in self._selector.select(wait):
            self._hear(key.fileobj)

    def _speak(self, wire: _Wire, now: float) -> float:
        if wire.port is None:
            return float("inf")
        if wire.port.due() <= now:
            self._send(wire, wire.port.poll(now))
        elif wire.unsent:
            self._send(wire, b"")
        return wire.port.due()

    def _hear(self, sock: object) -> None:
        if sock is self._server:
            self._accept()
        elif sock is self._ear:
            self._ear.recv(4096)
            while self._jobs:
                self._jobs.popleft()()
        elif isinstance(sock, socket.socket) and sock in self._wires:
            self._read(self._wires[sock])

    def _accept(self) -> None:
        link, _ = self._server.accept()
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wires[link] = _Wire(link)
        self._selector.register(link, selectors.EVENT_READ)

    def _read(self, wire: _Wire) -> None:
        try:
            data = wire.link.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up(wire)
        elif wire.port is None:
            self._greet(wire, data)
        else:
            self._send(wire, wire.port.receive(data, self._pace.now()))

    def _greet(self, wire: _Wire, data: bytes) -> None:
        wire.heard += data
        line, found, rest = bytes(wire.heard).partition(b"\n")
        if not found and len(line) <= LONGEST_GREETING:
            return
        words = line[:LONGEST_GREETING].decode("ascii", "replace").split()
        port = self._attach(words[0], words[1]) if found and len(words) == 2 else None
        if port is None:
            self._refuse(wire, words)
            return
        self._open(wire, (words[0], words[1]), port)
        if rest:
            self._send(wire, port.receive(rest, self._pace.now()))

    def _refuse(self, wire: _Wire, words: list[str]) -> None:
        self.counts["refused"] += 1
        log.warning("No such wire", greeting=" ".join(words))
        self._hang_up(wire)

    def _open(self, wire: _Wire, name: tuple[str, str], port: Port) -> None:
        for other in tuple(self._wires.values()):
            if other.port is port:  # its device was restarted before the old connection was seen to end
                self._hang_up(other)
        wire.port, wire.name = port, name
        port.open(self._pace.now())
        self.counts["opened"] += 1

    def _send(self, wire: _Wire, data: bytes) -> None:
        room = UNREAD - len(wire.unsent)
        if len(data) > room:
            self.counts["overrun"] += len(data)
            data = b""
        wire.unsent += data
        try:
            sent = wire.link.send(wire.unsent) if wire.unsent else 0
        except BlockingIOError:
            return
        except OSError:
            self._hang_up(wire)
            return
        del wire.unsent[:sent]

    def _hang_up(self, wire: _Wire) -> None:
        if self._wires.pop(wire.link, None) is None:
            return
        self._selector.unregister(wire.link)
        wire.link.close()
        if wire.port is not None:
            wire.port.close(self._pace.now())
