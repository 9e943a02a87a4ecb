"""A node and an actuator in Python that speak the wire as the firmware does; see `gateway.world.virtual`."""

import contextlib
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.world.configuration import Brokers
from gateway.world.link import Events, Link
from gateway.world.sensing import Sense
from gateway.world.world import World

INFO, STATE = 600, 60
FLYING = 20
"""Batches published and not yet acknowledged."""
HELD = 4320
"""Batches that a spool holds: 72 h at one a minute."""
TTL = 300
MASSES = ("pm1_cf1", "pm25_cf1", "pm10_cf1", "pm1", "pm25", "pm10")
PARTICLES = (*MASSES, "n03", "n05", "n10", "n25", "n50", "n100")
GASES = ("co2", "temp", "rh")
Row = dict[str, float | None]


@dataclass(slots=True)
class Flash:
    """What outlives a device's power: its log with the newest batches, the next sequence, the send cursor."""

    log: str = field(default_factory=lambda: f"{random.getrandbits(32):08x}")
    batches: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HELD))
    next: int = 1
    cursor: int = 1
    boot: int = 0

    def append(self, batch: dict[str, Any]) -> None:
        """Give a batch its place in the log."""
        self.batches.append({"log": self.log, "seq": self.next, "boot": self.boot, **batch})
        self.next += 1

    def read(self, sequence: int) -> dict[str, Any] | None:
        """The batch of that sequence, or None when it is no longer held."""
        place = sequence - self.first
        return self.batches[place] if 0 <= place < len(self.batches) else None

    @property
    def first(self) -> int:
        """The oldest sequence held."""
        return self.next - len(self.batches)


class Device:
    """What node and actuator have in common: connection, will, status, info, time."""

    def __init__(self, world: World, config: dict[str, Any], brokers: Brokers, flash: Flash) -> None:
        self.world, self.config, self.flash = world, config, flash
        self.base = f"{config['root']}/{config['site']}/{config['id']}"
        self.offset: int | None = None
        self.booted = world.now()
        self.told = -INFO
        flash.boot += 1
        self.routes: dict[str, Callable[[Any], None]] = {f"{config['root']}/time": self._time}
        events = Events(self._joined, self._parted, self._heard, self._arrived)
        self.link = Link(config["id"], brokers, (f"{self.base}/status", "offline"), events)

    @property
    def up(self) -> int:
        """Whole simulated seconds since it was switched on."""
        return int(self.world.now() - self.booted)

    def live(self) -> None:
        """Do what is due; called some times a second."""
        if self.link.connected and self.up - self.told >= INFO:
            self.told = self.up
            self.publish("info", self.facts(), True)

    def facts(self) -> dict[str, Any]:
        """The content of `info`."""
        own = {"kind": self.config["kind"], "chip": "python", "boot": self.flash.boot, "cause": "power"}
        return {"app": "virtual", **own, "up": self.up, "dropped": 0}

    def publish(self, leaf: str, content: dict[str, Any], retain: bool = False) -> int:
        """Publish JSON at QoS 1; returns the packet's id."""
        payload = json.dumps(content, separators=(",", ":"))
        return self.link.publish(f"{self.base}/{leaf}", payload, retain)

    def _joined(self) -> None:
        self.link.subscribe((*self.routes, f"{self.base}/status"))
        self.link.publish(f"{self.base}/status", "online", True)
        self.told = -INFO

    def _parted(self) -> None:
        """The connection is lost."""

    def _arrived(self, mid: int) -> None:
        """The broker has acknowledged a packet."""

    def _heard(self, topic: str, payload: bytes) -> None:
        if payload == b"offline":  # the will of an earlier connection that was noticed late
            self.link.publish(f"{self.base}/status", "online", True)
            return
        with contextlib.suppress(ValueError, KeyError, TypeError):  # what it can't read it ignores
            self.routes[topic](json.loads(payload))

    def _time(self, second: Any) -> None:
        offset = int(second) - self.up
        if self.offset is None or abs(offset - self.offset) > 60:
            self.offset = offset


