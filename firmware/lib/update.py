"""Updates of the application, as far as they stay in memory.

A release is received in a boot of its own (`lib.receiver`), which has the whole heap for it; the boot after
that tries it out (`lib.trial`).
"""

import asyncio

from lib.device import Reboot
from lib.seldom import call


class Update:
    """Hears offers; `works()` names the sensors that have said something in this boot."""

    def __init__(self, device: object, slots: object) -> None:
        self.device = device
        self.slots = slots
        self.works: object = list
        self._offered = asyncio.Event()
        device.operations["update"] = self._offer

    async def run(self) -> None:
        """Prove what runs, if it is on trial; end the boot when a release is offered."""
        if self.slots.facts["trial"] is not None:
            await call("lib.trial", "prove", self)
        await self._offered.wait()
        await asyncio.sleep_ms(200)  # lets the reply leave
        raise Reboot("update")

    def _offer(self, command: dict) -> None:
        word = call("lib.release", "take", self, command["release"])
        if not word:
            self._offered.set()
        self.device.reply(
            command, ("release", command["release"]), ("error", word) if word else ("receiving", True)
        )
