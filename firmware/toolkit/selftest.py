"""The board tests itself before it is let go: each fault is one sentence with the pin or the setting."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.problem import Problem
from firmware.toolkit.boards import Board
from firmware.toolkit.repl import Repl

PROGRAM = Path(__file__).parent / "device" / "check.py"
LONGEST_S = 150.0

# How a sensor shows itself: what it says on a UART, its address on I2C.
MARKS = {"pms5003": "plantower", "pms7003": "plantower", "sds011": "sds011"}
ADDRESSES = {
    **dict.fromkeys(("scd4x", "scd40", "scd41"), 0x62),
    **dict.fromkeys(("sht4x", "sht40", "sht41", "sht45"), 0x44),
    "sps30": 0x69,
}
NAMES = {"plantower": "a Plantower PMS", "sds011": "an SDS011"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at the board or on the way to its broker: its kind, the sentence, what to do."""

    kind: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.what}: {self.advice}"


class Faulty(Problem):
    """The board found something wrong with itself; `faults` are all of it."""

    def __init__(self, where: str, faults: Sequence[Fault]) -> None:
        first, *others = faults
        more = "".join(f"\n{fault.what}\n  {fault.advice}" for fault in others)
        super().__init__(first.what, where, first.advice + more)
        self.faults = tuple(faults)


def questions(sensors: Sequence[Mapping[str, str]], board: Board) -> Iterator[dict[str, Any]]:
    """What the program asks of each sensor that shows itself without being told to."""
    for n, sensor in enumerate(sensors):
        kind, name, where = sensor["bus"].rstrip("0123456789"), sensor["type"], board.buses[sensor["bus"]]
        bus = {"sensor": n, "kind": kind, "number": where.number, "pins": dict(where.pins)}
        if kind == "uart" and name in MARKS:
            yield bus | {"mark": MARKS[name]}
        elif kind == "i2c" and name in ADDRESSES:
            yield bus | {"address": ADDRESSES[name]}


def examine(
    repl: Repl, sensors: Sequence[Mapping[str, str]], board: Board, where: str, patience: int = 100
) -> None:
    """Let the board try its sensors, networks and brokers, with `patience` [%]. Raises `Faulty` with all that
    is wrong."""
    ask = {"sensors": list(questions(sensors, board)), "utc": int(time.time()), "patience": patience}
    program = PROGRAM.read_text("utf-8").split('"""\n', 1)[1]
    said = repl.run(f"{program}\nrun(json.loads({json.dumps(ask)!r}))\n", LONGEST_S)
    answers = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    faults = list(judge(answers, sensors, board))
    if faults:
        raise Faulty(where, faults)


def judge(
    answers: Sequence[Mapping[str, Any]], sensors: Sequence[Mapping[str, str]], board: Board
) -> Iterator[Fault]:
    """The faults in what the program said."""
    for answer in answers:
        if answer["what"] == "sensor" and answer["state"] != "ok":
            yield _sensor_fault(sensors[answer["sensor"]], board, answer["state"], answer["found"])
    if not any(answer["what"] == "wifi" and answer["state"] == "ok" for answer in answers):
        seen: Sequence[str] = next((answer["seen"] for answer in answers if answer["what"] == "air"), [])
        yield from (_wifi_fault(a["ssid"], a["state"], seen) for a in answers if a["what"] == "wifi")
    elif not any(answer["what"] == "broker" and answer["state"] == "ok" for answer in answers):
        page = next((answer["why"] for answer in answers if answer["what"] == "portal"), "")
        if page:
            yield Fault("wifi-portal", f"the Wi-Fi lets nobody out before a {page}", PORTAL)
        yield from (_broker_fault(a) for a in answers if a["what"] == "broker")


