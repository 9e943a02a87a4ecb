"""The choice among all combinations of a room's actuators: predict each, take the cheapest that serves.

Everything is an array over R rooms of one kind (the same numbers of levels), K combinations and H steps of
the time ahead. `RULES` is the table of what a combination may not do: rules without a price must be kept,
one after the other; what breaks the others is paid for, beside energy and switching.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.readings import Array

FRESH_CO2 = 420.0
"""CO2 of outdoor air [ppm]."""
TAIL = 0.5
"""Hours for which what is above a limit at the end is taken to stay above it."""
HEAT = 0.34
"""Heat that air carries [Wh/m³/K]."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """R rooms as they are and as they are expected to go on, if nothing is changed.

    `hours` (H) are the ends of the steps; `now` (R), `likely` and `risk` (R × H) [µg/m³] are PM2.5 measured,
    expected, and not passed with the asked confidence; `outdoor` (R × H) [µg/m³]. `people` (R × H): whether
    the air of a step counts. `loss`, `inward`, `air` (R × H) [1/h] are the room's own; `co2` (R) [ppm] (NaN:
    unknown) and `breath` (R × H) [ppm/h]. `limit`, `co2_limit` (R). `heat` (R) [K]: how many degrees outdoor
    air must be warmed or cooled. `price` (R) per kWh, `budget` (R) [W].
    """

    hours: Array
    now: Array
    likely: Array
    risk: Array
    outdoor: Array
    people: Array
    loss: Array
    inward: Array
    air: Array
    co2: Array
    breath: Array
    limit: Array
    co2_limit: Array
    heat: Array
    price: Array
    budget: Array


@dataclass(frozen=True, slots=True)
class Options:
    """The K combinations of R rooms: `clean`, `flow` [1/h, over the volume], `passing` (share of outdoor
    particles that the flow brings), `power` [W], `volume_flow` [m³/h], `starts`, `changes` of a running
    level, and how many actuators `hand`, `quiet` and `pace` forbid it for; all R × K. `was_clean` and
    `was_flow` (R) [1/h] are those of now, `was_inflow` what passes of the latter."""

    clean: Array
    flow: Array
    passing: Array
    power: Array
    volume_flow: Array
    starts: Array
    changes: Array
    hand: Array
    quiet: Array
    pace: Array
    was_clean: Array
    was_flow: Array
    was_inflow: Array


@dataclass(frozen=True, slots=True)
class Prices:
    """What is paid: for an hour 1 µg/m³ above the limit, for an hour 1 ppm above the CO2 limit (measured,
    or only expected from the people inside), for a start, for a change of a running level, in won as
    `price`. `foul`: how many times the CO2 limit is borne while outdoor air is above the limit for
    particles (CO2 that nobody measured is then no reason at all). `down`: the part of the limit that what
    is worse than now must keep, so that noise doesn't move it."""

    dust: float = 300.0
    co2: float = 0.02
    guessed: float = 0.01
    foul: float = 1.5
    start: float = 3.0
    change: float = 0.2
    down: float = 0.95


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is expected of each combination (R × K): PM2.5 at the end, at risk at the end, its peak at risk
    [µg/m³], CO2 at the end [ppm], hours·µg/m³ and hours·ppm above the limits while people are in."""

    value: Array
    end: Array
    peak: Array
    co2: Array
    dust_excess: Array
    co2_excess: Array


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name, how much a combination breaks it (R × K, 0: not at all), and what that costs (None: it
    must be kept as well as any combination keeps it)."""

    name: str
    broken: Callable[[Rooms, Options, Outcome], Array]
    price: Callable[[Rooms, Prices], Array] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """`best` (R) and what it would be were there no rule but for the air, `free` (R); `outcome`, and `cost`
    (R × K) of energy, switching and of what the priced rules find, `energy` (R × K) [Wh]."""

    best: Array
    free: Array
    outcome: Outcome
    cost: Array
    energy: Array


RULES: tuple[Rule, ...] = (
    Rule("hand", lambda rooms, options, outcome: options.hand),
    Rule("quiet", lambda rooms, options, outcome: options.quiet),
    Rule("power", lambda rooms, options, outcome: np.maximum(options.power - rooms.budget[:, None], 0.0)),
    Rule("pace", lambda rooms, options, outcome: options.pace),
    Rule("dust", lambda rooms, options, outcome: outcome.dust_excess, lambda rooms, p: _each(rooms, p.dust)),
    Rule("co2", lambda rooms, options, outcome: outcome.co2_excess, lambda rooms, p: _co2(rooms, p)),
)


def choose(rooms: Rooms, options: Options, prices: Prices, outcome: Outcome | None = None) -> Choice:
    """The cheapest combination of each room that breaks no rule more than it must; `outcome` is what the
    room's balance expects, unless somebody knows better."""
    outcome = outcome or courses(rooms, options, prices)
    hours = float(rooms.hours[-1])
    heating = HEAT * options.volume_flow * rooms.heat[:, None]
    energy = (options.power + heating) * hours
    cost = energy / 1000 * rooms.price[:, None]
    cost = cost + prices.start * options.starts + prices.change * options.changes
    for rule in RULES:
        if rule.price is not None:
            cost = cost + rule.price(rooms, prices)[:, None] * rule.broken(rooms, options, outcome)
    alive = np.ones(cost.shape, bool)
    for rule in RULES:
        if rule.price is None:
            broken = np.where(alive, rule.broken(rooms, options, outcome), np.inf)
            alive = broken <= broken.min(axis=1, keepdims=True)
    best = np.argmin(np.where(alive, cost, np.inf), axis=1)
    return Choice(best, np.argmin(cost, axis=1), outcome, cost, energy)


