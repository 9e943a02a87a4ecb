"""The year itself: every way lives the same days in the same rooms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from edge.readings import Array
from gateway.trial.day import Day, Outdoors, lived
from gateway.trial.house import PURIFIER, VENTILATOR, Houses, Rooms, said
from gateway.trial.ours import STEP, Ours
from gateway.trial.ways import Sight, Way

LIMIT = 35.0
"""PM2.5 [µg/m³] that indoor air of schools may not exceed."""
CELLS = 24 * 60 // STEP
DELAY = 1
"""Steps that a command takes to its machine in a world that isn't the controller's."""


@dataclass
class Counts:
    """What S ways came to in N rooms (S × N): occupied hours, µg/m³·h and ppm·h breathed in them, hours above
    the limit and µg/m³·h above it, ppm·h above 1,000, energy [Wh], starts and stops."""

    shape: tuple[int, int]
    hours: float = 0.0
    dose: Array = field(init=False)
    co2: Array = field(init=False)
    above: Array = field(init=False)
    excess: Array = field(init=False)
    stuffy: Array = field(init=False)
    energy: Array = field(init=False)
    switches: Array = field(init=False)

    def __post_init__(self) -> None:
        for name in ("dose", "co2", "above", "excess", "stuffy", "energy", "switches"):
            setattr(self, name, np.zeros(self.shape))

    def take(self, houses: Houses, hours: float, used: bool) -> None:
        """Account for a step."""
        self.energy += hours * houses.power()
        if used:
            dust, co2 = houses.dust, houses.co2
            self.hours += hours
            self.dose += hours * dust
            self.co2 += hours * co2
            self.above += hours * (dust > LIMIT)
            self.excess += hours * np.maximum(dust - LIMIT, 0.0)
            self.stuffy += hours * np.maximum(co2 - 1000.0, 0.0)


@dataclass
class Trial:
    """N rooms under S ways through the days; `exact`: no delay, as in the world that matches."""

    rooms: Rooms
    ways: Sequence[Way]
    seeds: Sequence[int]
    outdoors: Sequence[Outdoors]
    step: int = 2
    exact: bool = False
    houses: Houses = field(init=False)
    counts: Counts = field(init=False)
    weekly: list[tuple[date, Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.houses = Houses(self.rooms, len(self.ways))
        self.counts = Counts((len(self.ways), self.rooms.volume.size))
        self._coming: list[Array] = []

    def live(self, days: Sequence[date], warm: int = 0, tell: Callable[[int], None] = lambda _: None) -> None:
        """All days; the first `warm` aren't counted."""
        for number, day in enumerate(days):
            if number == warm:
                self.counts = Counts(self.counts.shape)
            self._day(lived(day, self.step, self.seeds, self.outdoors, self.rooms.people, self.rooms.windows))
            tell(number + 1)

    def _day(self, day: Day) -> None:
        stream = [[np.zeros((CELLS, self.rooms.volume.size)) for _ in range(7)] for _ in self.ways]
        for step in range(day.start.size):
            self._act(day, step, stream)
            self.houses.live(day, step)
            self.counts.take(self.houses, float(day.hours[step]), bool(day.used[step]))
        for way, cells in zip(self.ways, stream, strict=True):
            if isinstance(way, Ours):
                count = np.maximum(cells[6], 1e-9)
                way.keep(tuple((cell / count).T for cell in cells[:6]))

    def _act(self, day: Day, step: int, stream: list[list[Array]]) -> None:
        """Every way sees its rooms and says its levels, which are in force a little later."""
        inside, outside = self._measured(day, step)
        wanted = np.empty_like(self.houses.level)
        for place, way in enumerate(self.ways):
            sight = Sight(
                day=day,
                step=step,
                inside=inside[place],
                outside=outside,
                co2=self.houses.co2[place],
                level=self.houses.level[place],
                used=bool(day.used[step]),
                arrive=float(day.arrive[step]),
                second=float(day.start[step]),
            )
            if isinstance(way, Ours):
                _note(stream[place], sight, self.rooms)
            wanted[place] = way(sight)
        wanted[..., 1] *= self.rooms.ventilated
        self._coming.append(wanted)
        if len(self._coming) > (0 if self.exact else DELAY):
            coming = self._coming.pop(0)
            self.counts.switches += ((coming > 0) != (self.houses.level > 0)).sum(axis=2)
            self.houses.level = coming

    def _measured(self, day: Day, step: int) -> tuple[Array, Array]:
        rooms = self.rooms
        spread = rooms.noise * np.minimum(np.sqrt(0.1 / day.hours[step]), 1.0)
        inside = self.houses.dust * rooms.gain_in + rooms.offset_in
        outside = day.outdoor[step] * rooms.gain_out + rooms.offset_out
        return (
            np.maximum(inside * (1 + spread * day.noise_in[step]), 0.0),
            np.maximum(outside * (1 + spread * day.noise_out[step]), 0.0),
        )


def _note(cells: list[Array], sight: Sight, rooms: Rooms) -> None:
    """Add what a way sees to its stream's cell; what its machines should give is what the files say."""
    local = (sight.second + 9 * 3600) % 86400 / 60
    cell = int(local // STEP)
    volume = rooms.volume
    clean = said(PURIFIER, "cadr")[sight.level[:, 0]] / volume
    flow = said(VENTILATOR, "flow")[sight.level[:, 1]] * rooms.ventilated / volume
    seen = (sight.inside, sight.outside, sight.co2, sight.used, clean, flow, 1.0)
    for total, value in zip(cells, seen, strict=True):
        total[cell] += value
