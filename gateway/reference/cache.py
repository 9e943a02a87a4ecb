"""Answers on disk, by a name that holds no key, with their age."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

FORGET = 35 * 86_400
"""Seconds after which an answer is removed."""


class Kept(msgspec.Struct, frozen=True):
    """An answer that its parser has accepted; `at` [s since 1970]."""

    name: str
    at: float
    body: bytes
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Cache:
    """One file per request in `folder`; None keeps nothing."""

    folder: Path | None
    now: Callable[[], float] = time.time

    def find(self, name: str) -> Kept | None:
        """The answer kept under that name; a torn or foreign file is none."""
        if self.folder is None:
            return None
        try:
            kept = msgspec.msgpack.decode(self._path(name).read_bytes(), type=Kept)
        except (OSError, msgspec.DecodeError):
            return None
        return kept if kept.name == name else None

    def age(self, kept: Kept) -> float:
        """Seconds since it came; an answer of the future, left by a clock set back, is old."""
        age = self.now() - kept.at
        return age if age >= 0 else float("inf")

    def keep(self, kept: Kept) -> None:
        """Keep an answer, durable or not at all; what can't be written is fetched again."""
        if self.folder is None:
            return
        path = self._path(kept.name)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.msgpack.encode(kept))
            draft.replace(path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what is older than `FORGET`; how many."""
        old = [path for path in self._files() if self.now() - path.stat().st_mtime > FORGET]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _files(self) -> list[Path]:
        return list(self.folder.glob("*.answer")) if self.folder and self.folder.is_dir() else []

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{sha256(name.encode()).hexdigest()[:32]}.answer"
