"""The boards that Gongi runs on, and which pin is what, for settings, self-test, sentences and drawings."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus for sensors: the chip's controller, and its pins by the board's signals (tx, rx; scl, sda)."""

    number: int
    pins: Mapping[str, int]

    def __str__(self) -> str:
        return ", ".join(f"{signal.upper()} GPIO{pin}" for signal, pin in self.pins.items())


@dataclass(frozen=True, slots=True)
class Board:
    """The wiring of one chip, on pins that its usual boards bring out and that don't choose how it starts."""

    id: str
    chip: str
    name: str
    short: str
    buses: Mapping[str, Bus]
    output: int
    button: int
    led: int
    own_lamp: bool
    """Whether a plain LED is on the board; where it isn't, one with a resistor goes on the pin."""

    also: str
    """Other boards with these pins."""

    def pins(self) -> dict[str, object]:
        """The wiring as a device reads it: per bus its controller and two pins."""
        buses = {name: [bus.number, *bus.pins.values()] for name, bus in self.buses.items()}
        return {**buses, "output": self.output, "button": self.button, "led": self.led}


def _uart(number: int, tx: int, rx: int) -> Bus:
    return Bus(number, MappingProxyType({"tx": tx, "rx": rx}))


def _i2c(number: int, scl: int, sda: int) -> Bus:
    return Bus(number, MappingProxyType({"scl": scl, "sda": sda}))


# By esptool's name of the chip; UART 0 is the console everywhere. The first has all buses that any has.
BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        board.chip: board
        for board in (
            Board(
                "esp32",
                "ESP32",
                "ESP32 DevKitC (ESP32-WROOM-32E)",
                "ESP32 DevKitC",
                {
                    "uart1": _uart(1, 17, 16),
                    "uart2": _uart(2, 26, 25),
                    "i2c1": _i2c(0, 22, 21),
                    "i2c2": _i2c(1, 19, 18),
                },
                output=27,
                button=0,
                led=2,
                own_lamp=True,
                also="ESP32 DevKit V1, NodeMCU-32S",
            ),
            Board(
                "esp32s3",
                "ESP32-S3",
                "ESP32-S3-DevKitC-1 (ESP32-S3-WROOM-1, N4 or N8)",
                "ESP32-S3-DevKitC-1",
                {
                    "uart1": _uart(1, 4, 5),
                    "uart2": _uart(2, 6, 7),
                    "i2c1": _i2c(0, 9, 8),
                    "i2c2": _i2c(1, 2, 1),
                },
                output=10,
                button=0,
                led=21,
                own_lamp=False,
                also="ESP32-S3-DevKitM-1",
            ),
            Board(
                "esp32c3",
                "ESP32-C3",
                "ESP32-C3-DevKitM-1 (ESP32-C3-MINI-1)",
                "ESP32-C3-DevKitM-1",
                {"uart1": _uart(1, 5, 4), "i2c1": _i2c(0, 7, 6)},
                output=10,
                button=9,
                led=3,
                own_lamp=False,
                also="ESP32-C3 SuperMini, Seeed XIAO ESP32C3",
            ),
        )
    }
)
ESP32 = BOARDS["ESP32"]
