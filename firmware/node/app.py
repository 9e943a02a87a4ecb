"""The node: senses the air, keeps it, tells it."""

from lib.device import Device
from lib.kept import Kept
from lib.seldom import call
from lib.spool import Spool
from lib.update import Update
from micropython import const
from node.sampling import Sampler, Sensors, full_rows
from node.sending import Sender

_KEEP_MS = const(3600000)


class Node:
    """One node of a room or of the outdoors."""

    def __init__(self, config: dict, board: object) -> None:
        self.config = config
        self.board = board
        self.kept = Kept(board.flash + "/kept.json")

    async def run(self) -> None:
        """Run until a reboot is asked for."""
        self.kept.load()
        self.device = Device(self.config, self.board)
        self.sensors = Sensors(self.config, self.board, self.kept.facts.get("hours", {}))
        columns = self.sensors.columns
        rows = full_rows(self.config, len(columns))
        limit = self.config.get("spool_bytes", 1 << 20)
        self.spool = Spool(self.board.flash + "/spool", columns, limit, rows=rows)
        self.spool.start(self.board.cause)
        self.sender = Sender(self.device, self.spool)
        self.update = Update(self.device, self.board.slots)
        self.update.works = self.sensors.worked
        self.device.describe = self._describe
        self.sampler = Sampler(self.config, self.device.clock, self.spool, self.sensors, self.sender.pump)
        self.sampler.watch = call("node.fitting", "watch", self)
        self.device.proved = lambda: self.sampler.sampled > 0 and self.device.client.connected
        self.device.stalled = self.sampler.stalled
        self.device.silent = self.sensors.silent
        try:
            await self.device.run(self.sampler.run(), self._keep_hours(), self.update.run())
        finally:  # whatever ends it but the power
            self._store_hours()

    def _describe(self) -> tuple:
        return call("node.info", "facts", self)

    async def _keep_hours(self) -> None:
        while True:
            await self.board.ticks.sleep(_KEEP_MS)
            self._store_hours()

    def _store_hours(self) -> None:
        self.kept.facts["hours"] = self.sensors.hours(self.device.clock.up())
        self.kept.store()
