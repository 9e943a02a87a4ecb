"""Updates of the application, as far as they stay in memory: what `info` says, and the way to the rest."""

import asyncio


class Refused(Exception):
    """The release, or a part of it, isn't taken; the argument is the word for why."""


class Update:
    """Hears offers and chunks, which load `lib.download`; a version on trial loads `lib.trial`.

    `works()` names the sensors that have said something in this boot.
    """

    def __init__(self, device: object, slots: object) -> None:
        self.device = device
        self.slots = slots
        self.works = list
        self.whole = asyncio.Event()
        self._download = None
        device.operations["update"] = device.operations["chunk"] = self._hear

    def describe(self) -> tuple:
        """Return what `info` says of it."""
        facts = self.slots.facts
        trial = facts["tried"] if self.slots.on_trial else None
        return (("release", facts["release"]), ("trial", trial), ("failed", facts["failed"]))

    async def run(self) -> None:
        """Prove what runs, if it is on trial; then switch to a release that has wholly arrived."""
        if self.slots.facts["trial"] is not None:
            from lib.trial import prove

            await prove(self)
        while True:
            await self.whole.wait()
            self.whole.clear()
            await self._download.switch()

    def _hear(self, command: dict) -> None:
        if not self._download:
            from lib.download import Download

            self._download = Download(self)
        self._download.hear(command)
