"""Safe mode after too many failed boots: the link and updates only, the output at its safe level."""

from lib.device import Device, Reboot
from lib.seldom import call
from lib.update import Update
from micropython import const

# Then it tries once more to be itself: what is measured then is worth one boot.
_RETRY_MS = const(3600000)


class Safe:
    """What a node or an actuator is while its application fails."""

    def __init__(self, config: dict, board: object) -> None:
        self.config = config
        self.board = board

    async def run(self) -> None:
        """Run until an update, a command or the next try ends it."""
        if self.config["kind"] == "actuator":
            self.board.gpio().level(self.config["safe_level"])
        device = Device(self.config, self.board)
        device.safe = True
        update = Update(device, self.board.slots)
        device.describe = lambda: (
            (("sensors", []), ("safe", True)) + call("lib.release", "described", self.board.slots)
        )
        device.proved = lambda: False  # that it lives here says nothing about the application
        await device.run(update.run(), self._try_again())

    async def _try_again(self) -> None:
        await self.board.ticks.sleep(_RETRY_MS)
        call("lib.boots", "spared", self.board.flash)
        raise Reboot("retry")
