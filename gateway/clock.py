"""The one answer to "what time is it": the machine's, or the simulated one that a replay publishes."""

import time
from typing import Protocol

from edge.readings import SECOND


class Clock(Protocol):
    """Time as the gateway knows it."""

    def now(self) -> int | None:
        """UTC [ns since 1970]; None while it isn't known."""

    def monotonic(self) -> float:
        """Machine seconds that never jump: for keepalive, back-off and gap requests."""

    def announce(self, second: int) -> None:
        """Take note of what `{root}/time` says [s since 1970]."""


class SystemClock:
    """The machine's clock; what others announce doesn't move it."""

    def now(self) -> int | None:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def announce(self, second: int) -> None:
        pass


class DataClock:
    """The time that a replay or the virtual school announces; unknown before the first announcement."""

    def __init__(self) -> None:
        self._second: int | None = None

    def now(self) -> int | None:
        return None if self._second is None else self._second * SECOND

    def monotonic(self) -> float:
        return time.monotonic()

    def announce(self, second: int) -> None:
        self._second = second


CLOCKS: dict[str, type[SystemClock] | type[DataClock]] = {"system": SystemClock, "data": DataClock}