class Node(Device):
    """Samples, keeps, publishes, and sends again what is asked for."""

    def __init__(self, world: World, config: dict[str, Any], brokers: Brokers, flash: Flash) -> None:
        super().__init__(world, config, brokers, flash)
        sensors = config["sensors"]
        self.senses = [(world.sense(part["serial"], config["id"]), part["type"]) for part in sensors]
        self.rows: list[Row] = []
        self.begun = self.up
        self.sent, self.flying = flash.cursor, dict[int, int]()
        self.routes[f"{self.base}/cmd"] = self._command

    def live(self) -> None:
        """Sample on the grid, close full batches, send what isn't sent."""
        dt = self.config["sample_s"]
        while (due := self.begun + dt * len(self.rows)) <= self.up:
            self.rows.append(self._row(self.booted + due))
            if len(self.rows) * dt >= self.config["batch_s"]:
                self._close(dt)
        super().live()
        self._pump()

    def facts(self) -> dict[str, Any]:
        """The content of `info`, sensors included."""
        hours = round(self.up / 3600, 1)
        parts = [(part["type"], part["serial"]) for part in self.config["sensors"]]
        sensors = [{"type": kind, "serial": serial, "hours": hours, "errors": {}} for kind, serial in parts]
        flash = self.flash
        held = {"log": flash.log, "first": flash.first, "next": flash.next, "cursor": flash.cursor}
        return super().facts() | {"sensors": sensors, **held}

    def _row(self, time: float) -> Row:
        row: Row = {}
        for sense, kind in self.senses:  # of what two sensors measure the first one's stands
            row = _said(sense, kind, time, time - self.booted) | row
        return row

    def _close(self, dt: int) -> None:
        columns = {name: [row[name] for row in self.rows] for name in self.rows[0]}
        t0 = None if self.offset is None else self.begun + self.offset
        self.flash.append({"up": self.begun, "t0": t0, "dt": dt, **columns})
        self.begun += dt * len(self.rows)
        self.rows = []

    def _pump(self) -> None:
        self.sent = max(self.sent, self.flash.first)
        while self.link.connected and len(self.flying) < FLYING and self.sent < self.flash.next:
            batch = self.flash.read(self.sent)
            if batch:
                self.flying[self.publish("obs", batch)] = self.sent
            self.sent += 1

    def _arrived(self, mid: int) -> None:
        self.flying.pop(mid, None)
        self.flash.cursor = min(self.flying.values(), default=self.sent)

    def _parted(self) -> None:
        self.flying.clear()
        self.sent = self.flash.cursor

    def _command(self, command: Any) -> None:
        answer: dict[str, Any] = {"op": command["op"], "id": command.get("id")}
        self.publish("reply", answer | _OPERATIONS.get(command["op"], Node._unknown)(self, command))

    def _resend(self, command: Any) -> dict[str, Any]:
        if command["log"] != self.flash.log:
            return {"error": "log", "log": self.flash.log}
        first, last = int(command["from"]), int(command["to"])
        held = range(max(first, self.flash.first), min(last, self.flash.next - 1) + 1)
        for sequence in held:
            self.publish("obs", self.flash.read(sequence) or {})
        gone = [[first, min(last, self.flash.first - 1)]] if first < self.flash.first else []
        return {"log": self.flash.log, "from": first, "to": last, "sent": len(held), "gone": gone}

    def _ok(self, command: Any) -> dict[str, Any]:
        return {"ok": True}

    def _unknown(self, command: Any) -> dict[str, Any]:
        return {"error": "unknown op"}


_OPERATIONS: dict[str, Callable[[Node, Any], dict[str, Any]]] = {"resend": Node._resend, "identify": Node._ok}


class Actuator(Device):
    """Obeys a command until it expires, then stands at its safe level."""

    def __init__(self, world: World, config: dict[str, Any], brokers: Brokers, flash: Flash) -> None:
        super().__init__(world, config, brokers, flash)
        self.level, self.cause, self.name = -1, "safe", None
        self.last: tuple[int, int] | None = None
        self.ends = 0
        self.said = -STATE
        self.routes[f"{self.base}/set"] = self._set
        self._turn(config["safe_level"], "safe", None)

    def live(self) -> None:
        """Fall back when the command has expired; say the state once a minute."""
        if self.name is not None and self.up >= self.ends:
            self._say(cause="expired")
            self.last = None
            self._turn(self.config["safe_level"], "safe", None)
        super().live()
        if self.link.connected and self.up - self.said >= STATE:
            self._say()

    def _set(self, command: Any) -> None:
        term, counter = str(command["id"]).split("-")
        number, ttl = (int(term), int(counter)), int(command.get("ttl") or TTL)
        left = ttl if self.offset is None else int(command["issued"]) + ttl - self.offset - self.up
        if self.last is not None and number <= self.last:
            if number == self.last:
                self._say()
            return
        if left > 0 and 0 <= int(command["level"]) < self.config["levels"]:
            self.last, self.ends = number, self.up + min(left, ttl)
            self._turn(int(command["level"]), "command", command["id"])

    def _turn(self, level: int, cause: str, name: Any) -> None:
        self.level, self.cause, self.name = level, cause, name
        machine = self.world.machines[self.config["id"]]
        self.world.wiring.call(lambda: machine.turn(level))
        self._say()

    def _say(self, cause: str = "") -> None:
        self.said = self.up
        if not self.link.connected:
            return
        hours = round(self.world.machines[self.config["id"]].filter_hours, 1)
        at = None if self.offset is None else self.up + self.offset
        said = {"level": self.level, "cause": cause or self.cause, "id": self.name}
        self.publish("state", {**said, "filter_h": hours, "at": at}, True)


KINDS: dict[str, type[Device]] = {"node": Node, "actuator": Actuator}


def _said(sense: Sense, kind: str, time: float, awake: float) -> Row:
    """A sensor's columns; the same nulls as the firmware's when it is silent."""
    names, say = SAYS.get(kind, SAYS["scd4x"])
    said = say(sense, time, awake)
    return dict(zip(names, [round(value, 2) for value in said] if said else [None] * len(names), strict=True))


def _number_above(sense: Sense, time: float, awake: float) -> tuple[float, ...] | None:
    """An SPS30's columns."""
    words = sense.words(time, awake)
    return (*words[:3], *words[6:10]) if words else None


Say = Callable[[Sense, float, float], tuple[float, ...] | None]
_PLANTOWER: tuple[tuple[str, ...], Say] = (PARTICLES, Sense.words)
_CLIMATE: tuple[tuple[str, ...], Say] = (("temp", "rh"), lambda sense, time, awake: sense.climate(time))
SAYS: dict[str, tuple[tuple[str, ...], Say]] = {
    "pms5003": _PLANTOWER,
    "pms7003": _PLANTOWER,
    "sds011": (("pm25", "pm10"), Sense.dust),
    "sps30": (("pm1", "pm25", "pm10", "n03", "n05", "n10", "n25"), _number_above),
    "scd4x": (GASES, lambda sense, time, awake: sense.gas(time)),
    **dict.fromkeys(("sht4x", "sht40", "sht41", "sht45"), _CLIMATE),
}
"""By type of sensor: its columns, and what it says."""