def courses(rooms: Rooms, options: Options, prices: Prices) -> Outcome:
    """What becomes of each room under each combination: as it is, moved by what its balance says.

    Within, arrays are by step first: H × 2 (expected, at risk) × R × K.
    """
    steps = np.diff(rooms.hours, prepend=0.0)
    as_is = np.stack([rooms.likely.T, rooms.risk.T], axis=1)
    now = np.broadcast_to(rooms.now, as_is.shape[1:])
    gain, model = _as_is(rooms, options, as_is, now, steps[:, None])
    loss = rooms.loss.T[..., None] + options.clean + options.flow
    kept = np.exp(-loss * steps[:, None, None])
    fed = _gains(rooms, options, gain) * ((1.0 - kept) / loss)[:, None]
    moved = _advanced(np.repeat(now[..., None], loss.shape[2], axis=2), kept[:, None], fed)
    course = np.maximum(as_is[..., None] + moved - model[..., None], 0.0)
    co2 = _breathed(rooms, options, steps[:, None, None])
    weights = steps + TAIL * (np.arange(steps.size) == steps.size - 1)
    counts = (weights[:, None] * rooms.people.T)[..., None]
    worse = course[:, 1] > as_is[:, 1, :, None] + 1e-6
    limit = np.where(worse, prices.down, 1.0) * rooms.limit[:, None]
    borne = (np.where(_foul(rooms), prices.foul, 1.0) * rooms.co2_limit)[:, None]
    dust = (counts * np.maximum(course[:, 1] - limit, 0.0)).sum(axis=0)
    excess = (counts * np.maximum(co2 - borne, 0.0)).sum(axis=0)
    peak = np.maximum(rooms.now[:, None], course[:, 1].max(axis=0))
    return Outcome(course[-1, 0], course[-1, 1], peak, co2[-1], dust, excess)


def _as_is(rooms: Rooms, options: Options, as_is: Array, now: Array, steps: Array) -> tuple[Array, Array]:
    """The gains [µg/m³/h] (H × 2 × R) that lead along the path as it is, 0 where it falls faster than the
    room loses, and the path that the balance makes of them."""
    loss = (rooms.loss.T + options.was_clean + options.was_flow)[:, None]
    left = np.exp(-loss * steps[:, None])
    before = np.concatenate([now[None], as_is[:-1]])
    gain = np.maximum((as_is - before * left) / (1.0 - left) * loss, 0.0)
    return gain, _advanced(now, left, gain / loss * (1.0 - left))


def _advanced(now: Array, kept: Array, fed: Array) -> Array:
    """The state after each step (H × …): of what was there a share is `kept`, and so much is `fed`."""
    found = []
    for share, more in zip(kept, fed, strict=True):
        now = now * share + more
        found.append(now)
    return np.stack(found)


def _gains(rooms: Rooms, options: Options, gain: Array) -> Array:
    """What comes in under each combination [µg/m³/h] (H × 2 × R × K): as it is, more or less by what
    ventilators bring.

    Where less comes in than the balance expects, all of it is taken for outdoor air that is cleaner on its
    way in than thought; what comes in beyond it is the room's own.
    """
    outdoor, inward = rooms.outdoor.T, rooms.inward.T
    expected = np.maximum((inward + options.was_inflow) * outdoor, 1e-9)[:, None]
    share = np.minimum(gain / expected, 1.0)[..., None]
    inflow = (inward[..., None] + options.flow * options.passing) * outdoor[..., None]
    own: Array = np.maximum(gain - expected, 0.0)[..., None] + share * inflow[:, None]
    return own


def _breathed(rooms: Rooms, options: Options, steps: Array) -> Array:
    """CO2 after each step (H × R × K)."""
    now = np.where(np.isnan(rooms.co2), _settled_co2(rooms, options), rooms.co2)
    air = rooms.air.T[..., None] + options.flow
    kept = np.exp(-air * steps)
    fed = (rooms.breath.T[..., None] / air + FRESH_CO2) * (1.0 - kept)
    return _advanced(np.repeat(now[:, None], air.shape[2], axis=1), kept, fed)


def _foul(rooms: Rooms) -> Array:
    foul: Array = rooms.outdoor[:, 0] > rooms.limit
    return foul


def _settled_co2(rooms: Rooms, options: Options) -> Array:
    air: Array = rooms.air[:, 0] + options.was_flow
    return FRESH_CO2 + rooms.breath[:, 0] / air


def _each(rooms: Rooms, price: float) -> Array:
    return np.full(rooms.now.shape, price)


def _co2(rooms: Rooms, prices: Prices) -> Array:
    guessed = np.where(_foul(rooms), 0.0, prices.guessed)
    return np.where(np.isnan(rooms.co2), guessed, prices.co2)
