"""A room's balance identified from its own stream: what comes in, what is lost, what its purifiers deliver.

Over a window of half an hour the change of PM2.5 is linear in the terms of the balance (edge.room), so that
they are a regression of the changes on the windows' means: robust (Tukey's biweight, scaled by occupancy),
as windows and doors open unseen; held by what is known of rooms where the stream says nothing; with standard
errors from whole days, as neighbouring windows are not independent. All rooms are solved in one go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.choice import FRESH_CO2
from edge.network import Room
from edge.readings import Array
from edge.room import DEPOSITION, PENETRATION, Balance

SPAN = 3
"""Steps of a window."""
ROUNDS = 6
TUKEY = 4.685
LEAST = 48
"""Windows without which a room is left as its files say."""
MISFIT = 0.03
"""The least relative error of a term: cells of ten minutes are no finer than that."""
FLOOR, SHARE = 1.5, 0.08
"""Noise of a value [µg/m³] and as a share of it: what weighs the windows before their residuals are known."""
CO2_FLOOR = 25.0

TERMS = ("inward", "busy_inward", "loss", "busy_loss", "source", "delivered", "flow_in", "flow_out")
"""The regression's terms; the two of being busy are what people add."""
CO2_TERMS = ("air", "busy_air", "breath", "flow_air")


@dataclass(frozen=True, slots=True)
class Stream:
    """R rooms over T even steps of `step` [h], from midnight on: PM2.5 `inside` and `outside` [µg/m³] and
    `co2` [ppm] (NaN: missing), share of the step with people in (`busy`), and what the network files say
    that the actuators gave: `clean` and `flow` [1/h]."""

    step: float
    inside: Array
    outside: Array
    co2: Array
    busy: Array
    clean: Array
    flow: Array


@dataclass(frozen=True, slots=True)
class Fit:
    """Terms of R rooms: `mean` (R × p) and its covariance (R × p × p); windows `used` (R), and the spread of
    what is not explained (R), in the unit of the change."""

    names: tuple[str, ...]
    mean: Array
    covariance: Array
    used: Array
    noise: Array

    @property
    def error(self) -> Array:
        """Standard errors (R × p)."""
        spread = np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0.0))
        found: Array = np.hypot(spread, MISFIT * np.abs(self.mean))
        return found

    def row(self, place: int) -> Mapping[str, tuple[float, float]]:
        """One room's terms by name, with their standard errors."""
        pairs = zip(self.mean[place].tolist(), self.error[place].tolist(), strict=True)
        return dict(zip(self.names, pairs, strict=True))


@dataclass(frozen=True, slots=True)
class Identified:
    """What the stream says of R rooms: the fits of particles and of CO2."""

    dust: Fit
    co2: Fit

    def balance(self, place: int, room: Room) -> Balance:
        """One room's balance; the files' where the stream says too little."""
        if self.dust.used[place] < LEAST:
            return Balance.of(room)
        return _balance(self.dust.row(place), self.co2.row(place), room, self.co2.used[place] >= LEAST)


def identify(stream: Stream, rooms: Sequence[Room]) -> Identified:
    """The terms of all rooms of a stream."""
    dust = _solve(TERMS, *regressors(stream), _dust_prior(rooms), stream)
    return Identified(dust, _solve(CO2_TERMS, *_co2(stream), _co2_prior(rooms), stream))


def regressors(stream: Stream) -> tuple[Array, Array, Array, Array]:
    """Regressors (R × W × p), changes [µg/m³/h], their scale, and the share of people in each window."""
    inside, outside, busy = stream.inside, stream.outside, stream.busy
    parts = (
        outside, busy * outside, -inside, -busy * inside, busy, -stream.clean * inside,
        stream.flow * outside, -stream.flow * inside,
    )  # fmt: skip
    level = _means(inside)
    scale = (FLOOR + SHARE * level) / (SPAN * stream.step) + 0.1 * level
    return np.stack([_means(part) for part in parts], axis=2), _changes(inside, stream), scale, _means(busy)


def _co2(stream: Stream) -> tuple[Array, Array, Array, Array]:
    co2, busy = stream.co2 - FRESH_CO2, stream.busy
    parts = (-co2, -busy * co2, busy, -stream.flow * co2)
    level = np.abs(_means(co2))
    scale = (CO2_FLOOR + 0.03 * level) / (SPAN * stream.step) + 0.1 * level
    return np.stack([_means(part) for part in parts], axis=2), _changes(co2, stream), scale, _means(busy)


def _dust_prior(rooms: Sequence[Room]) -> tuple[Array, Array]:
    mean = [[r.ach * PENETRATION, 0.2, r.ach + DEPOSITION, 0.3, 2.0, 0.85, 0.6, 1.0] for r in rooms]
    return np.array(mean), np.array([0.4, 0.4, 0.4, 0.3, 6.0, 0.25, 0.25, 0.15])


def _co2_prior(rooms: Sequence[Room]) -> tuple[Array, Array]:
    mean = [[room.ach, 0.3, Balance.of(room).breath, 1.0] for room in rooms]
    return np.array(mean), np.array([0.4, 0.8, 900.0, 0.15])


