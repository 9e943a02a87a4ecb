"""The application of a boot that receives a release: offered, taken in pieces, read back, then run."""

import asyncio
import binascii
import errno

from lib import ticks as tick
from lib.device import Device, Reboot
from lib.release import described, word_against
from lib.seal import key
from lib.stage import Refused, Stage
from micropython import const

# The stream is flushed and acknowledged at multiples of this.
_UNIT = const(4096)
# Without progress for so long, or in so many boots, the device goes back to its work. [machine ms]
_IDLE_MS = const(120000)
_BOOTS = const(8)
# Words after which whoever offers may offer again; the others end the boot.
_AGAIN = const(("chunk", "offer", "sum"))


class Receiver:
    """Presence and the stage, nothing else: sensors rest meanwhile, an output stands at its safe level."""

    def __init__(self, config: dict, board: object) -> None:
        self.config = config
        self.board = board
        self.slots = board.slots
        self.stage: object = None
        self._ticks = tick.Ticks()
        self._heard = self._ticks.now()
        self._whole = asyncio.Event()
        self._over = False
        self._command: dict = {}
        self._told = -1

    async def run(self) -> None:
        """Run until the release is whole, refused, or doesn't come."""
        self._count()
        if self.config["kind"] == "actuator":
            self.board.gpio().level(self.config["safe_level"])
        self.device = Device(self.config, self.board)
        self.device.describe = self._describe
        self.device.operations["update"] = self.device.operations["chunk"] = self._hear
        await self.device.run(self._switch_ever(), self._watch())

    def _describe(self) -> tuple:
        return (("receiving", True),) + described(self.slots)

    def _count(self) -> None:
        receiving = self.slots.facts["receiving"]
        if receiving["boots"] >= _BOOTS:
            self._leave()
        self.slots.store(receiving=dict(receiving, boots=receiving["boots"] + 1))

    def _leave(self) -> None:
        self.slots.store(receiving=None)
        raise Reboot("update")

    async def _watch(self) -> None:
        while not self._over and tick.diff(self._ticks.now(), self._heard) < _IDLE_MS:
            await asyncio.sleep_ms(200)
        self._leave()

    def _hear(self, command: dict) -> None:
        """Do what the command says, or say the word for why not."""
        try:
            if not self.stage:
                self.stage = self._found()
            (self._offer if command["op"] == "update" else self._chunk)(command)
            self._heard = self._ticks.now()
        except Refused as why:
            self._refuse(command, why.args[0])
        except OSError as error:  # the key isn't there, or the flash is full
            self._refuse(command, "key" if error.errno == errno.ENOENT else "room")

    def _found(self) -> Stage:
        config, slots = self.config, self.slots
        stage = Stage(slots, (config["id"], config["kind"], self.board.chip), key(config, slots.root))
        stage.resume()
        return stage

    def _offer(self, command: dict) -> None:
        word = word_against(self.slots, command["release"])
        if word:
            raise Refused(word)
        self.stage.offer(int(command["release"]), int(command["manifest"]), str(command["mac"]))
        self._answer(command)

    def _chunk(self, command: dict) -> None:
        if not self.stage.offered or self.stage.offered[0] != command["release"]:
            raise Refused("offer")
        if self.stage.at == command["at"]:
            self._take(command, self._data(command))
        elif self._told != self.stage.at:  # once: who hears nothing offers again
            self._told = self.stage.at
            self._say(dict(command, op="update"))

    def _data(self, command: dict) -> bytes:
        try:
            data = binascii.a2b_base64(command["data"])
        except ValueError:
            raise Refused("chunk")
        if len(data) != command["size"] or not data:
            raise Refused("chunk")
        return data

    def _take(self, command: dict, data: bytes) -> None:
        before = self.stage.at
        self.stage.take(data)
        if self.stage.at // _UNIT > before // _UNIT or self.stage.at == self.stage.total:
            self.stage.flush()
            self._answer(command)

    def _answer(self, command: dict) -> None:
        self._told = -1
        self._say(command)
        if self.stage.total and self.stage.at == self.stage.total:
            self._command = command
            self._whole.set()

    def _say(self, command: dict) -> None:
        stage = self.stage
        self.device.reply(command, ("release", stage.offered[0]), ("at", stage.at), ("of", stage.total))

    def _refuse(self, command: dict, word: str) -> None:
        self.device.reply(command, ("release", command.get("release")), ("error", word))
        self._over = self._over or word not in _AGAIN

    async def _switch_ever(self) -> None:
        while True:
            await self._whole.wait()
            self._whole.clear()
            if self.stage.offered:
                await self._switch()

    async def _switch(self) -> None:
        """Read the release back from flash, and reboot into it."""
        stage, command = self.stage, self._command
        try:
            for _ in stage.proof():
                await asyncio.sleep_ms(1)
            stage.try_out(self.slots.facts["receiving"]["worked"])
        except Refused as why:
            self._refuse(command, why.args[0])
        except OSError:
            self._refuse(command, "room")
        else:
            self.device.reply(dict(command, op="update"), ("release", stage.offered[0]), ("trial", True))
            await asyncio.sleep_ms(200)  # lets the reply leave
            raise Reboot("update")
