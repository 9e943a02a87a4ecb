"""The serial ports of boards: which there are, which is meant, and what to do when none can be had."""

import errno
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.problem import Problem

BAUD = 115200
AGAIN_S = 15.0
"""How long a port may take to come back after a reset [s]."""


class NoPort(Problem):
    """No board is connected, or not the one that was asked for."""


class PortBusy(Problem):
    """The port is there and can't be opened."""


class Line(Protocol):
    """An open serial line; `read` waits for `timeout` [s] at most."""

    timeout: float | None
    dtr: bool
    rts: bool

    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Bridge:
    """What stands between USB and the chip; `native`: the chip itself, whose port goes away at a reset."""

    name: str
    drivers: Mapping[str, str]
    native: bool = False


_CP210X = {
    "win32": "install Silicon Labs' “CP210x Universal Windows Driver”, then plug the board in again",
    "darwin": "macOS 11 and later has its driver; older ones want Silicon Labs' “CP210x VCP Mac OSX Driver”",
    "linux": "its driver cp210x is in the kernel (a minimal system may need: modprobe cp210x)",
}
_CH34X = {
    "win32": "install WCH's “CH341SER” driver, then plug the board in again",
    "darwin": "macOS 11 and later has its driver; on older ones install WCH's “CH34XSER_MAC”",
    "linux": "its driver ch341 is in the kernel, but brltty (for Braille displays) grabs it: "
    "sudo apt remove brltty, then plug the board in again",
}
_CDC = {
    "win32": "Windows 10 and later has its driver; on older ones install WCH's “CH343SER”",
    "darwin": "macOS has its driver",
    "linux": "its driver cdc_acm is in the kernel (a minimal system may need: modprobe cdc_acm)",
}
_FTDI = {
    "win32": "install FTDI's “VCP Drivers”, then plug the board in again",
    "darwin": "macOS has its driver",
    "linux": "its driver ftdi_sio is in the kernel; brltty may have grabbed it: sudo apt remove brltty",
}
_NATIVE = {
    "win32": "Windows 10 and later has its driver; try a cable that carries data, and another USB socket",
    "darwin": "macOS has its driver; try a cable that carries data",
    "linux": "its driver cdc_acm is in the kernel; try a cable that carries data",
}

# USB vendor and product to what it is.
BRIDGES: dict[tuple[int, int], Bridge] = {
    (0x10C4, 0xEA60): Bridge("CP2102/CP2104", _CP210X),
    (0x10C4, 0xEA70): Bridge("CP2105", _CP210X),
    (0x10C4, 0xEA71): Bridge("CP2108", _CP210X),
    (0x1A86, 0x7522): Bridge("CH340K", _CH34X),
    (0x1A86, 0x7523): Bridge("CH340", _CH34X),
    (0x1A86, 0x5523): Bridge("CH341", _CH34X),
    (0x1A86, 0x55D3): Bridge("CH343", _CDC),
    (0x1A86, 0x55D4): Bridge("CH9102", _CDC),
    (0x0403, 0x6001): Bridge("FT232R", _FTDI),
    (0x0403, 0x6010): Bridge("FT2232", _FTDI),
    (0x0403, 0x6015): Bridge("FT231X", _FTDI),
    (0x303A, 0x1001): Bridge("USB-Serial/JTAG of the chip", _NATIVE, native=True),
    (0x303A, 0x4001): Bridge("USB of MicroPython on the chip", _NATIVE, native=True),
}

_PLUG = "plug the board in with a USB cable that carries data (many only charge)"
NO_PORT = {
    "win32": f"{_PLUG}; if Device Manager shows it with a yellow mark, its driver is missing: "
    "CP210x (Silicon Labs) or CH341SER (WCH)",
    "darwin": f"{_PLUG}; macOS asks once whether a new accessory may connect: allow it",
    "linux": f"{_PLUG}; in a virtual machine or container hand the USB device over to it",
}
DENIED = {
    "win32": "another program has it open: close the Arduino IDE, Thonny, PuTTY or a second `gongi flash`",
    "darwin": "another program has it open: close it, then try again",
    "linux": "you may not open it: sudo usermod -aG dialout $USER (Arch: uucp), then log out and in again",
}
BUSY = (
    "another program has it open: close it (a serial monitor, ModemManager, brltty or a second `gongi flash`)"
)


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port; `serial` and `location` name the USB device behind it, whatever the port is called."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial: str = ""
    location: str = ""

    @property
    def bridge(self) -> Bridge | None:
        """What stands between USB and the chip, None where the table doesn't know it."""
        return BRIDGES.get((self.vid or 0, self.pid or 0))

    def same(self, other: "Port") -> bool:
        """Whether both are the same USB device, by its serial number, else by the socket that it is in."""
        if self.device == other.device:
            return True
        ours, theirs = _plain(self.serial), _plain(other.serial)
        if len(ours) >= 6 and ours == theirs:
            return True
        place = self.location.partition(":")[0]
        return bool(place) and place == other.location.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.device} ({self.bridge.name})" if self.bridge else self.device


def _plain(serial: str) -> str:
    return "".join(c for c in serial.lower() if c.isalnum())


