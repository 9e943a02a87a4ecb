"""A site's rooms as zones of air: what flows between them, what is lost, what comes in, for each quantity.

Each room is a breathing zone (where people sit and the node hangs) and a far zone (where the purifier
stands); all rooms open to one corridor. Quantities are three particle sizes (PM1, PM1–2.5, PM2.5–10)
[µg/m³], CO2 [ppm], water [g/m³] and temperature [°C].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.network import Room
from gateway.world.air import Air, Floats, saturation
from gateway.world.people import Activity

SIZES, QUANTITIES = 3, 6
CO2, WATER, HEAT = 3, 4, 5
PENETRATION = np.array([0.82, 0.74, 0.42, 1.0, 1.0, 1.0])
"""Through the cracks of the wall; falls with size (0.94 to 0.30 in schools)."""
SETTLING = np.array([0.18, 0.45, 1.6, 0.0, 0.0, 0.0])
"""Loss to surfaces [1/h]: 0.16 for 0.3–0.5 µm to 2.3 for 7.5–10 µm; people's movement adds to it."""
STIRRED = 0.6
"""How much more settles in an occupied room."""
SUPPLY = np.array([0.5, 0.35, 0.15, 1.0, 1.0, 0.3])
"""What a ventilator's filter lets through, and what its heat exchanger doesn't recover."""
PURIFIED = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
MASS = 30.0
"""Heat that walls and furniture store, as a multiple of the air's."""
WALL = 0.7
"""Heat through the walls, as air changes per hour of the room's volume."""
HEATING = 18.0
"""What heating and cooling give for each degree wanted, as air changes per hour of the room's volume."""
PERSON = np.array([14.0, 60.0, 1000.0, 14_500.0, 45.0, 210.0])
"""What a sitting pupil gives each hour: dust [µg] (times the room's activity), CO2 [ppm·m³], water [g],
warmth [°C·m³ of air]."""
MIXING, MIXING_OCCUPIED = 3.0, 9.0
"""Exchange between a room's two zones, in room volumes per hour."""
DOOR_SHUT, DOOR_OPEN = 10.0, 300.0
"""Air through a door [m³/h], each way."""
WINDOW = 3.5
"""Air through the open windows, in room volumes per hour."""
CORRIDOR_SHARE, CORRIDOR_LEAK = 0.35, 1.5
"""The corridor's volume as a share of its rooms', its air change [1/h]."""


@dataclass(frozen=True, slots=True)
class Drive:
    """What moves a room's air now: clean air and outdoor air of its machines, thermostat [°C] or None."""

    cadr: float = 0.0
    flow: float = 0.0
    wanted: float | None = None


@dataclass(frozen=True, slots=True)
class Flows:
    """`exchange` (n, n) between zones, `loss` (q, n), `inlet` (q, n) of outdoor air [m³/h]."""

    exchange: Floats
    loss: Floats
    inlet: Floats


def capacity(rooms: Sequence[Room]) -> Floats:
    """(q, n) [m³]: two halves a room, then the corridor; more for heat."""
    halves = [room.volume / 2 for room in rooms for _ in range(2)]
    volume = np.array([*halves, CORRIDOR_SHARE * sum(room.volume for room in rooms)])
    return np.where(np.arange(QUANTITIES)[:, None] == HEAT, MASS * volume, volume)


def flows(rooms: Sequence[Room], doing: Sequence[Activity], drives: Sequence[Drive]) -> Flows:
    """The flows of all zones while people do this and machines do that."""
    volume = capacity(rooms)[0]
    corridor = len(volume) - 1
    between = np.zeros((len(volume), len(volume)))
    leak = np.zeros(len(volume))
    leak[corridor] = CORRIDOR_LEAK * volume[corridor]
    wide, supply, clean, stirred, kept = np.zeros((5, len(volume)))
    for index, (room, act, drive) in enumerate(zip(rooms, doing, drives, strict=True)):
        near, far = 2 * index, 2 * index + 1
        busy = act.people > 0
        between[near, far] = (MIXING_OCCUPIED if busy else MIXING) * room.volume + drive.cadr
        between[near, corridor] = between[far, corridor] = (DOOR_OPEN * act.door + DOOR_SHUT) / 2
        both = slice(near, far + 1)
        leak[both] = room.ach * room.volume / 2
        wide[both] = WINDOW * act.window * room.volume / 2
        supply[far], clean[far], stirred[both] = drive.flow, drive.cadr, STIRRED * busy
        kept[both] = 0.0 if drive.wanted is None else HEATING * room.volume / 2
    settled = SETTLING[:, None] * volume * (1 + stirred)
    heat = np.arange(QUANTITIES)[:, None] == HEAT
    walls = np.where(heat, WALL * volume, 0.0)
    recovered = np.where(heat, SUPPLY[HEAT], 1.0) * supply
    loss = leak + wide + recovered + settled + PURIFIED[:, None] * clean + walls + np.where(heat, kept, 0.0)
    inlet = PENETRATION[:, None] * leak + wide + SUPPLY[:, None] * supply + walls
    return Flows(between + between.T, loss, inlet)


def outside(air: Air) -> Floats:
    """Outdoor air as the six quantities."""
    water = air.rh / 100 * float(saturation(air.temp))
    return np.array([air.pm1, air.pm25 - air.pm1, air.pm10 - air.pm25, air.co2, water, air.temp])


def sources(rooms: Sequence[Room], doing: Sequence[Activity], drives: Sequence[Drive]) -> Floats:
    """(q, n) [amount/h]: what people and thermostats give; all of it in the breathing zone but warmth."""
    given = np.zeros((QUANTITIES, 2 * len(rooms) + 1))
    for index, (room, act, drive) in enumerate(zip(rooms, doing, drives, strict=True)):
        given[:, 2 * index] = PERSON * act.people
        given[:SIZES, 2 * index] *= act.dust
        wanted = 0.0 if drive.wanted is None else drive.wanted * HEATING * room.volume / 2
        given[HEAT, 2 * index : 2 * index + 2] += wanted
    return given


def perceived(zone: Floats) -> Air:
    """The six quantities of a zone as air."""
    fine, middle, coarse, co2, water, temp = (float(value) for value in zone)
    rh = 100 * water / float(saturation(temp))
    return Air(fine, fine + middle, fine + middle + coarse, co2, temp, min(max(rh, 1.0), 99.0))