def _means(cells: Array) -> Array:
    """The trapezoid means of all windows (R × W); noise of their ends doesn't lean on the change between."""
    weights = np.array([0.5, *([1.0] * (SPAN - 1)), 0.5]) / SPAN
    last = cells.shape[1] - SPAN
    parts = [weight * cells[:, at : at + last] for at, weight in enumerate(weights)]
    total: Array = np.sum(parts, axis=0)
    return total


def _changes(cells: Array, stream: Stream) -> Array:
    change: Array = (cells[:, SPAN:] - cells[:, :-SPAN]) / (SPAN * stream.step)
    return change


def _solve(
    names: tuple[str, ...],
    terms: Array,
    change: Array,
    scale: Array,
    busy: Array,
    prior: tuple[Array, Array],
    stream: Stream,
) -> Fit:
    """Robust regression of `change` on `terms`, held by `prior` (mean R × p, spread p)."""
    known = np.isfinite(change) & np.isfinite(terms).all(axis=2) & (scale > 0)
    terms = np.where(known[..., None], terms, 0.0) / np.where(known, scale, 1.0)[..., None]
    change = np.where(known, change, 0.0) / np.where(known, scale, 1.0)
    mean, spread = prior
    hold = np.diag(1.0 / spread**2)
    groups = [known & (busy < 0.5), known & (busy >= 0.5)]
    weight, found = known.astype(float), mean
    for _ in range(ROUNDS):
        left = np.swapaxes(terms * weight[..., None], 1, 2)
        inverse = np.linalg.inv(left @ terms + hold)
        found = (inverse @ (left @ change[..., None] + (hold @ mean.T).T[..., None]))[..., 0]
        residual = change - (terms @ found[..., None])[..., 0]
        weight, noise = _weigh(residual, groups)
    covariance = _covariance(terms, weight * residual, inverse, hold, stream)
    return Fit(names, found, covariance, (weight > 0).sum(axis=1), noise)


def _weigh(residual: Array, groups: Sequence[Array]) -> tuple[Array, Array]:
    """Tukey's weights, each group by its own spread: what people do must not hide what the nights say."""
    weight, worst = np.zeros(residual.shape), np.ones(len(residual))
    for group in groups:
        held = np.where(group, np.abs(residual), np.nan)
        some = group.any(axis=1)
        middle = np.ones(len(residual))
        middle[some] = np.nanmedian(held[some], axis=1) * 1.4826
        middle = np.maximum(middle, 0.05)
        ratio = residual / (TUKEY * middle[:, None])
        # Divided by the spread squared: noisy hours say less.
        weight += np.where(group, np.maximum(1.0 - ratio**2, 0.0) ** 2 / middle[:, None] ** 2, 0.0)
        worst = np.where(some, middle, worst)
    return weight, worst


def _covariance(terms: Array, score: Array, inverse: Array, hold: Array, stream: Stream) -> Array:
    """The sandwich over whole days."""
    day = max(round(24 / stream.step), 1)
    rooms, windows, count = terms.shape
    padded = -(-windows // day) * day
    each = np.zeros((rooms, padded, count))
    each[:, :windows] = terms * score[..., None]
    days = each.reshape(rooms, -1, day, count).sum(axis=2)
    meat = np.swapaxes(days, 1, 2) @ days
    covariance: Array = inverse @ (meat + hold) @ inverse
    return covariance


def _balance(
    dust: Mapping[str, tuple[float, float]], co2: Mapping[str, tuple[float, float]], room: Room, aired: bool
) -> Balance:
    value = {name: pair[0] for name, pair in dust.items()}
    air = {name: pair[0] for name, pair in co2.items()}
    inward, loss = max(value["inward"], 0.02), max(value["loss"], 0.1)
    files = Balance.of(room)
    found = Balance(
        inward=inward,
        loss=loss,
        busy_inward=max(inward + value["busy_inward"], 0.02),
        busy_loss=max(loss + value["busy_loss"], 0.1),
        air=files.air,
        busy_air=files.busy_air,
        source=max(value["source"], 0.0),
        breath=files.breath,
        delivered=float(np.clip(value["delivered"], 0.05, 1.5)),
        passing=float(np.clip(value["flow_in"] / max(value["flow_out"], 0.3), 0.0, 1.0)),
    )
    if not aired:
        return found
    calm = max(air["air"], 0.1)
    return replace(found, air=calm, busy_air=max(calm + air["busy_air"], 0.1), breath=max(air["breath"], 0.0))


def nature(
    dust: Mapping[str, tuple[float, float]], co2: Mapping[str, tuple[float, float]], aired: bool, ach: float
) -> Mapping[str, tuple[float, float]]:
    """Air change [1/h], penetration and deposition [1/h] of the empty room, each with its standard error;
    the air change from CO2 where it was measured (`aired`), else `ach` of the files, taken for right within
    0.3."""
    air, error = co2["air"] if aired else (ach, 0.3)
    air = max(air, 0.05)
    (inward, inward_error), (loss, loss_error) = dust["inward"], dust["loss"]
    share = inward / air
    return {
        "air_change": (air, error),
        "penetration": (share, float(np.hypot(inward_error, share * error)) / air),
        "deposition": (loss - air, float(np.hypot(loss_error, error))),
    }
