"""The rooms' physics: two zones each, fine and middle particles and CO2, exact for steps of any length.

The node hangs where people sit, in the near zone; the machines stand in the far one. Nothing here is told to
a controller.
"""

from dataclasses import dataclass, field

import numpy as np

from edge.network import Level
from edge.readings import Array
from gateway.trial.day import Day
from gateway.world.building import (
    DOOR_OPEN,
    MIXING,
    MIXING_OCCUPIED,
    PENETRATION,
    PERSON,
    SETTLING,
    STIRRED,
    SUPPLY,
    WINDOW,
)

PURIFIER = (Level(), Level(300, 0, 14), Level(600, 0, 32), Level(1000, 0, 75))
VENTILATOR = (Level(), Level(0, 250, 35), Level(0, 600, 95))
FINE = 0.66
"""Share of PM1 in outdoor PM2.5."""
OUTSIDE_CO2 = 430.0
CORRIDOR = 0.75
"""The corridor's particles as a share of the outdoor air's."""
PARTS = np.array([0, 1, 3])
"""Fine and middle particles and CO2, in the virtual school's tables."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """N rooms (all columns N): volume [m³], leaks [1/h], how much of the standard penetration, settling and
    mixing each has, door and window openings and dust as multiples, people, share of its CADR that a new
    purifier delivers and hours of running that halve it, whether it has a ventilator, gain and offset of the
    nodes inside and outside, their noise (relative)."""

    volume: Array
    leak: Array
    penetration: Array
    settling: Array
    mixing: Array
    doors: Array
    windows: Array
    dust: Array
    people: Array
    share: Array
    life: Array
    ventilated: Array
    gain_in: Array
    offset_in: Array
    gain_out: Array
    offset_out: Array
    noise: Array


def drawn(seeds: int, first: int = 0) -> Rooms:
    """Two rooms of each seed, one with windows alone and one with a ventilator."""
    rng = np.random.default_rng([first, 4711])
    count = 2 * seeds
    ventilated = np.arange(count) % 2 == 1

    def between(low: float, high: float) -> Array:
        return rng.uniform(low, high, count)

    return Rooms(
        volume=between(155, 215),
        leak=between(0.4, 1.1),
        penetration=between(0.85, 1.1),
        settling=between(0.7, 1.5),
        mixing=between(0.6, 1.4),
        doors=between(0.5, 1.5),
        windows=between(0.3, 1.2) * np.where(ventilated, 0.4, 1.0),
        dust=between(0.6, 1.6),
        people=between(19, 28),
        share=between(0.75, 1.0),
        life=between(900, 3000),
        ventilated=ventilated,
        gain_in=rng.normal(1, 0.08, count),
        offset_in=rng.normal(0, 1.0, count),
        gain_out=rng.normal(1, 0.08, count),
        offset_out=rng.normal(0, 1.0, count),
        noise=between(0.04, 0.09),
    )


def matched(rooms: Rooms) -> Rooms:
    """The same rooms as the controller's own model has them: one zone, nothing unseen, exact nodes."""
    one, none = np.ones(rooms.volume.size), np.zeros(rooms.volume.size)
    return Rooms(
        volume=rooms.volume,
        leak=rooms.leak,
        penetration=rooms.penetration,
        settling=rooms.settling,
        mixing=100 * one,
        doors=none,
        windows=none,
        dust=rooms.dust,
        people=rooms.people,
        share=one,
        life=np.inf * one,
        ventilated=rooms.ventilated,
        gain_in=one,
        offset_in=none,
        gain_out=one,
        offset_out=none,
        noise=0.01 * one,
    )


