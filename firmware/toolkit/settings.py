"""A device's configuration: what `wifi.toml`, the network files and `secrets/` say, as it reads them."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from edge.problem import Problem
from firmware.toolkit.application import drivers
from firmware.toolkit.boards import ESP32, Board
from firmware.toolkit.secrets import Credentials, tracked

WIFI = "wifi.toml"
MOST_NETWORKS = 4
EXAMPLE = """\
# wifi.toml: how a node reaches its broker. Git must not see it.
root = "gongi/v1"                 # the topics' first part
tls = true                        # with the authorities in secrets/ca.pem (and secrets/ca-next.pem)

[[network]]                       # up to four, tried in this order
ssid = "school"
password = "…"

[[network]]
ssid = "bench"
password = "…"
bench = true                      # the first one with --bench
# hidden = true
# address = "10.0.0.21"           # fixed: with mask, gateway and dns

[[broker]]                        # tried in this order
host = "gongi.school.example"
port = 8883
"""


class BadSettings(Problem):
    """A setting is missing or can't be right."""


@dataclass(frozen=True, slots=True)
class Wifi:
    """One network to join."""

    ssid: str
    password: str = ""
    bench: bool = False
    hidden: bool = False
    address: tuple[str, ...] = ()
    """A fixed address, its mask, gateway and name server; empty: the network gives one."""

    def entry(self) -> object:
        """The network as a device reads it."""
        if not (self.hidden or self.address):
            return [self.ssid, self.password]
        fixed = {"address": list(self.address)} if self.address else {}
        return {"ssid": self.ssid, "password": self.password, "hidden": self.hidden, **fixed}


@dataclass(frozen=True, slots=True)
class Reach:
    """How a device reaches its broker: networks and brokers in order."""

    networks: tuple[Wifi, ...]
    brokers: tuple[tuple[str, int], ...]
    tls: bool
    root: str
    ntp: str


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor: type, serial, and the bus where it isn't the usual one."""

    kind: str
    serial: str
    bus: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """The device to be: id, site, sensors, and what else its application reads."""

    id: str
    site: str
    sensors: tuple[Sensor, ...] = ()
    kind: str = "node"
    more: Mapping[str, Any] | None = None


def read(path: Path, bench: bool = False) -> Reach:
    """Read `wifi.toml`. Raises `BadSettings`, with an example where there is no such file."""
    if not path.is_file():
        raise BadSettings("there is no such file", str(path), f"write it, for example:\n{EXAMPLE}")
    if tracked(path):
        raise BadSettings(
            "git would track it, and it holds passwords", str(path), f"add {path.name} to .gitignore"
        )
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"it is no TOML: {error}", str(path)) from error
    networks = tuple(_network(entry, path) for entry in _tables(said, "network", path))
    brokers = tuple(_broker(entry, path) for entry in _tables(said, "broker", path))
    if len(networks) > MOST_NETWORKS:
        raise BadSettings(
            f"{len(networks)} networks; a node keeps {MOST_NETWORKS}", str(path), "take some out"
        )
    if bench:
        networks = tuple(sorted(networks, key=lambda network: not network.bench))
    return Reach(
        networks,
        brokers,
        bool(said.get("tls", any(port != 1883 for _, port in brokers))),
        str(said.get("root", "gongi/v1")),
        str(said.get("ntp", "")),
    )


def _tables(said: Mapping[str, Any], name: str, path: Path) -> list[Mapping[str, Any]]:
    entries = said.get(name)
    if not isinstance(entries, list) or not entries:
        raise BadSettings(f"it has no [[{name}]]", str(path), f"for example:\n{EXAMPLE}")
    return entries


def _network(entry: Mapping[str, Any], path: Path) -> Wifi:
    ssid, password = str(entry.get("ssid", "")), str(entry.get("password", ""))
    if not 1 <= len(ssid.encode()) <= 32:
        raise BadSettings(f"ssid {ssid!r}: 1 to 32 bytes are wanted", str(path))
    if password and not 8 <= len(password.encode()) <= 64:
        raise BadSettings(
            f"the password of {ssid!r} has {len(password)} characters: 8 to 63 are wanted", str(path)
        )
    return Wifi(ssid, password, bool(entry.get("bench")), bool(entry.get("hidden")), _fixed(entry, path))


