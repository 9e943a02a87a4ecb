"""Simulated time: UTC that runs some times faster than the machine's clock."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pace:
    """Simulated UTC [s]: `start` + `speed` × the machine's monotonic seconds since `origin`."""

    start: float
    speed: float = 1.0
    origin: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Simulated UTC [s since 1970]."""
        return self.start + self.speed * (time.monotonic() - self.origin)

    def real(self, simulated: float) -> float:
        """The machine's seconds that `simulated` seconds take."""
        return simulated / self.speed
