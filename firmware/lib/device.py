"""What node and actuator have in common: topics, presence, the time, commands and replies, info."""

import asyncio
import binascii
import gc
import json
import sys

from lib import wire
from lib.clock import Clock
from lib.mqtt import Client
from lib.seldom import call
from micropython import const

VERSION = "0.1.0"
_INFO_MS = const(600000)
_NTP_MS = const(3600000)
_NTP_RETRY_MS = const(60000)
# Facts about the wiring and secrets are not what the gateway compares.
_UNHASHED = const(("sim", "user", "password", "brokers", "update_key", "wifi", "tls", "pins", "built"))


class Reboot(Exception):
    """The device is to start again; the argument is the cause."""


def config_hash(config: dict) -> str:
    """Return 8 hex digits that change when the configuration does."""
    facts = ["%s=%r" % (k, config[k]) for k in sorted(config) if k not in _UNHASHED]
    return "%08x" % binascii.crc32("\n".join(facts).encode())


class Device:
    """The presence of one device on the broker; the application adds routes, operations and facts."""

    def __init__(self, config: dict, board: object, in_bytes: int = 2048) -> None:
        self.config = config
        self.board = board
        self.ticks = board.ticks
        self.clock = Clock(board.ticks)
        self.root = config["root"]
        self.base = "%s/%s/%s" % (config["root"], config["site"], config["id"])
        self.describe = tuple
        self.safe = False
        self.lamp = None
        self.proved = lambda: self.client.connections > 0
        self.stalled = self.silent = lambda: False
        self.unknown = 0
        self.malformed = 0
        self._reboot = asyncio.Event()
        self._ending = "reboot"
        self._info_due = asyncio.Event()
        self.routes = {
            self.topic("status"): self._status,
            self.topic("cmd"): self._command,
            self.root + "/time": self._time,
        }
        self.fallback_route = None
        self.operations = {
            "identify": self._identify,
            "reboot": self._restart,
            "crashes": self._crashes,
            "reconfigure": self._reconfigure,
        }
        login = (config.get("user"), config.get("password"))
        will = (self.topic("status"), "offline")
        self.client = Client("gongi-" + config["id"], config["brokers"], login, will, self._arrived, in_bytes)
        self.client.keepalive = config.get("keepalive_s", 60)
        self.client.authorities = call("lib.trust", "prints", config, board.turns["ca"])
        self.client.tls = self._tls
        if board.wifi:
            self.client.network = board.wifi.join
            self.client.astray = board.wifi.failed
            self.client.joined.append(board.wifi.arrived)
        self.client.joined.append(self._joined)

    def topic(self, name: str) -> str:
        """Return this device's topic."""
        return self.base + "/" + name

    def publish(self, name: str, facts: tuple, retain: bool = False) -> None:
        """Publish an object when connected; presence and replies are repeated by who needs them."""
        if self.client.connected:
            self.client.send(self.topic(name), lambda sheet: wire.put(sheet, facts), retain)

    def inform(self) -> None:
        """Publish `info` soon."""
        self._info_due.set()

    async def run(self, *work: object) -> None:
        """Run the application's work beside the presence until a reboot is asked for or something breaks."""
        self.client.subscriptions = list(self.routes) + self.client.subscriptions
        tasks = [self._watch_reboot(), self.client.run(), self._inform_ever()] + list(work)
        if self.board.turns["turning"]:
            tasks.append(call("lib.turns", "prove", self))
        if self.board.utc:
            self.board.set_clock(max(self.config.get("built", 0), self.board.utc_kept))
            tasks.append(self._ask_time())
        if self.board.led:
            from lib.lamp import Lamp

            self.lamp = Lamp(self.board.led, self)
            tasks.append(self.lamp.run())
        from lib.care import watch

        tasks.append(watch(self))
        await asyncio.gather(*tasks)

    async def _watch_reboot(self) -> None:
        await self._reboot.wait()
        await asyncio.sleep_ms(200)  # lets the reply leave
        raise Reboot(self._ending)

    async def _inform_ever(self) -> None:
        while True:
            try:
                await asyncio.wait_for_ms(self._info_due.wait(), _INFO_MS // self.ticks.speed)
            except asyncio.TimeoutError:
                pass
            self._info_due.clear()
            self.publish("info", self._facts() + self.describe(), True)

    async def _ask_time(self) -> None:
        while True:
            utc = await self.board.utc()
            try:
                self.clock.offer(utc or 0)
                await self.ticks.sleep(_NTP_MS)
            except ValueError:  # no answer, or one of a server without a clock
                await self.ticks.sleep(_NTP_RETRY_MS)

    def _facts(self) -> tuple:
        gc.collect()
        c = self.config
        return (
            ("app", VERSION),
            ("mpy", "%d.%d.%d" % sys.implementation[1][:3]),
            ("kind", c["kind"]),
            ("chip", self.board.chip),
            ("config", config_hash(c)),
            ("cause", self.board.cause),
            ("failures", self.board.failures),
            ("crash", self.board.crash),
            ("wifi", self.board.wifi.told() if self.board.wifi else None),
            ("heap", gc.mem_free()),
            ("turn", self.board.turns["turn"]),
            ("turning", self.board.turns["turning"]),
            ("turned", self.board.turns["turned"]),
            ("trusts", self.client.authorities),
            ("ca", self.client.ca),
            ("broker", self.client.broker),
            ("rssi", self.board.rssi()),
            ("supply", self.board.supply()),
            ("up", self.clock.up()),
            ("connections", self.client.connections),
            ("oversize", self.client.oversize),
            ("denied", self.client.denied),
            ("malformed", self.malformed),
        )

    def _tls(self, name: str) -> object:
        return call("lib.trust", "context", self.config, name)

    def _joined(self) -> None:
        client = self.client
        if client.ca and client.ca != client.authorities[0]:
            client.authorities = sorted(client.authorities, key=lambda one: one != client.ca)
            call("lib.turns", "proved", self.board.flash, client.ca)
        self.client.send(self.topic("status"), b"online", True)
        self.inform()

    def _arrived(self, topic: str, payload: bytes) -> None:
        route = self.routes.get(topic)
        try:
            if route:
                route(payload)
            elif self.fallback_route:
                self.fallback_route(topic, payload)
        except (ValueError, TypeError, KeyError, AttributeError, MemoryError):
            self.malformed += 1

    def _status(self, payload: bytes) -> None:
        if bytes(payload) == b"offline":  # the will of an earlier connection that was noticed late
            self.client.send(self.topic("status"), b"online", True)

    def _time(self, payload: bytes) -> None:
        self.clock.offer(int(bytes(payload)))

    def _command(self, payload: bytes) -> None:
        command = json.loads(payload)
        operation = self.operations.get(command["op"])
        if operation:
            operation(command)
        else:
            self.unknown += 1
            self.reply(command, ("error", "unknown op"))

    def reply(self, command: dict, *facts: tuple) -> None:
        """Answer a command."""
        self.publish("reply", (("op", command["op"]), ("id", command.get("id"))) + facts)

    def _crashes(self, command: dict) -> None:
        crashes = call("lib.crashes", "read", self.board.flash)
        self.reply(command, ("crashes", [tuple(crash.items()) for crash in crashes]))

    def _reconfigure(self, command: dict) -> None:
        word = call("lib.turns", "take", self, command)
        self.reply(command, ("turn", command.get("turn")), ("error", word) if word else ("trial", True))
        if not word:
            self._ending = "turn"
            self._reboot.set()

    def _identify(self, command: dict) -> None:
        if self.lamp:
            self.lamp.identify()
        self.board.identify()
        self.reply(command, ("ok", True))

    def _restart(self, command: dict) -> None:
        self.reply(command, ("ok", True))
        self._reboot.set()