def platform() -> str:
    """This system as a key of the tables: `win32`, `darwin` or `linux`."""
    return sys.platform if sys.platform in NO_PORT else "linux"


def present() -> list[Port]:
    """The USB serial ports that there are, in the order of their names."""
    from serial.tools import list_ports  # pyserial imports the POSIX or the Windows port of itself

    found = (
        Port(p.device, p.vid, p.pid, p.serial_number or "", p.location or "")
        for p in list_ports.comports()
        if p.vid is not None
    )
    return sorted(found, key=lambda port: port.device)


Ports = Callable[[], Sequence[Port]]


def choose(wanted: str, ports: Ports, ask: Callable[[Sequence[Port]], Port] | None) -> Port:
    """The port that is meant: the one named, the only one, or the one a person picks. Raises `NoPort`."""
    there = list(ports())
    if wanted:
        return _named(wanted, there)
    known = [port for port in there if port.bridge] or there
    if not known:
        raise NoPort("no board is connected", advice=_why_none())
    if len(known) == 1:
        return known[0]
    if ask is None:
        names = ", ".join(map(str, known))
        raise NoPort(
            f"{len(known)} boards are connected: {names}", advice="say which: --port NAME (make: PORT=NAME)"
        )
    return ask(known)


def _named(wanted: str, there: Iterable[Port]) -> Port:
    # macOS has each port under two names, and lists the one that doesn't wait for a carrier.
    name = wanted.lower().replace("/dev/tty.", "/dev/cu.")
    found = next((port for port in there if port.device.lower() in (name, wanted.lower())), None)
    if found or "://" in wanted or Path(wanted).exists():
        return found or Port(wanted)
    names = ", ".join(port.device for port in there)
    raise NoPort("there is no such port", wanted, f"there is: {names}" if names else _why_none())


def _why_none() -> str:
    grabbed = [bridge for bridge in without_port(Path("/sys/bus/usb/devices")) if bridge.drivers]
    if grabbed:
        return f"a {grabbed[0].name} is on the USB but has no port: {grabbed[0].drivers[platform()]}"
    return NO_PORT[platform()]


def without_port(root: Path) -> Iterator[Bridge]:
    """The bridges below Linux's `root` of USB devices for which no driver has made a port."""
    for device in sorted(root.glob("*")):
        try:
            ids = tuple(int((device / name).read_text(), 16) for name in ("idVendor", "idProduct"))
        except (OSError, ValueError):
            continue
        bridge = BRIDGES.get((ids[0], ids[1]))
        if bridge and not any(device.glob("*:*/tty*")):
            yield bridge


def find_again(port: Port, ports: Ports, timeout_s: float = AGAIN_S) -> Port:
    """The same board after a reset, under whatever name it comes back. Raises `NoPort`."""
    deadline = time.monotonic() + timeout_s
    while True:
        if port.vid is None and (Path(port.device).exists() or "://" in port.device):
            return port
        found = next((other for other in ports() if port.same(other)), None)
        if found:
            return found
        if time.monotonic() > deadline:
            raise NoPort(
                "the board did not come back after its reset",
                port.device,
                "plug it in again and repeat the call",
            )
        time.sleep(0.1)


@contextmanager
def opened(port: Port, timeout: float = 0.1) -> Iterator[Line]:
    """Open a port without resetting its board. Raises `PortBusy`, `NoPort`."""
    import serial  # see `present`

    line = serial.serial_for_url(port.device, BAUD, timeout=timeout, write_timeout=10, do_not_open=True)
    # Both lines at rest leave a board alone; pyserial would pull them.
    line.dtr = line.rts = False
    try:
        line.open()
    except (serial.SerialException, OSError) as error:
        raise unopened(port, error) from error
    try:
        yield line
    except (serial.SerialException, OSError) as error:
        if not isinstance(error, serial.SerialException) and error.errno not in _GONE:
            raise
        raise NoPort(
            "the board was unplugged", port.device, "plug it in again and repeat the call"
        ) from error
    finally:
        line.close()


def unopened(port: Port, error: OSError) -> Problem:
    """The problem behind an error at opening."""
    number = error.errno or next((n for n in _ERRORS if f"Errno {n}]" in str(error)), None)
    denied = number in (errno.EACCES, errno.EPERM) or "PermissionError" in str(error)
    if denied:
        return PortBusy("the port can't be opened", port.device, DENIED[platform()])
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortBusy("the port is in use", port.device, BUSY)
    if number == errno.ENOENT or "FileNotFoundError" in str(error):
        return NoPort("the port has gone", port.device, _why_none())
    return PortBusy(f"the port can't be opened ({error})", port.device, "plug the board in again")


# What pyserial hands on as it is when it asks a line that has gone how much waits there.
_GONE = (errno.EIO, errno.ENXIO, errno.ENODEV)
_ERRORS = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN, errno.ENOENT)


def has_reset_lines(line: Line) -> bool:
    """Whether DTR and RTS can be moved: they start a board and its loader; without them a person does."""
    try:
        line.dtr = line.rts = False
    except OSError:
        return False
    return True


def pulse_reset(line: Line) -> None:
    """Pull EN for a moment: the board begins anew."""
    line.rts = True
    time.sleep(0.1)
    line.rts = False
