"""Updates of the application, as far as they stay in memory.

A release is received in a boot of its own (`lib.receiver`), which has the whole heap for it; the boot after
that tries it out (`lib.trial`).
"""

import asyncio
import sys

from lib.device import Reboot


def described(slots: object) -> tuple:
    """Return what `info` says of updates."""
    facts = slots.facts
    trial = facts["tried"] if slots.on_trial else None
    return (("release", facts["release"]), ("trial", trial), ("failed", facts["failed"]))


def word_against(slots: object, release: int) -> str:
    """Return why a release isn't to be received now, or ever; "" when it is."""
    if slots.facts["trial"] is not None:
        return "trial"
    return "older" if release <= max(slots.facts["tried"], slots.facts["release"]) else ""


class Update:
    """Hears offers; `works()` names the sensors that have said something in this boot."""

    def __init__(self, device: object, slots: object) -> None:
        self.device = device
        self.slots = slots
        self.works = list
        self._offered = asyncio.Event()
        device.operations["update"] = self._offer

    async def run(self) -> None:
        """Prove what runs, if it is on trial; end the boot when a release is offered."""
        if self.slots.facts["trial"] is not None:
            from lib.trial import prove

            await prove(self)
            # It was needed this once: its memory is the application's now.
            del prove, sys.modules["lib.trial"]
            sys.modules["lib"].__dict__.pop("trial", None)
        await self._offered.wait()
        await asyncio.sleep_ms(200)  # lets the reply leave
        raise Reboot("update")

    def _offer(self, command: dict) -> None:
        works = self.works()
        word = word_against(self.slots, command["release"])
        # So young it may not have read its sensors yet, and then a trial would prove too little.
        if (
            not word
            and len(works) < len(self.device.config.get("sensors", ()))
            and self.device.clock.up() < 120
        ):
            word = "early"
        if not word:
            word = "trial" if self.device.board.turns["turning"] else self._leave(works)
        self.device.reply(
            command, ("release", command["release"]), ("error", word) if word else ("receiving", True)
        )

    def _leave(self, works: list) -> str:
        try:
            self.slots.store(receiving={"worked": works, "boots": 0})
        except OSError:
            return "room"
        self._offered.set()
        return ""
