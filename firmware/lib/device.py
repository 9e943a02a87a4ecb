"""What node and actuator have in common: topics, presence, the time, commands and replies, info."""

import asyncio
import json

from lib import wire
from lib.clock import Clock
from lib.mqtt import Client
from lib.seldom import call
from micropython import const

VERSION = "0.1.0"
_INFO_MS = const(600000)
_NTP_MS = const(3600000)
_NTP_RETRY_MS = const(60000)


class Reboot(Exception):
    """The device is to start again; the argument is the cause."""


class Device:
    """The presence of one device on the broker; the application adds routes, operations and facts."""

    def __init__(self, config: dict, board: object, size: int = 2048) -> None:
        self.config = config
        self.board = board
        self.ticks = board.ticks
        self.clock = Clock(board.ticks)
        self.root = config["root"]
        self.base = "%s/%s/%s" % (config["root"], config["site"], config["id"])
        self.describe: object = tuple
        self.safe = False
        self.lamp: object = None
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
        self.fallback_route: object = None
        self.operations: dict = {}
        login = (config.get("user"), config.get("password"))
        will = (self.topic("status"), "offline")
        self.client = Client("gongi-" + config["id"], config["brokers"], login, will, self._arrived, size)
        self.client.keepalive = config.get("keepalive_s", 60)
        self.client.authorities = call("lib.trust", "prints", config, board.turns["ca"])
        self.client.tls = self._tls
        if board.wifi:
            self.client.network = board.wifi.join
            self.client.astray = board.wifi.failed
            self.client.joined.append(board.wifi.arrived)
        self.client.joined.append(self._joined)
        self.proved = lambda: self.client.connections > 0

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
            self.publish("info", call("lib.info", "facts", self), True)

    async def _ask_time(self) -> None:
        while True:
            utc = await self.board.utc()
            try:
                self.clock.offer(utc or 0)
                await self.ticks.sleep(_NTP_MS)
            except ValueError:  # no answer, or one of a server without a clock
                await self.ticks.sleep(_NTP_RETRY_MS)

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
        except (ValueError, TypeError, KeyError, AttributeError):
            self.malformed += 1
        except MemoryError:  # a new boot has more in one piece, and who commands asks again
            self.malformed += 1
            if topic == self.topic("cmd"):
                self.end("memory")

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
            call("lib.commands", "obey", self, command)

    def reply(self, command: dict, *facts: tuple) -> None:
        """Answer a command."""
        self.publish("reply", (("op", command["op"]), ("id", command.get("id"))) + facts)

    def end(self, cause: str) -> None:
        """Begin anew as soon as the reply has left."""
        self._ending = cause
        self._reboot.set()
