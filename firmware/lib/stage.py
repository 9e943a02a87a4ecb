"""A release on its way into the spare slot: one stream of bytes, its manifest first, then its files in order.

What is on flash says how far it came, so that a reboot loses no more than what wasn't flushed. No file is
written before the manifest has proved to be the network's, for this device, and newer than all it ever ran.
"""

import binascii
import hashlib
import json
import os
import sys

from lib.seal import holds
from micropython import const

_BLOCK = const(4096)
_PIECE = const(512)
_MOST_MANIFEST = const(16384)


class Refused(Exception):
    """The release, or a part of it, isn't taken; the argument is the word for why."""


def pieces(path: str):
    """Yield a file's bytes; each piece stands until the next."""
    buf = memoryview(bytearray(_PIECE))
    with open(path, "rb") as file:
        while True:
            n = file.readinto(buf)
            if not n:
                return
            yield buf[:n]


def size(path: str) -> int:
    """Return a file's bytes, 0 where there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def make(folder: str) -> None:
    """Make a folder where it isn't there."""
    try:
        os.mkdir(folder)
    except OSError:
        pass


def free(root: str) -> int:
    """Return the free bytes of the flash."""
    stat = os.statvfs(root or "/")
    return stat[0] * stat[3]


def wipe(folder: str) -> None:
    """Remove a folder's files; empty folders stay."""
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return
    for entry in entries:
        path = folder + "/" + entry[0]
        if entry[1] == 0x4000:
            wipe(path)
        else:
            os.remove(path)


class Stage:
    """The release that arrives; `at` is the next byte of the stream, `total` the stream's end once known.

    The manifest stays on flash and is read line by line: a heap that is nearly full must do.
    """

    def __init__(self, slots: object, device: tuple, key: bytes) -> None:
        self.slots = slots
        self.slot = "b" if slots.facts["slot"] == "a" else "a"
        self.folder = slots.root + "/" + self.slot
        self.device = device  # (node, kind, chip)
        self.key = key
        self.offered: object = None  # release, the manifest's bytes and HMAC
        self.at = 0
        self.total = 0
        self._file: object = None
        self._left = 0
        self._line = 0  # where in the manifest the next file's line begins

    def resume(self) -> None:
        """Take up what an earlier boot began."""
        try:
            with open(self.folder + "/offer") as file:
                offered = json.load(file)
        except (OSError, ValueError):
            return
        if offered[0] > self.slots.facts["tried"]:
            self.offered = offered
            try:
                self._find()
            except Refused:  # it was rotten, and is forgotten
                pass

    def offer(self, release: int, manifest: int, code: str) -> None:
        """Begin or go on with a release that has been judged; raise Refused."""
        if not 0 < manifest <= _MOST_MANIFEST or len(code) != 64:
            raise Refused("manifest")
        if self.offered != [release, manifest, code]:
            self._begin([release, manifest, code])

    def take(self, data: bytes) -> None:
        """Take the stream's next bytes; raise Refused, with nothing left of a release whose manifest lies."""
        view = memoryview(data)
        while len(view):
            if self.total and self.at == self.total:
                raise Refused("chunk")
            n = min(self._left, len(view))
            self._file.write(view[:n])
            view = view[n:]
            self.at += n
            self._left -= n
            if not self._left:
                self._finish()

    def flush(self) -> None:
        """Keep what has arrived."""
        if self._file:
            self._file.flush()

    def proof(self):
        """Read every file back, yielding after each; raise Refused where one isn't what the manifest says."""
        for digest, _, name, _ in self._files():
            one = hashlib.sha256()
            for piece in pieces(self.folder + "/" + name):
                one.update(piece)
            if binascii.hexlify(one.digest()) != digest:
                self.forget()
                raise Refused("sum")
            yield

    def try_out(self, worked: list) -> None:
        """Let the next boot run it; its number is spent from now on."""
        release = self.offered[0]
        self.slots.store(trial=self.slot, boots=0, tried=release, worked=worked, receiving=None)

    def forget(self) -> None:
        """Leave no release half arrived."""
        self._close()
        self.offered = None
        self.at = self.total = 0
        # First what would let a reboot take it up again.
        if size(self.folder + "/offer"):
            os.remove(self.folder + "/offer")
        wipe(self.folder)

    def _begin(self, offered: list) -> None:
        self.forget()
        make(self.folder)
        with open(self.folder + "/offer.new", "w") as file:
            json.dump(offered, file)
        os.rename(self.folder + "/offer.new", self.folder + "/offer")
        self.offered = offered
        self._find()

    def _find(self) -> None:
        """Open what comes next, behind all that is on flash."""
        self._close()
        self.total = 0
        self.at = size(self.folder + "/manifest")
        if self.at < self.offered[1]:
            self._open("manifest", self.offered[1])
            return
        self._believe(True)
        for _, length, name, line in self._files():
            self._line = line
            here = size(self.folder + "/" + name)
            self.at += min(here, length)
            if here < length:
                self._open(name, length)
                return

    def _finish(self) -> None:
        """What was being written is whole: open the next."""
        self._close()
        if not self.total:
            self._believe(False)
            self._line = 0
        for _, length, name, line in self._files(self._line):
            self._line = line
            self._open(name, length)
            return

    def _open(self, name: str, length: int) -> None:
        path = self.folder + "/" + name
        if "/" in name:
            make(path[: path.rfind("/")])
        self._file = open(path, "ab")
        self._left = length - size(path)

    def _close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def _files(self, line: int = 0):
        """Yield (SHA-256, bytes, path, where the next line begins) of the manifest's files."""
        with open(self.folder + "/manifest", "rb") as file:
            file.seek(line)
            if not line:
                file.readline()
            while True:
                words = file.readline().split()
                if not words:
                    return
                digest, length, name = words
                yield digest, int(length), name.decode(), file.tell()

    def _believe(self, resumed: bool) -> None:
        """Judge the manifest; raise Refused, and forget the release, where it isn't to be believed."""
        path = self.folder + "/manifest"
        try:
            if not holds(self.key, pieces(path), self.offered[2]):
                raise Refused("mac")
            with open(path, "rb") as file:
                self._accept(json.loads(file.readline()), resumed)
        except (ValueError, KeyError, TypeError):
            self.forget()
            raise Refused("manifest")
        except Refused:
            self.forget()
            raise

    def _accept(self, facts: dict, resumed: bool) -> None:
        wanted = self.device + (self.offered[0], getattr(sys.implementation, "_mpy", 6) & 255)
        for name, value in zip(("node", "kind", "chip", "release", "mpy"), wanted):
            if facts[name] != value:
                raise Refused(name)
        blocks, total = 8, self.offered[1]
        for digest, length, name, _ in self._files():
            if len(digest) != 64 or length < 1 or name[0] == "/" or ".." in name:
                raise Refused("manifest")
            total += length
            blocks += length // _BLOCK + 1
        if not resumed and blocks * _BLOCK > free(self.slots.root):
            raise Refused("room")
        self.total = total
