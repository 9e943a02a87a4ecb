"""The node: senses the air, keeps it, tells it."""

from lib.device import Device
from lib.kept import Kept
from lib.spool import Spool
from lib.update import Update, described
from lib.wire import Scaled
from node.sampling import Sampler, Sensors
from node.sending import Sender

KEEP_MS = 3600000


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
        self.spool = Spool(
            self.board.flash + "/spool", self.sensors.columns, self.config.get("spool_bytes", 1 << 20)
        )
        self.spool.start(self.board.cause)
        self.sender = Sender(self.device, self.spool)
        self.update = Update(self.device, self.board.slots)
        self.update.works = self.sensors.worked
        self.device.describe = self._describe
        self.sampler = Sampler(self.config, self.device.clock, self.spool, self.sensors, self.sender.pump)
        try:
            await self.device.run(self.sampler.run(), self._keep_hours(), self.update.run())
        finally:  # whatever ends it but the power
            self._store_hours()

    def _describe(self) -> tuple:
        spool = self.spool
        return (
            ("sensors", [self._sensor(*pair) for pair in zip(self.sensors.entries, self.sensors.drivers)]),
            ("log", spool.log),
            ("first", spool.first),
            ("next", spool.end),
            ("cursor", spool.cursor),
            ("boot", spool.boot),
            ("dropped", spool.dropped),
            ("damaged", spool.damaged),
            ("late", self.sampler.late),
            ("busy", self.sender.busy),
        ) + described(self.board.slots)

    def _sensor(self, entry: dict, driver: object) -> tuple:
        hours = Scaled(self.sensors.ran(entry["serial"], self.device.clock.up()), 10)
        trouble = self.sensors.troubles.get(entry["serial"])
        return (
            ("type", entry["type"]),
            ("serial", entry["serial"]),
            ("hours", hours),
            ("errors", driver.errors()),
        ) + ((("error", trouble),) if trouble else ())

    async def _keep_hours(self) -> None:
        while True:
            await self.board.ticks.sleep(KEEP_MS)
            self._store_hours()

    def _store_hours(self) -> None:
        self.kept.facts["hours"] = self.sensors.hours(self.device.clock.up())
        self.kept.store()
