"""An ESP32 as a board: its pins, its radio, its clock, its flash."""

import socket
import struct
import time

import esp32
import machine
import network
from lib.ticks import Ticks
from lib.wifi import Wifi

# A UART's receive buffer holds 50 frames of 10 s.
UART_BYTES = 2048
I2C_HZ = 100000
PWM_HZ = 25000
# The largest block that a handshake needs.
TLS_BYTES = 17000
NTP_TO_UNIX = 2208988800
# The board's own epoch may be 2000; ours is 1970.
EPOCH = 946684800 if time.gmtime(0)[0] == 2000 else 0
CAUSES = {
    machine.PWRON_RESET: "power",
    machine.HARD_RESET: "reset",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "sleep",
    machine.SOFT_RESET: "reboot",
}


class Output:
    """A purifier's level as a PWM share of the highest, and its button."""

    def __init__(self, levels: int, pins: dict) -> None:
        self._top = levels - 1
        self._pwm = machine.PWM(machine.Pin(pins["output"]), freq=PWM_HZ, duty_u16=0)
        self._presses = 0
        button = machine.Pin(pins["button"], machine.Pin.IN, machine.Pin.PULL_UP)
        button.irq(self._press, machine.Pin.IRQ_FALLING)
        self._pressed_at = time.ticks_ms()

    def level(self, n: int) -> None:
        """Drive the output."""
        self._pwm.duty_u16(n * 65535 // self._top)

    def pressed(self) -> int:
        """Return how often the button was pressed since the last call."""
        n, self._presses = self._presses, 0
        return n

    def _press(self, pin: machine.Pin) -> None:
        now = time.ticks_ms()
        if time.ticks_diff(now, self._pressed_at) > 200:  # a contact bounces
            self._presses += 1
        self._pressed_at = now


class Board:
    """What `node` and `actuator` ask of a board."""

    # One application for the whole family: bytecode, and pins by the configuration.
    chip = "esp32"
    # The root file system is LittleFS already.
    flash = ""

    def __init__(self, config: dict, slots: object) -> None:
        self._config = config
        self.slots = slots
        self._station = network.WLAN(network.STA_IF)
        # Which pin is what differs from chip to chip: the cable writes it.
        self._pins = config["pins"]
        self._led = machine.Pin(self._pins["led"], machine.Pin.OUT)
        self.led = self._led.value
        self.cause = CAUSES.get(machine.reset_cause(), "power")
        self.ticks = Ticks()
        self._buses: dict = {}

    def bus(self, kind: str, name: str, baud: int) -> object:
        """Return the bus with this name; sensors of one I2C bus share it."""
        if name not in self._buses:
            self._buses[name] = self._uart(name, baud) if kind == "uart" else self._i2c(name)
        return self._buses[name]

    def _uart(self, name: str, baud: int) -> machine.UART:
        number, tx, rx = self._pins[name]
        return machine.UART(number, baudrate=baud, tx=tx, rx=rx, rxbuf=UART_BYTES)

    def _i2c(self, name: str) -> machine.I2C:
        number, scl, sda = self._pins[name]
        return machine.I2C(number, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=I2C_HZ)

    def gpio(self) -> Output:
        """Return the actuator's output."""
        return Output(self._config["levels"], self._pins)

    def settle(self, config: dict) -> None:
        """Take the settings that are in force."""
        self.wifi = Wifi(self._station, config["wifi"], config.get("probe"))

    def watchdog(self, ms: int) -> object:
        """Start the watchdog and return what feeds it."""
        return machine.WDT(timeout=ms).feed

    def scarce(self, connected: bool) -> bool:
        """Return whether the memory that TLS takes has no piece large enough left."""
        return not connected and max(one[2] for one in esp32.idf_heap_info(esp32.HEAP_DATA)) < TLS_BYTES

    async def utc(self) -> int | None:
        """Ask the NTP server for the UTC second; None where it doesn't answer within a second."""
        if not self._station.isconnected():
            return None
        try:
            return self._ntp(self._config.get("ntp", "pool.ntp.org"))
        except OSError:
            return None

    def rssi(self) -> int | None:
        """Return the radio's signal strength [dBm]."""
        return self._station.status("rssi") if self._station.isconnected() else None

    def supply(self) -> float | None:
        """Return the supply voltage [V]; nothing on these boards measures it."""
        return None

    def identify(self) -> None:
        """The lamp flickers already."""

    def set_clock(self, utc: int) -> None:
        """Set the clock that TLS checks certificates by, where it is behind."""
        if utc > time.time() + EPOCH:
            self._set(utc)

    def _ntp(self, host: str) -> int | None:
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            asker.settimeout(1)
            asker.sendto(b"\x1b" + bytes(47), socket.getaddrinfo(host, 123)[0][-1])
            answer = asker.recv(48)
        finally:
            asker.close()
        seconds = struct.unpack_from(">I", answer, 40)[0]
        return self._set(seconds - NTP_TO_UNIX) if len(answer) == 48 and seconds else None

    def _set(self, utc: int) -> int:
        """Set the board's clock too: it is what TLS checks certificates by."""
        t = time.gmtime(utc - EPOCH)
        machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))
        return utc