@dataclass
class Houses:
    """The air of N rooms under S ways: `state` (S × N × 3 × 2) near and far [µg/m³, ppm], levels of purifier
    and ventilator (S × N × 2), hours that each purifier ran."""

    rooms: Rooms
    ways: int
    state: Array = field(init=False)
    level: Array = field(init=False)
    ran: Array = field(init=False)

    def __post_init__(self) -> None:
        count = self.rooms.volume.size
        self.state = np.zeros((self.ways, count, 3, 2)) + np.array([8.0, 4.0, OUTSIDE_CO2])[:, None]
        self.level = np.zeros((self.ways, count, 2), np.int64)
        self.ran = np.zeros((self.ways, count))

    @property
    def dust(self) -> Array:
        """True PM2.5 where people sit (S × N) [µg/m³]."""
        total: Array = self.state[:, :, 0, 0] + self.state[:, :, 1, 0]
        return total

    @property
    def co2(self) -> Array:
        """True CO2 where people sit (S × N) [ppm]."""
        ppm: Array = self.state[:, :, 2, 0]
        return ppm

    def power(self) -> Array:
        """What each room draws (S × N) [W]."""
        watts: Array = (
            said(PURIFIER, "power")[self.level[..., 0]] + said(VENTILATOR, "power")[self.level[..., 1]]
        )
        return watts

    def drive(self, level: Array, ran: Array) -> tuple[Array, Array]:
        """Clean and outdoor air (…) [1/h] that levels (… × 2) give the rooms."""
        rooms = self.rooms
        worn = rooms.share * 2.0 ** (-ran / rooms.life)
        clean = said(PURIFIER, "cadr")[level[..., 0]] * worn / rooms.volume
        return clean, said(VENTILATOR, "flow")[level[..., 1]] * rooms.ventilated / rooms.volume

    def live(self, day: Day, step: int) -> None:
        """One step of a day, machines as they are."""
        clean, flow = self.drive(self.level, self.ran)
        self.state = advance(self.rooms, self.state, day, step, float(day.hours[step]), clean, flow)
        self.ran = self.ran + day.hours[step] * (self.level[..., 0] > 0)


def said(levels: tuple[Level, ...], name: str) -> Array:
    return np.array([getattr(level, name) for level in levels])


def advance(
    rooms: Rooms, state: Array, day: Day, step: int, hours: float, clean: Array, flow: Array
) -> Array:
    """State (… × N × 3 × 2) after `hours` in which people and weather stay as in a step of the day."""
    people, window, door = day.people[step], day.window[step], rooms.doors * day.door[step]
    busy = people > 0.5
    corridor = DOOR_OPEN * door / rooms.volume
    wide = WINDOW * window
    exchange = 2 * rooms.mixing * np.where(busy, MIXING_OCCUPIED, MIXING) + 2 * clean
    outdoor = _outdoors(day.outdoor[step])
    settled = rooms.settling[:, None] * SETTLING[PARTS] * (1 + STIRRED * busy[:, None])
    both = (rooms.leak + wide + corridor)[:, None] + settled
    leaking = rooms.leak[:, None] * np.minimum(rooms.penetration[:, None] * PENETRATION[PARTS], 1.0)
    share = np.array([CORRIDOR, CORRIDOR, 1.0])
    gain = (leaking + wide[:, None] + corridor[:, None] * share) * outdoor
    gain[:, 2] += rooms.leak * (1 - np.minimum(rooms.penetration, 1.0)) * OUTSIDE_CO2
    given = 2 * people[:, None] * PERSON[PARTS] / rooms.volume[:, None]
    given[:, :2] *= (rooms.dust * day.dust[step])[:, None]
    purified = 2 * clean[..., None] * np.array([1.0, 1.0, 0.0])
    far = both + purified + 2 * flow[..., None]
    more = gain + 2 * flow[..., None] * SUPPLY[PARTS] * outdoor
    return _exact(state, both, far, exchange[..., None], gain + given, more, hours)


def _outdoors(dust: Array) -> Array:
    """(N × 3) of PM2.5 (N)."""
    return np.stack([FINE * dust, (1 - FINE) * dust, np.full(dust.size, OUTSIDE_CO2)], axis=1)


def _exact(
    state: Array, near: Array, far: Array, exchange: Array, gain: Array, more: Array, hours: float
) -> Array:
    """Two zones that exchange air and lose and gain at constant rates, solved exactly."""
    p, r, b = near + exchange, far + exchange, exchange
    steady_near = (r * gain + b * more) / (p * r - b * b)
    steady_far = (b * gain + p * more) / (p * r - b * b)
    middle, half = -(p + r) / 2, (r - p) / 2
    root = np.sqrt(half * half + b * b)
    slow, fast = np.exp((middle + root) * hours), np.exp((middle - root) * hours)
    even, odd = (slow + fast) / 2, (slow - fast) / (2 * root)
    x, y = state[..., 0] - steady_near, state[..., 1] - steady_far
    return np.stack(
        [
            steady_near + (even + odd * half) * x + odd * b * y,
            steady_far + odd * b * x + (even - odd * half) * y,
        ],
        axis=-1,
    )
