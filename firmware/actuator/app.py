"""The actuator: obeys, says so, and never hangs on a dead gateway."""

import json

from actuator.control import Control
from actuator.room import AHEAD_S, Room
from lib import ticks as tick
from lib.device import Device
from lib.kept import Kept
from lib.seldom import call
from lib.update import Update
from lib.wire import Scaled
from micropython import const

_STATE_S = const(60)
# It hears the batches of its room's nodes.
_IN_BYTES = const(8400)
_KEEP_S = const(3600)
# The output is looked at every second; where time runs faster, not more often than this [machine ms].
_STEP_MS = const(1000)
_LEAST_MS = const(100)


class Actuator:
    """One purifier, ventilator or cleaner behind relays or a PWM output."""

    def __init__(self, config: dict, board: object) -> None:
        self.config = config
        self.board = board
        self.kept = Kept(board.flash + "/kept.json")

    async def run(self) -> None:
        """Run until a reboot is asked for."""
        self._begin()
        await self.device.run(self._control_ever(), self.update.run())

    def _begin(self) -> None:
        self.kept.load()
        self.kept.facts["boot"] = self.kept.facts.get("boot", 0) + 1
        self.kept.store()
        self.device = Device(self.config, self.board, _IN_BYTES)
        self.clock = self.device.clock
        self.update = Update(self.device, self.board.slots)
        self.gpio = self.board.gpio()
        ahead_s = (self.config.get("fallback") or {}).get("ahead_s", AHEAD_S)
        self.room = Room(self.config.get("batch_s", 60), ahead_s)
        self.control = Control(self.config, self.room)
        self.level, self.cause = self.control.safe, "safe"
        self.name: str | None = None
        self._ran_ms = 0
        self._subscribe()

    def _subscribe(self) -> None:
        device = self.device
        device.describe = self._describe
        device.routes[device.topic("set")] = self._set
        for site, node in self.config.get("room_nodes", []):
            for leaf, hear in (("obs", self.room.hear), ("forecast", self.room.expect)):
                device.routes["%s/%s/%s/%s" % (device.root, site, node, leaf)] = self._listener(node, hear)
        device.client.subscriptions.append(device.root + "/gateway/+/status")
        device.fallback_route = self._gateway
        device.client.joined.append(self._say)

    def _listener(self, node: str, hear: object) -> object:
        def heard(payload: bytes) -> None:
            hear(node, payload, self.clock.up(), self.clock.utc())

        return heard

    def _set(self, payload: bytes) -> None:
        if self.control.obey(json.loads(payload), self.clock.up(), self.clock.utc()):
            self._decide()
            self._say()

    def _gateway(self, topic: str, payload: bytes) -> None:
        if bytes(payload) == b"online":  # a gateway that has begun wants to know
            self._say()

    async def _control_ever(self) -> None:
        said = kept = self.clock.up()
        before = self.board.ticks.now()
        while True:
            before = self._count(before)
            for _ in range(self.gpio.pressed()):
                self.control.press(self.level, self.clock.up())
                self._decide()
            changed = self._decide()
            up = self.clock.up()
            if changed or up - said >= _STATE_S:
                self._say()
                said = up
            if up - kept >= _KEEP_S:
                self.kept.store()
                kept = up
            await self.board.ticks.sleep(max(_STEP_MS, _LEAST_MS * self.board.ticks.speed))

    def _count(self, before: int) -> int:
        now = self.board.ticks.now()
        if self.level:
            self._ran_ms += tick.diff(now, before)
            self.kept.facts["filter_s"] = self.kept.facts.get("filter_s", 0) + self._ran_ms // 1000
            self._ran_ms %= 1000
        return now

    def _decide(self) -> bool:
        """Set the output; return whether anything is different now."""
        up = self.clock.up()
        expired = self.control.expire(up, self.clock.utc())
        level, cause = self.control.decide(up)
        command = self.control.command
        name = command.name if command else None
        before = (self.level, self.cause, self.name)
        self.level, self.cause, self.name = level, cause, name
        self.gpio.level(level)
        if expired:
            self._say_as("expired", expired)
        return before != (level, cause, name)

    def _say(self) -> None:
        self._say_as(self.cause, self.name)

    def _say_as(self, cause: str, name: str | None) -> None:
        self.device.publish(
            "state",
            (
                ("level", self.level),
                ("cause", cause),
                ("id", name),
                ("filter_h", Scaled(self.kept.facts.get("filter_s", 0) // 360, 10)),
                ("at", self.clock.utc()),
            ),
            True,
        )

    def _describe(self) -> tuple:
        return call("actuator.info", "facts", self)
