"""The serial side of ESP32 chips: the ROM's loader and the flasher stub, speaking SLIP as the real ones do.

Facts of the protocol: Espressif's "Serial Protocol" page and esptool's own requests. The flash is a bytearray
that, like the real one, can only clear bits until it is erased.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

SECTOR = 0x1000
SYNC = b"\xc0\x00\x08\x24\x00"
OK, FAILED, BAD_CHECKSUM, UNKNOWN = b"\0\0", b"\1\6", b"\1\7", b"\1\5"
SPI_USR = 1 << 18
RDID = 0x9F


@dataclass(frozen=True, slots=True)
class Chip:
    """What differs between chips: how they are recognised and where their registers lie."""

    name: str
    spi: int
    spi_usr2: int
    spi_w0: int
    registers: dict[int, int]
    security_id: int | None = None


def _esp32(package: int) -> Chip:
    efuse = 0x3FF5A000
    registers = {
        0x40001000: 0x00F01D83,  # the chip's magic
        efuse + 4: 0x0A0B0C0D,  # MAC 24:6f:0a:0b:0c:0d
        efuse + 8: 0x0000246F,
        efuse + 12: (package & 7) << 9 | (package >> 3) << 2 | 1 << 15 | 1 << 13,
        efuse + 20: 1 << 20,  # revision 3
        0x3FF66000 + 0x7C: 1 << 31,
        0x3FF40014: 347,  # 115,200 baud at 40 MHz
    }
    return Chip("ESP32", 0x3FF42000, 0x24, 0x80, registers)


def _later(name: str, security_id: int, efuse: int, features: dict[int, int]) -> Chip:
    registers = {efuse + 0x44: 0x0A0B0C0D, efuse + 0x48: 0x0000246F}
    for offset, value in features.items():
        registers[efuse + offset] = registers.get(efuse + offset, 0) | value
    return Chip(name, 0x60002000, 0x20, 0x58, registers, security_id)


CHIPS = {
    "esp32": _esp32(0),
    "esp32-d2wd": _esp32(2),
    "esp32-pico-v3-02": _esp32(6),
    "esp32-d0wdr2-v3": _esp32(7),
    "esp32s3": _later("ESP32-S3", 9, 0x60007000, {0x54: 2}),
    "esp32s3-psram": _later("ESP32-S3", 9, 0x60007000, {0x54: 2 | 1 << 3}),
    "esp32c3": _later("ESP32-C3", 5, 0x60008800, {0x50: 3 << 18}),
}


@dataclass
class Loader:
    """A chip in download mode; `feed` takes what arrives and says what it answers through `say`."""

    chip: Chip
    flash: bytearray
    say: Callable[[bytes], None]
    started: Callable[[], None]
    emptied: Callable[[], None] = lambda: None
    refuse_stub: bool = False
    unplug_after: int | None = None
    unplugged: Callable[[], None] | None = None
    seen: list[int] = field(default_factory=list)
    written: int = 0
    erased: int = 0
    stub: bool = False

    def __post_init__(self) -> None:
        self.registers = dict(self.chip.registers)
        self._rest = b""
        self._unpacked = zlib.decompressobj()
        self._at = 0
        self._commands: dict[int, Callable[[bytes], tuple[int, bytes, bytes] | None]] = {
            0x02: self._flash_begin,
            0x03: self._flash_data,
            0x04: lambda body: self._flash_end(0x04, body),
            0x05: lambda body: (0, b"", FAILED if self.refuse_stub else OK),
            0x06: self._mem_end,
            0x07: lambda body: (0, b"", OK),
            0x08: self._sync,
            0x09: self._write_reg,
            0x0A: self._read_reg,
            0x0B: lambda body: (0, b"", OK),
            0x0D: lambda body: (0, b"", OK),
            0x0F: lambda body: (0, b"", OK),
            0x10: self._flash_begin,
            0x11: self._deflated,
            0x12: lambda body: self._flash_end(0x12, body),
            0x13: self._md5,
            0x14: self._security,
            0xD0: self._erase,
            0xD3: self._run,
        }

    def feed(self, data: bytes) -> None:
        """Take bytes from the line; answer every packet that they complete."""
        self._rest += data
        while True:
            start = self._rest.find(b"\xc0")
            end = self._rest.find(b"\xc0", start + 1)
            if start < 0 or end < 0:
                return
            packet = self._rest[start + 1 : end].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            self._rest = self._rest[end + (0 if not packet else 1) :]
            if len(packet) >= 8 and packet[0] == 0:
                self._take(packet)

    def _take(self, packet: bytes) -> None:
        op, check = packet[1], struct.unpack("<I", packet[4:8])[0]
        self.seen.append(op)
        command = self._commands.get(op)
        if command is None or (op >= 0xD0 and not self.stub):
            self._answer(op, 0, b"", UNKNOWN)
            return
        body = packet[8:]
        if op in (0x03, 0x07, 0x11) and _checksum(body[16:]) != check:
            self._answer(op, 0, b"", BAD_CHECKSUM)
            return
        said = command(body)
        if said:
            self._answer(op, *said)

    def _answer(self, op: int, value: int, data: bytes, status: bytes) -> None:
        data += status + (b"" if self.stub else b"\0\0")
        packet = struct.pack("<BBHI", 1, op, len(data), value) + data
        self.say(b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0")

    def _sync(self, body: bytes) -> None:
        for _ in range(8):
            self._answer(0x08, 0 if self.stub else 0x20120707, b"", OK)

    def _mem_end(self, body: bytes) -> None:
        self._answer(0x06, 0, b"", OK)
        self.stub = True
        self.say(b"\xc0OHAI\xc0")

    def _read_reg(self, body: bytes) -> tuple[int, bytes, bytes]:
        return (self.registers.get(struct.unpack("<I", body[:4])[0], 0), b"", OK)

    def _write_reg(self, body: bytes) -> tuple[int, bytes, bytes]:
        address, value = struct.unpack("<II", body[:8])
        self.registers[address] = value
        spi = self.chip.spi
        if address == spi and value & SPI_USR:
            self.registers[spi] = 0
            command = self.registers.get(spi + self.chip.spi_usr2, 0) & 0xFF
            if command == RDID:
                self.registers[spi + self.chip.spi_w0] = self._flash_id()
        return (0, b"", OK)

    def _flash_id(self) -> int:
        size = len(self.flash).bit_length() - 1
        return 0xEF | 0x40 << 8 | size << 16  # Winbond; 0x16 is 4 MiB

    def _security(self, body: bytes) -> tuple[int, bytes, bytes]:
        if self.chip.security_id is None:
            return (0, b"", UNKNOWN)
        return (0, struct.pack("<IB7xII", 0, 0, self.chip.security_id, 0), OK)

    def _flash_begin(self, body: bytes) -> tuple[int, bytes, bytes]:
        size, _, _, offset = struct.unpack("<IIII", body[:16])
        self._at, self._unpacked = offset, zlib.decompressobj()
        if size:
            self._wipe(offset, -(-size // SECTOR) * SECTOR)
        return (0, b"", OK)

    def _flash_data(self, body: bytes) -> tuple[int, bytes, bytes]:
        return self._program(body[16:])

    def _deflated(self, body: bytes) -> tuple[int, bytes, bytes]:
        return self._program(self._unpacked.decompress(body[16:]))

    def _program(self, data: bytes) -> tuple[int, bytes, bytes]:
        if self._at + len(data) > len(self.flash):
            return (0, b"", FAILED)
        old = self.flash[self._at : self._at + len(data)]
        if old.count(0xFF) == len(old):
            self.flash[self._at : self._at + len(data)] = data
        else:
            self.flash[self._at : self._at + len(data)] = bytes(a & b for a, b in zip(old, data, strict=True))
        self._at += len(data)
        self.written += len(data)
        if self.unplug_after is not None and self.written >= self.unplug_after and self.unplugged:
            self.unplugged()
        return (0, b"", OK)

    def _flash_end(self, op: int, body: bytes) -> None:
        """At 0 a stub gives way to the ROM's loader, at 1 it goes on; the ROM runs what is in the flash."""
        self._answer(op, 0, b"", OK)
        go_on = struct.unpack("<I", body[:4])[0]
        if not self.stub:
            self.started()
        self.stub = self.stub and bool(go_on)

    def _run(self, body: bytes) -> None:
        self.stub = False
        self.started()

    def _md5(self, body: bytes) -> tuple[int, bytes, bytes]:
        start, size = struct.unpack("<II", body[:8])
        digest = hashlib.md5(self.flash[start : start + size], usedforsecurity=False)
        return (0, digest.digest() if self.stub else digest.hexdigest().encode(), OK)

    def _erase(self, body: bytes) -> tuple[int, bytes, bytes]:
        self._wipe(0, len(self.flash))
        self.erased += 1
        self.emptied()
        return (0, b"", OK)

    def _wipe(self, start: int, size: int) -> None:
        size = min(size, len(self.flash) - start)
        self.flash[start : start + size] = b"\xff" * size


def _checksum(data: bytes) -> int:
    state = 0xEF
    for byte in data:
        state ^= byte
    return state
