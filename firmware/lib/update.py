"""Updates of the application, as far as they stay in memory: what `info` says, and the way to the rest.

A release is received in a boot of its own (`lib.receiver`), which has the whole heap for it; the boot after
that tries it out (`lib.trial`).
"""

import asyncio

from lib.device import Reboot

# A node that is so young may not have read its sensors yet, and then a trial would prove too little.
EARLY_S = 120


class Refused(Exception):
    """The release, or a part of it, isn't taken; the argument is the word for why."""


def judge(slots: object, release: int) -> None:
    """Raise Refused for a release that isn't to be received now, or ever."""
    if slots.facts["trial"] is not None:
        raise Refused("trial")
    if release <= max(slots.facts["tried"], slots.facts["release"]):
        raise Refused("older")


def described(slots: object) -> tuple:
    """Return what `info` says of updates."""
    facts = slots.facts
    trial = facts["tried"] if slots.on_trial else None
    return (("release", facts["release"]), ("trial", trial), ("failed", facts["failed"]))


class Update:
    """Hears offers; `works()` names the sensors that have said something in this boot."""

    def __init__(self, device: object, slots: object) -> None:
        self.device = device
        self.slots = slots
        self.works = list
        self._offered = asyncio.Event()
        device.operations["update"] = self._offer
        device.operations["chunk"] = self._chunk

    def describe(self) -> tuple:
        """Return what `info` says of it."""
        return described(self.slots)

    async def run(self) -> None:
        """Prove what runs, if it is on trial; end the boot when a release is offered."""
        if self.slots.facts["trial"] is not None:
            from lib.trial import prove

            await prove(self)
        await self._offered.wait()
        await asyncio.sleep_ms(200)  # lets the reply leave
        raise Reboot("update")

    def _offer(self, command: dict) -> None:
        release = ("release", int(command["release"]))
        try:
            judge(self.slots, release[1])
            self._early()
            self.slots.store(receiving={"worked": self.works(), "boots": 0})
        except Refused as why:
            self.device.reply(command, release, ("error", why.args[0]))
        except OSError:
            self.device.reply(command, release, ("error", "room"))
        else:
            self.device.reply(command, release, ("receiving", True))
            self._offered.set()

    def _early(self) -> None:
        wanted = len(self.device.config.get("sensors", ()))
        if len(self.works()) < wanted and self.device.clock.up() < EARLY_S:
            raise Refused("early")

    def _chunk(self, command: dict) -> None:
        self.device.reply(command, ("release", command["release"]), ("error", "offer"))