FIXED = ("address", "mask", "gateway", "dns")


def _fixed(entry: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """A fixed address of a network's entry, empty without one."""
    if not any(name in entry for name in FIXED):
        return ()
    found = tuple(str(entry.get(name, "")) for name in FIXED)
    for name, text in zip(FIXED, found, strict=True):
        try:
            IPv4Address(text)
        except ValueError:
            what = f"{name} = {text!r} of {entry.get('ssid')!r}: an IPv4 address is wanted"
            raise BadSettings(what, str(path), f"a fixed address wants all of {', '.join(FIXED)}") from None
    return found


def _broker(entry: Mapping[str, Any], path: Path) -> tuple[str, int]:
    host, port = str(entry.get("host", "")), entry.get("port", 8883)
    if not host or "/" in host or not isinstance(port, int) or not 0 < port < 65536:
        raise BadSettings(f"broker {host!r}, port {port!r}: a host name and a port are wanted", str(path))
    return host, port


def place(sensors: Sequence[Sensor], board: Board = ESP32) -> list[dict[str, str]]:
    """Sensors with the bus that each is wired to: UARTs in order, I2C sensors share the first bus.

    Without a `board`: whether any carries them. Raises `BadSettings`.
    """
    known = drivers()
    taken: list[str] = []
    for sensor in sensors:
        bus = sensor.bus or _bus(sensor, known.get(sensor.kind, ()), taken, board)
        if bus not in board.buses:
            what = f"{sensor.kind} on {bus!r}: an {board.short} has {', '.join(board.buses)}"
            raise BadSettings(what, advice="name one of these, or take another board")
        if bus.startswith("uart") and bus in taken:
            raise BadSettings(f"two sensors on {bus}", advice="a UART carries one sensor")
        taken.append(bus)
    return [{"type": s.kind, "serial": s.serial, "bus": bus} for s, bus in zip(sensors, taken, strict=True)]


def _bus(sensor: Sensor, kinds: Sequence[str], taken: Sequence[str], board: Board) -> str:
    if not kinds:
        known = ", ".join(sorted(drivers()))
        advice = f"there is: {known}; for one of your own say {sensor.kind}:SERIAL:i2c1 and --driver FILE"
        raise BadSettings(f"there is no driver for a sensor {sensor.kind!r}", advice=advice)
    there = [bus for bus in board.buses if bus.startswith(kinds[0])]
    bus = next((bus for bus in there if kinds[0] == "i2c" or bus not in taken), "")
    if not bus:
        advice = f"an {board.short} has {' and '.join(there)} for sensors: take a board with more, or fewer"
        raise BadSettings(f"{sensor.kind} {sensor.serial} finds no free UART", advice=advice)
    return bus


def configuration(
    device: Device,
    reach: Reach,
    credentials: Credentials,
    authorities: Sequence[Path],
    board: Board = ESP32,
    built: int = 0,
) -> dict[str, bytes]:
    """The files on the board that make it this device; `built`: UTC second that its clock is never behind.
    Raises `BadSettings`."""
    if reach.tls and not authorities:
        raise BadSettings(
            "tls is wanted, and there is no certificate of the broker's authority",
            "secrets/ca.pem",
            "copy it there, or say tls = false in wifi.toml where the broker has no TLS",
        )
    pinned = {f"ca{n}.pem": path.read_bytes() for n, path in enumerate(authorities)} if reach.tls else {}
    facts: dict[str, Any] = {
        "kind": device.kind,
        "id": device.id,
        "site": device.site,
        "root": reach.root,
        "brokers": [list(broker) for broker in reach.brokers],
        "user": credentials.user,
        "password": credentials.password,
        "wifi": [network.entry() for network in reach.networks],
        "pins": board.pins(),
        "built": built,
        **(device.more or {}),
    }
    if device.kind == "node":
        facts["sensors"] = place(device.sensors, board)
    if reach.ntp:
        facts["ntp"] = reach.ntp
    if pinned:
        facts["tls"] = {"ca": [f"/{name}" for name in pinned]}
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
    return {**pinned, "update.key": credentials.key.encode(), "config.json": text.encode()}
