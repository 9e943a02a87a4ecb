"""Work that comes round."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Chore:
    """Something to do every `every` seconds of the machine's clock, at first after `first`."""

    name: str
    every: float
    do: Callable[[float], None]
    first: float = 0.0
    due: float | None = None

    def when_due(self, now: float) -> None:
        """Do it if its time has come."""
        if self.due is None:
            self.due = now + self.first
        if now >= self.due:
            self.due = now + self.every
            self.do(now)
