"""A release over MQTT: offered, taken in pieces, read back, run."""

import asyncio
import binascii
import errno

from lib.device import Reboot
from lib.stage import Stage
from lib.update import Refused

# The stream is flushed and acknowledged at multiples of this.
UNIT = 4096


class Download:
    """Answers offers and chunks; its stage is found again on flash after a reboot."""

    def __init__(self, update: object) -> None:
        self.update = update
        self.device = update.device
        self.stage = None
        self._command = {}
        self._told = -1

    def hear(self, command: dict) -> None:
        """Do what the command says, or say the word for why not."""
        try:
            if not self.stage:
                self.stage = self._found()
            (self._offer if command["op"] == "update" else self._chunk)(command)
        except Refused as why:
            self._refuse(command, why.args[0])
        except OSError as error:  # the key isn't there, or the flash is full
            self.stage = None
            self._refuse(command, "key" if error.errno == errno.ENOENT else "room")

    async def switch(self) -> None:
        """Read the release back from flash, and reboot into it."""
        stage, command = self.stage, self._command
        if not stage or not stage.offered:
            return
        try:
            for _ in stage.proof():
                await asyncio.sleep_ms(1)
            stage.try_out(self.update.works())
        except Refused as why:
            self._refuse(command, why.args[0])
        except OSError:
            self._refuse(command, "room")
        else:
            self.device.reply(dict(command, op="update"), ("release", stage.offered[0]), ("trial", True))
            await asyncio.sleep_ms(200)  # lets the reply leave
            raise Reboot("update")

    def _found(self) -> Stage:
        board, config = self.device.board, self.device.config
        stage = Stage(self.update.slots, (config["id"], config["kind"], board.chip), self._key())
        stage.resume()
        return stage

    def _key(self) -> bytes:
        key = self.device.config.get("update_key")
        if not key:
            with open(self.update.slots.root + "/update.key") as file:
                key = file.read()
        return binascii.unhexlify(key.strip())

    def _offer(self, command: dict) -> None:
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
        if self.stage.at // UNIT > before // UNIT or self.stage.at == self.stage.total:
            self.stage.flush()
            self._answer(command)

    def _answer(self, command: dict) -> None:
        self._told = -1
        self._say(command)
        if self.stage.total and self.stage.at == self.stage.total:
            self._command = command
            self.update.whole.set()

    def _say(self, command: dict) -> None:
        stage = self.stage
        self.device.reply(command, ("release", stage.offered[0]), ("at", stage.at), ("of", stage.total))

    def _refuse(self, command: dict, word: str) -> None:
        self.device.reply(command, ("release", command.get("release")), ("error", word))
