"""Sampling on a grid of uptime: rows of all sensors, batches of them in the spool."""

from lib.seldom import call
from micropython import const

# What is told at once: a change by this much [the quantity's unit] and by this percentage.
_JUMPS = const((("pm25", 15, 30), ("pm25_a", 15, 30), ("pm10", 25, 30), ("pm10_a", 25, 30), ("co2", 300, 25)))

# With a duty cycle, what a sensor says in this time behind its warm-up is the sample.
_SETTLE_MS = const(10000)
# Sensors that were taken away and whose hours are kept in case they return.
_REMEMBERED = const(8)

_STALLED_S = const(600)
# A value of 6 characters and its comma.
_VALUE_BYTES = const(7)

# A restless value closes a batch no more often than every so many rows.
_QUIET_ROWS = const(3)


class Sensors:
    """The node's sensors in the order of its configuration; a row has all their columns."""

    def __init__(self, config: dict, board: object, hours: dict) -> None:
        self.entries = config["sensors"]
        self.columns: tuple = ()
        self._said: set = set()  # serials of the sensors that have said something in this boot
        self.troubles: dict = {}  # what a driver has raised last, by serial
        self._kept = dict(hours)  # tenths of an hour that a sensor ran, by serial, at this boot's start
        self._silent = False
        self._ran_s = [0] * len(self.entries)
        self._since: list = [None] * len(self.entries)
        self.drivers = call("node.fitting", "drivers", self.entries, board, self.troubles)
        self.names = call("node.fitting", "name_columns", [one.columns for one in self.drivers])
        for one, names in zip(self.drivers, self.names):
            self.columns += tuple((name, scale) for name, (_, scale) in zip(names, one.columns) if name)

    def warm_ms(self) -> int:
        """Return how long before a sample those that can rest must be woken; 0 where none can."""
        return max([one.warm_ms for one in self.drivers if hasattr(one, "rest")] + [0])

    async def start(self, up: int, rest: bool = False) -> None:
        """Start every sensor at uptime `up`, or those that rested."""
        for i, one in enumerate(self.drivers):
            if not rest or hasattr(one, "rest"):
                self._since[i] = up
                await self._guarded(i, one.start)

    async def rest(self, up: int) -> None:
        """Let those sleep that can."""
        for i, one in enumerate(self.drivers):
            if hasattr(one, "rest"):
                await self._guarded(i, one.rest)
                if self._since[i] is not None:
                    self._ran_s[i] += up - self._since[i]
                    self._since[i] = None

    async def row(self) -> list | None:
        """Return one row; None while all sensors warm up."""
        row = []
        warm = False
        self._silent = False
        for i, one in enumerate(self.drivers):
            names = self.names[i]
            values = await self._guarded(i, one.read, names)
            warm = warm or bool(values)
            self._silent = self._silent or (values is not None and not any(v is not None for v in values))
            if values and any(value is not None for value in values):
                self._said.add(self.entries[i]["serial"])
            row.extend([value for value, name in zip(values or [None] * len(names), names) if name])
        return row if warm else None

    def silent(self) -> bool:
        """Return whether one of them has said nothing in the newest row."""
        return self._silent

    async def _guarded(self, i: int, work: object, names: tuple = ()) -> list | None:
        """Do a driver's work; what it raises is this sensor's trouble and no other's."""
        try:
            return await work()
        except MemoryError:
            raise
        except Exception as error:
            self.troubles[self.entries[i]["serial"]] = describe(error)
            return [None] * len(names)

    def worked(self) -> list:
        """Return the serials of the sensors that have said something in this boot."""
        return sorted(self._said)

    def ran(self, serial: str, up: int) -> int:
        """Return the tenths of an hour that a sensor has run."""
        ran = self._kept.get(serial, 0)
        for entry, ran_s, since in zip(self.entries, self._ran_s, self._since):
            if entry["serial"] == serial:
                ran += (ran_s + (0 if since is None else up - since)) // 360
        return ran

    def hours(self, up: int) -> tuple:
        """Return (serial, tenths of an hour) of these sensors and, last, of those that hung here before."""
        here = [entry["serial"] for entry in self.entries]
        gone = [serial for serial in self._kept if serial not in here]
        return tuple((serial, self.ran(serial, up)) for serial in here + gone[:_REMEMBERED])


