"""What was begun on a board and not finished: a small file per MAC address."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ERASED, WRITTEN, COPIED = "erased", "written", "copied"


@dataclass(frozen=True, slots=True)
class Begun:
    """The last stage that a board reached, for which device, with which image (SHA-256), when [s]."""

    mac: str
    stage: str
    node: str
    image: str
    at: int

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))
        return f"flashing {self.mac} as {self.node} stopped on {since} when it was {self.stage}"


class Unfinished:
    """The folder of such files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, mac: str) -> Begun | None:
        """What was begun on a board, None where nothing was or it can't be read."""
        try:
            return Begun(**json.loads(self._path(mac).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def reached(self, mac: str, stage: str, node: str, image: str) -> None:
        """Note a stage, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(mac)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(asdict(Begun(mac, stage, node, image, int(time.time())))), "utf-8")
        part.replace(path)

    def done(self, mac: str) -> None:
        """Forget a board."""
        self._path(mac).unlink(missing_ok=True)

    def _path(self, mac: str) -> Path:
        return self._folder / f"{mac.replace(':', '')}.json"
