"""What hangs on a board, as it is bought: sensors with their supply and pins, and an actuator's parts."""

from collections.abc import Mapping
from dataclasses import dataclass

Both = tuple[str, str]
"""In English and in Korean."""


@dataclass(frozen=True, slots=True)
class Module:
    """A sensor: its supply, highest current [mA] and its pins by our signals; `strap`: its pin that wants
    ground where it hangs on I²C."""

    name: str
    measures: Both
    supply: str
    current_ma: int
    pins: Mapping[str, str]
    note: Both
    strap: str = ""


PM = ("PM", "미세먼지")
PLANTOWER_NOTE = (
    "SET and RESET stay open. Its signals are of 3.3 V, its fan needs 5 V.",
    "SET과 RESET은 연결하지 않습니다. 신호는 3.3 V이지만 팬에는 5 V가 필요합니다.",
)
PULL_UPS = (
    "A breakout has the pull-ups.",
    "브레이크아웃 보드에는 풀업 저항이 있습니다.",
)
BREAKOUT = {"3V3": "VDD", "GND": "GND", "scl": "SCL", "sda": "SDA"}

# `tx` and `rx` are the board's, so the sensor's own stand crossed.
MODULES = {
    "pms5003": Module(
        "Plantower PMS5003",
        PM,
        "5V",
        100,
        {"5V": "1 VCC", "GND": "2 GND", "tx": "4 RX", "rx": "5 TX"},
        PLANTOWER_NOTE,
    ),
    "pms7003": Module(
        "Plantower PMS7003",
        PM,
        "5V",
        100,
        {"5V": "1 VCC", "GND": "3 GND", "tx": "7 RX", "rx": "9 TX"},
        PLANTOWER_NOTE,
    ),
    "sds011": Module(
        "Nova SDS011",
        PM,
        "5V",
        80,
        {"5V": "5V", "GND": "GND", "tx": "RXD", "rx": "TXD"},
        ("Its PWM pins stay open.", "PWM 핀은 연결하지 않습니다."),
    ),
    "sps30": Module(
        "Sensirion SPS30",
        PM,
        "5V",
        80,
        {"5V": "1 VDD", "GND": "5 GND", "tx": "2 RX", "rx": "3 TX", "sda": "2 SDA", "scl": "3 SCL"},
        (
            "Pin 4 (SEL) is open for UART, on GND for I²C, which wants 10 kΩ from SDA and SCL to 3.3 V.",
            "4번 핀(SEL)은 UART에서는 비워 두고, I²C에서는 GND에 연결합니다. I²C에는 SDA와 SCL을 3.3 V로 "
            "잇는 10 kΩ 저항이 필요합니다.",
        ),
        strap="4 SEL",
    ),
    "scd4x": Module(
        "Sensirion SCD40/SCD41",
        ("CO₂, temperature, humidity", "CO₂, 온도, 습도"),
        "3V3",
        205,
        BREAKOUT,
        PULL_UPS,
    ),
    "sht4x": Module("Sensirion SHT4x", ("temperature, humidity", "온도, 습도"), "3V3", 1, BREAKOUT, PULL_UPS),
}
SAME = {"scd40": "scd4x", "scd41": "scd4x", "sht40": "sht4x", "sht41": "sht4x", "sht45": "sht4x"}

# The nodes of the bill of materials (docs/build/README.md): their sensors.
NODES = {"classroom": ("pms5003", "scd4x"), "outdoors": ("pms5003", "sht4x")}

# What is no sensor: its name, and a word below it.
CONTROL = ("Control input · 제어 입력", "3.3 V, PWM 25 kHz")
BUTTON = ("Button · 버튼", "manual · 수동 (= BOOT)")
LAMP = ("Lamp · 표시등", "LED")