def describe(error: Exception) -> str:
    """Return an exception as one short line."""
    return ("%s: %s" % (type(error).__name__, error))[:120]


def full_rows(config: dict, columns: int) -> int:
    """Return the rows of a full batch: at most 60, and 8 KB when every value had 6 characters."""
    rows = config.get("batch_s", 60) // config.get("sample_s", 10)
    return max(1, min(rows, 60, 7500 // (_VALUE_BYTES * max(1, columns))))


class Jump:
    """Tells whether a row differs so much from the one before that nobody should wait for the batch's end."""

    def __init__(self, columns: tuple) -> None:
        names = [name for name, _ in columns]
        self._limits = [
            (names.index(name), least * columns[names.index(name)][1], share)
            for name, least, share in _JUMPS
            if name in names
        ]
        self._before: list | None = None

    def __call__(self, row: list) -> bool:
        """Return whether the row has jumped."""
        before, self._before = self._before, row
        if before is None:
            return False
        for i, least, share in self._limits:
            value, last = row[i], before[i]
            if value is None or last is None:
                continue
            change = abs(value - last)
            if change >= least and change * 100 >= last * share:
                return True
        return False


class Sampler:
    """Takes a row every `sample_s` into the spool; closes the batch when it is full, late or interesting."""

    def __init__(self, config: dict, clock: object, spool: object, sensors: Sensors, closed: object) -> None:
        self.dt = config.get("sample_s", 10)
        self.full = full_rows(config, len(sensors.columns))
        self.clock = clock
        self.spool = spool
        self.sensors = sensors
        self.closed = closed
        self.jump = Jump(sensors.columns)
        self.late = 0
        self.sampled = 0  # rows of which one value at least was there
        self.watch: object = None  # what looks ahead from each row, where the node carries a model
        # With `duty`, those sensors that can sleep do so between samples, where there is time for it.
        lead = sensors.warm_ms() + _SETTLE_MS
        self.lead_ms = lead if config.get("duty") and _SETTLE_MS < lead < 900 * self.dt else 0
        self._due = 0
        self._steps = 0
        self._quiet = _QUIET_ROWS

    async def run(self) -> None:
        """Sample for ever."""
        await self.sensors.start(self.clock.up())
        self._due = self.clock.up() // self.dt * self.dt
        while True:
            await self._next_due()
            row = await self.sensors.row()
            if row:
                self._keep(row)
            if self.lead_ms:
                await self.sensors.rest(self.clock.up())

    async def _next_due(self) -> None:
        self._due += self.dt
        ms = self.clock.until(self._due)
        if ms < -500 * self.dt:  # the grid's point has gone by: what follows is a new batch
            self._finish()
            self.late += 1
            self._due = (self.clock.up() // self.dt + 1) * self.dt
        if self.lead_ms:
            await self._wake()
        await self._sleep(0)

    async def _sleep(self, lead_ms: int) -> None:
        await self.clock.ticks.sleep(max(0, self.clock.until(self._due) - lead_ms))

    async def _wake(self) -> None:
        """Wake the sensors in time, and throw away what they say while they warm up."""
        await self._sleep(self.lead_ms)
        await self.sensors.start(self.clock.up(), True)
        await self._sleep(_SETTLE_MS)
        await self.sensors.row()

    def stalled(self) -> bool:
        """Return whether no sample has come about for long: a driver that never returns."""
        return self._due > 0 and self.clock.until(self._due) < -1000 * max(_STALLED_S, 10 * self.dt)

    def _keep(self, row: list) -> None:
        self.sampled += any(value is not None for value in row)
        if self._steps != self.clock.steps:
            self._finish()
            self._steps = self.clock.steps
        if self.spool.rows:
            self.spool.add(row)
        else:
            self.spool.begin(self._due, self.clock.at(self._due), self.dt, row)
        self._quiet += 1
        jumped = self.jump(row) and self._quiet >= _QUIET_ROWS
        if jumped:
            self._quiet = 0
        if jumped or self.spool.rows >= self.full:
            self._finish()
        if self.watch:
            self.watch.take(self._due, row)

    def _finish(self) -> None:
        if self.spool.rows:
            self.spool.close()
            self.closed()
