"""Sampling on a grid of uptime: rows of all sensors, batches of them in the spool."""

from lib.drivers import DRIVERS, driver

# Of what two sensors measure, these stand as two channels; of the rest the first sensor's stands alone.
CHANNELS = ("pm25", "pm10")
# What is told at once: a change by this much [the quantity's unit] and by this percentage.
JUMPS = (("pm25", 15, 30), ("pm25_a", 15, 30), ("pm10", 25, 30), ("pm10_a", 25, 30), ("co2", 300, 25))

# A restless value closes a batch no more often than every so many rows.
QUIET_ROWS = 3


def name_columns(sensors: list) -> list:
    """Return the names of each sensor's columns, None where one isn't kept."""
    given = {}
    for columns in sensors:
        for name, _ in columns:
            given[name] = given.get(name, 0) + 1
    return [[_next_name(name, given, seen) for name, _ in columns] for seen in [{}] for columns in sensors]


def _next_name(name: str, given: dict, seen: dict) -> str | None:
    n = seen[name] = seen.get(name, -1) + 1
    if given[name] > 1 and name in CHANNELS:
        return name + "_" + "ab"[n] if n < 2 else None
    return None if n else name


class Sensors:
    """The node's sensors in the order of its configuration; a row has all their columns."""

    def __init__(self, config: dict, board: object, hours: dict) -> None:
        self.entries = config["sensors"]
        self.drivers = []
        self.columns = ()
        self.hours = hours  # tenths of an hour the sensor ran, by serial, at this boot's start
        for entry in self.entries:
            bus = board.bus(DRIVERS[entry["type"]][2] if entry["type"] in DRIVERS else "", entry["bus"])
            one = driver(entry["type"])(bus, board.ticks)
            self.drivers.append(one)
        self.names = name_columns([one.columns for one in self.drivers])
        for one, names in zip(self.drivers, self.names):
            self.columns += tuple((name, scale) for name, (_, scale) in zip(names, one.columns) if name)

    async def start(self) -> None:
        """Start every sensor."""
        for one in self.drivers:
            await one.start()

    async def row(self) -> list | None:
        """Return one row; None while all sensors warm up."""
        row = []
        warm = False
        for one, names in zip(self.drivers, self.names):
            values = await one.read()
            warm = warm or values is not None
            row.extend([value for value, name in zip(values or [None] * len(names), names) if name])
        return row if warm else None

    def ran(self, serial: str, up: int) -> int:
        """Return the tenths of an hour that a sensor has run."""
        return self.hours.get(serial, 0) + up // 360


class Jump:
    """Tells whether a row differs so much from the one before that nobody should wait for the batch's end."""

    def __init__(self, columns: tuple) -> None:
        names = [name for name, _ in columns]
        self._limits = [
            (names.index(name), least * columns[names.index(name)][1], share)
            for name, least, share in JUMPS
            if name in names
        ]
        self._before = None

    def __call__(self, row: list) -> bool:
        """Return whether the row has jumped."""
        before, self._before = self._before, row
        return before is not None and any(self._jumped(row[i], before[i], x, s) for i, x, s in self._limits)

    def _jumped(self, value: int | None, before: int | None, least: int, share: int) -> bool:
        if value is None or before is None:
            return False
        change = abs(value - before)
        return change >= least and change * 100 >= before * share


class Sampler:
    """Takes a row every `sample_s` into the spool; closes the batch when it is full, late or interesting."""

    def __init__(self, config: dict, clock: object, spool: object, sensors: Sensors, closed: object) -> None:
        self.dt = config.get("sample_s", 10)
        self.full = self._rows(config.get("batch_s", 60), len(sensors.columns))
        self.clock = clock
        self.spool = spool
        self.sensors = sensors
        self.closed = closed
        self.jump = Jump(sensors.columns)
        self.late = 0
        self._due = 0
        self._steps = 0
        self._quiet = QUIET_ROWS

    def _rows(self, batch_s: int, columns: int) -> int:
        # At most 60 rows, and 8 KB when every value had 6 characters.
        return max(1, min(batch_s // self.dt, 60, 7500 // (7 * columns)))

    async def run(self) -> None:
        """Sample for ever."""
        await self.sensors.start()
        self._due = self.clock.up() // self.dt * self.dt
        while True:
            await self._next_due()
            row = await self.sensors.row()
            if row:
                self._keep(row)

    async def _next_due(self) -> None:
        self._due += self.dt
        ms = self.clock.until(self._due)
        if ms < -500 * self.dt:  # the grid's point has gone by: what follows is a new batch
            self._finish()
            self.late += 1
            self._due = (self.clock.up() // self.dt + 1) * self.dt
            ms = self.clock.until(self._due)
        await self.clock.ticks.sleep(max(0, ms))

    def _keep(self, row: list) -> None:
        if self._steps != self.clock.steps:
            self._finish()
            self._steps = self.clock.steps
        if self.spool.rows:
            self.spool.add(row)
        else:
            self.spool.begin(self._due, self.clock.at(self._due), self.dt, row)
        self._quiet += 1
        jumped = self.jump(row) and self._quiet >= QUIET_ROWS
        if jumped:
            self._quiet = 0
        if jumped or self.spool.rows >= self.full:
            self._finish()

    def _finish(self) -> None:
        if self.spool.rows:
            self.spool.close()
            self.closed()