# What a sensor's state means, and what to do; {pins} are filled in.
UART = {
    "silent": (
        "{type} on {bus} is silent",
        "is its fan turning? Without it 5 V is missing (it wants 5 V, not 3.3 V); else the wire from its TX "
        "to GPIO{rx} is off",
    ),
    "swapped": (
        "{type} on {bus} has RX and TX swapped",
        "its TX belongs on GPIO{rx}, its RX on GPIO{tx}",
    ),
    "noise": (
        "{type} on {bus} sends what no sensor sends",
        "connect its ground to the board's, and its TX (3.3 V) to GPIO{rx}",
    ),
    "other": (
        "on {bus} there is {found}, not a {type}",
        "put a {type} there, or name the sensor that is there",
    ),
}
I2C = {
    "silent": (
        "{type} on {bus} doesn't answer",
        "check its supply and ground, SDA on GPIO{sda}, SCL on GPIO{scl}; is every plug pushed home?",
    ),
    "swapped": ("{type} on {bus} has SDA and SCL swapped", "SDA belongs on GPIO{sda}, SCL on GPIO{scl}"),
    "other": (
        "on {bus} there is {found}, not a {type} (0x{address:02x})",
        "put a {type} there, or name the sensor that is there; some modules have a solder bridge for it",
    ),
}


def _sensor_fault(sensor: Mapping[str, str], board: Board, state: str, found: Sequence[Any]) -> Fault:
    kind = sensor["type"]
    uart = sensor["bus"].startswith("uart")
    what, advice = (UART if uart else I2C)[state]
    pins = board.buses[sensor["bus"]].pins
    facts = {**sensor, **pins, "address": ADDRESSES.get(kind, 0), "found": _named(found)}
    return Fault(f"sensor-{state}", what.format(**facts), advice.format(**facts))


def _named(found: Sequence[Any]) -> str:
    known = {0x62: "an SCD4x", 0x44: "an SHT4x", 0x69: "an SPS30"}
    names = [
        NAMES.get(one, str(one)) if isinstance(one, str) else f"{known.get(one, 'something')} at 0x{one:02x}"
        for one in found
    ]
    return " and ".join(names) or "something else"


PORTAL = "ask the school's network administrator to admit the node's MAC, or take another network"
WIFI = {
    "enterprise": (
        "the Wi-Fi “{ssid}” is 802.1X: it wants a person's name",
        "an ESP32 with this MicroPython can't join it: take another network in wifi.toml",
    ),
    "password": ("the Wi-Fi “{ssid}” refuses the password", "correct its password in wifi.toml"),
    "absent": (
        "the Wi-Fi “{ssid}” isn't there",
        "seen here: {seen}; an ESP32 sees 2.4 GHz alone; correct ssid in wifi.toml or go nearer",
    ),
    "refused": (
        "the Wi-Fi “{ssid}” refuses the node",
        "ask the school's network administrator to admit its MAC",
    ),
    "timeout": (
        "the Wi-Fi “{ssid}” gives no address",
        "its DHCP may be full or filter by MAC: ask the school's network administrator",
    ),
}


def _wifi_fault(ssid: str, state: str, seen: Sequence[str]) -> Fault:
    what, advice = WIFI[state]
    facts = {"ssid": ssid, "seen": ", ".join(dict.fromkeys(seen)) or "nothing at all"}
    return Fault(f"wifi-{state}", what.format(**facts), advice.format(**facts))


BROKER = {
    "name": (
        "the name {host} is unknown",
        "correct [[broker]] host in wifi.toml; the node asked the Wi-Fi's own DNS",
    ),
    "unreachable": (
        "the broker {host}:{port} can't be reached",
        "is it running, and is port {port} open from this Wi-Fi? Correct [[broker]] in wifi.toml ({why})",
    ),
    "tls": (
        "the node refuses the certificate of {host}:{port}",
        "secrets/ca.pem isn't the authority that signed it, or the name {host} isn't in it ({why})",
    ),
    "silent": (
        "{host}:{port} takes the connection and says nothing",
        "it is no MQTT broker, or one with TLS where wifi.toml says tls = false ({why})",
    ),
    "refused": (
        "the broker {host}:{port} refuses the node's user or password",
        "give the broker its new password file; answer {why}",
    ),
}


def _broker_fault(answer: Mapping[str, Any]) -> Fault:
    what, advice = BROKER[answer["state"]]
    return Fault(f"broker-{answer['state']}", what.format(**answer), advice.format(**answer))
