"""A few facts that outlive a reboot: a small file replaced whole by renaming, never rewritten."""

import json
import os

from lib import wire


class Kept:
    """A dictionary of integers and strings in one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.facts: dict = {}

    def load(self) -> None:
        """Read what was kept; nothing, when there is no file or it can't be read."""
        try:
            with open(self.path) as file:
                self.facts = json.load(file)
        except (OSError, ValueError):
            self.facts = {}

    def store(self) -> None:
        """Write the new file, then let it take the old one's name."""
        with open(self.path + ".new", "wb") as file:
            file.write(wire.text(tuple(sorted(self.facts.items()))))
        os.rename(self.path + ".new", self.path)
