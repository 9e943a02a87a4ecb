"""What every driver has: its bus, its time, its counts of bad checksums and silences."""

from lib import ticks as tick
from micropython import const

# The longest pause between two frames of a sensor that lives is 2.3 s.
_SILENCE_MS = const(2500)
_POLL_MS = const(250)


class Silent(Exception):
    """The sensor didn't answer, or has nothing new to say."""


class BadChecksum(Exception):
    """An answer came with a wrong checksum."""


class Sensor:
    """A driver: `columns` of (quantity, scale), `start`, `read`; one that can sleep has `rest` too.

    `read` returns a value per column, all None when the sensor is silent, None while it warms up.
    """

    columns: tuple = ()
    baud = 9600
    warm_ms = 0

    def __init__(self, bus: object, ticks: tick.Ticks) -> None:
        self.bus = bus
        self.ticks = ticks
        self.checksum = 0
        self.timeout = 0
        self._since: int | None = None

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.checksum), ("timeout", self.timeout))

    def nothing(self) -> list:
        """Count a silence and return what is known then."""
        self.timeout += 1
        return [None] * len(self.columns)

    def begin(self) -> None:
        """Count the warm-up from now."""
        self._since = self.ticks.now()

    def warming(self) -> bool:
        """Return whether its values aren't believed yet."""
        # Passed once it is passed for good: the difference of two ticks holds for 6 days.
        if self._since is not None and tick.diff(self.ticks.now(), self._since) >= self.warm_ms:
            self._since = None
        return self._since is not None


class Talker(Sensor):
    """A sensor that sends frames by itself over a UART; a sample is the mean of those since the last one."""

    def __init__(self, bus: object, ticks: tick.Ticks) -> None:
        super().__init__(bus, ticks)
        self.frames: object = None  # the parser: feed(bytes) -> frames

    def errors(self) -> tuple:
        """Return the counts of bad checksums and silences."""
        return (("checksum", self.frames.checksum), ("timeout", self.timeout))

    def hear(self) -> list:
        """Return the frames that have arrived."""
        frames = []
        data = self.bus.read()
        while data:
            frames += self.frames.feed(data)
            data = self.bus.read()
        return frames

    async def read(self) -> list | None:
        """Return the mean by column."""
        if self._since is not None:
            self.hear()  # what came during the warm-up
            if self.warming():
                return None
        frames = await self.gather()
        return [self.mean(frames, i) for i in range(len(self.columns))] if frames else self.nothing()

    async def gather(self) -> list:
        """Return the frames since the last sample; wait for one as long as the sensor may pause."""
        frames = self.hear()
        waited = 0
        while not frames and waited < _SILENCE_MS:
            await self.ticks.sleep(_POLL_MS)
            waited += _POLL_MS
            frames = self.hear()
        return frames

    def mean(self, frames: list, i: int) -> int:
        """Return the mean of the frames' word `i`, scaled as its column says."""
        n = len(frames)
        return (sum(f[i] for f in frames) * self.columns[i][1] + n // 2) // n
