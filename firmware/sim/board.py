"""The Unix port as a board: buses over TCP to the virtual world, flash in a file, faster time."""

import errno
import socket
import time

from lib import ticks as tick
from micropython import const

_RETRY_MS = const(500)
_PIECE = const(256)


class Ticks(tick.Ticks):
    """Ticks and sleeps `speed` times as fast as the machine's; they begin at `start`."""

    def __init__(self, speed: int, start: int) -> None:
        self.speed = speed
        self.start = start
        self._zero = time.ticks_us()

    def now(self) -> int:
        """Return the simulated tick [ms]."""
        return (time.ticks_diff(time.ticks_us(), self._zero) * self.speed // 1000 + self.start) & tick.MASK

    async def sleep(self, ms: int) -> None:
        """Sleep for `ms` of the simulated time, rounded up."""
        await super().sleep(-(-ms // self.speed))


class Wire:
    """One TCP connection to the world, made when it is needed and made again when it is lost."""

    def __init__(self, address: tuple, greeting: str) -> None:
        self.address = socket.getaddrinfo(address[0], address[1])[0][-1]
        self.greeting = greeting
        self.connections = 0
        self._tried: object = None
        self._socket: object = None

    def socket(self) -> object | None:
        """Return the connected socket, or None while nobody answers."""
        early = self._tried is not None and time.ticks_diff(time.ticks_ms(), self._tried) < _RETRY_MS
        if self._socket or early:
            return self._socket
        self._tried = time.ticks_ms()
        one = socket.socket()
        try:
            one.connect(self.address)
            one.write(self.greeting.encode())
        except OSError:
            one.close()
            return None
        self._socket = one
        self.connections += 1
        return one

    def lost(self) -> None:
        """Forget the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None


class Uart:
    """A UART whose other end is in the world; like machine.UART, `read` never waits."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def read(self) -> bytes | None:
        """Return what has arrived, None when nothing has."""
        line = self._wire.socket()
        if not line:
            return None
        try:
            line.setblocking(False)
            data = line.recv(_PIECE)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                self._wire.lost()
            return None
        if not data:
            self._wire.lost()
        return data or None

    def write(self, data: bytes) -> None:
        """Send bytes; lost where nobody is connected, as on a cut wire."""
        line = self._wire.socket()
        try:
            if line:
                line.write(data)
        except OSError:
            self._wire.lost()


class Board:
    """What `node` and `actuator` ask of a board."""

    chip = "unix"
    flash = "/flash"
    wifi = None
    utc = None
    led = None

    def __init__(self, config: dict, cause: str, slots: object) -> None:
        sim = config["sim"]
        self.cause = cause
        self.slots = slots
        self.ticks = Ticks(sim.get("speed", 1), sim.get("ticks_start", 0))
        self._buses: dict = {}
        self._config = config

    def bus(self, kind: str, name: str, baud: int) -> object:
        """Return the bus with this name; sensors of one I2C bus share it."""
        if name not in self._buses:
            self._buses[name] = self._uart(name) if kind == "uart" else self._i2c(name)
        return self._buses[name]

    def _uart(self, name: str) -> Uart:
        return Uart(self._wire(name))

    def _i2c(self, name: str) -> object:
        from sim.i2c import I2C

        return I2C(self._wire(name))

    def gpio(self) -> object:
        """Return the actuator's output."""
        from sim.gpio import Gpio

        return Gpio(self._wire("gpio"))

    def settle(self, config: dict) -> None:
        """Take the settings that are in force; a radio where `sim.points` says what it finds."""
        points = config["sim"].get("points")
        if points is not None:
            from lib.wifi import Wifi
            from sim.radio import Radio

            self.wifi = Wifi(Radio(points), config["wifi"], config.get("probe"))

    def watchdog(self, ms: int) -> object:
        """Return what feeds the watchdog: with `sim.watchdog_s` a real one, which kills."""
        seconds = self._config["sim"].get("watchdog_s")
        if not seconds:
            return int
        from sim.watchdog import start

        return start(seconds)

    def scarce(self, connected: bool) -> bool:
        """Return whether memory outside the heap runs out."""
        return False

    def rssi(self) -> int | None:
        """Return the radio's signal strength [dBm]."""
        return None

    def supply(self) -> int | None:
        """Return the supply voltage [mV]."""
        return None

    def identify(self) -> None:
        """Let a person see which device this is."""
        print("identify", self._config["id"])

    def _wire(self, name: str) -> Wire:
        return Wire(self._config["sim"]["wiring"], "%s %s\n" % (name, self._config["id"]))
