"""A correction as it is kept, sent and named: frozen, JSON in and out, its id the hash of what it says."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from edge.correction.inputs import Inputs, lowest
from edge.correction.published import CF1, PUBLISHED
from edge.correction.term import TERMS, matrix
from edge.problem import Problem
from edge.readings import Array

VERSION = 1
HOUR = 3_600_000_000_000
Z90 = 1.6449
"""Half the width of a normal distribution's middle 90 %, in standard deviations."""
BEYOND = 2.0
"""How much wider the interval of a value is whose inputs lie outside the range that the fit has seen."""
PLAIN = ("identity", "linear", "curve")


class CorrectionError(Problem):
    """A file or text isn't a correction."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The uncertainty of a value: exp(intercept + Σ weights·`circumstances`), the typical size of its error,
    times `lower` and `upper` (5 and 95 %)."""

    intercept: float
    weights: tuple[float, ...]
    lower: float
    upper: float

    def scale(self, value: Array, given: Inputs) -> Array:
        """The typical size of the error [unit] of each value."""
        scale: Array = np.exp(self.intercept + circumstances(value, given) @ np.array(self.weights))
        return scale


def circumstances(value: Array, given: Inputs) -> Array:
    """What the size of an error depends on [rows, 6]: log(1 + value), log(1 + change since the step before),
    log(1 + distance of the channels), RH/100, T/10 and (T/10 − 1)²; 0 where a device doesn't measure it."""
    rows: Array = np.stack(list(circumstance(value, given)), axis=1)
    return rows


def circumstance(value: Array, given: Inputs) -> Iterator[Array]:
    """The same, one after the other."""
    nothing = np.full(value.size, np.nan)
    change = np.abs(given.raw - given.filled(given.past(given.quantity, 1)))
    first, second = (given.columns.get(f"{given.quantity}{side}") for side in ("_a", "_b"))
    apart = nothing if first is None or second is None else np.abs(first - second)
    rh, temp = given.columns.get("rh", nothing) / 100.0, given.columns.get("temp", nothing) / 10.0
    for cells in (value, change, apart):
        yield _known(np.log1p(np.maximum(cells, 0)) if cells is not nothing else cells)
    for cells in (rh, temp, (temp - 1.0) ** 2):
        yield _known(cells)


def _known(cells: Array) -> Array:
    known: Array = np.where(np.isnan(cells), 0.0, cells)
    return known


@dataclass(frozen=True, slots=True)
class Corrected:
    """Values [unit], their 90 % interval and standard uncertainty `u` [unit], and `outside`: which rows have
    inputs outside the range that the fit has seen."""

    value: Array
    lower: Array
    upper: Array
    u: Array
    outside: Array


@dataclass(frozen=True)
class Correction:
    """One sensor's correction of one quantity.

    `form` names how it was made; `kind` how it is applied: `identity`, `linear` (intercept + Σ weights·
    terms), `curve` (through `knots`, straight on beyond them) or a published formula. `valid` holds the
    smallest and largest value of each input that the fit has seen, `window` its first and last time [ns],
    `shift` by how many steps the sensor's series is moved first, `data` the hash of what it was fitted on,
    `step` [ns] how far apart the rows of the fit were.
    """

    form: str
    quantity: str
    kind: str = "identity"
    serial: str = ""
    version: int = VERSION
    window: tuple[int, int] = (0, 0)
    valid: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    terms: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    shift: int = 0
    spread: Spread | None = None
    data: str = ""
    step: int = HOUR

    def __post_init__(self) -> None:
        if self.kind not in (*PLAIN, *PUBLISHED):
            raise CorrectionError(f'"{self.kind}" is no kind of correction', "kind")
        unknown = [term for term in self.terms if term.partition(":")[0] not in TERMS]
        if unknown:
            raise CorrectionError(f"unknown terms: {', '.join(unknown)}", "terms")
        if len(self.terms) != len(self.weights) or (self.kind == "curve" and len(self.knots) < 2):
            raise CorrectionError("terms and weights, or a curve's knots, don't match", "weights")

    @cached_property
    def id(self) -> str:
        """12 hex digits over all that the correction says."""
        return sha256(json.dumps(self._said(), sort_keys=True).encode()).hexdigest()[:12]

    def _said(self) -> dict[str, Any]:
        return asdict(self)

    def encode(self) -> dict[str, Any]:
        """The correction as a JSON object, its id included."""
        return {"id": self.id, **json.loads(json.dumps(self._said()))}

    @classmethod
    def decode(cls, said: Mapping[str, Any]) -> "Correction":
        """The correction of a JSON object; raises `CorrectionError`, also where its id isn't its own."""
        rest = {name: value for name, value in said.items() if name != "id"}
        try:
            made = cls(**{name: _frozen(name, value) for name, value in rest.items()})
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise CorrectionError(f"not a correction: {error}") from None
        if made.version != VERSION:
            raise CorrectionError(f"version {made.version}, this program reads {VERSION}", "version")
        if said.get("id", made.id) != made.id:
            raise CorrectionError(f"its id is {said['id']}, its content's {made.id}", "id", "it was changed")
        return made

    def apply(self, given: Inputs) -> Corrected:
        """The calibrated values of a device's series; none below what its quantity can be."""
        moved = given.late(self.shift) if self.shift else given
        value = self.value(moved)
        outside = beyond(self.valid, moved)
        if self.spread is None:
            nan = np.full(value.size, np.nan)
            return Corrected(value, nan, nan, nan, outside)
        scale = self.spread.scale(value, moved) * np.where(outside, BEYOND, 1.0)
        lower = np.maximum(value + self.spread.lower * scale, lowest(self.quantity))
        upper = value + self.spread.upper * scale
        u = (self.spread.upper - self.spread.lower) * scale / (2 * Z90)
        return Corrected(value, lower, np.maximum(upper, lower), u, outside)

    def value(self, given: Inputs) -> Array:
        """The calibrated values alone, of a series that is already in step with the reference."""
        if self.kind in PUBLISHED:
            value = published(self.kind, given)
        elif self.kind == "curve":
            value = follow(np.array(self.knots), given.raw)
        elif self.kind == "linear":
            value = matrix(self.terms, given) @ np.array(self.weights) + self.intercept
        else:
            value = given.raw
        floored: Array = np.maximum(value, lowest(self.quantity))
        return floored

    def named(self, serial: str, window: tuple[int, int], data: str) -> "Correction":
        """The same correction for a sensor, with the window [ns] and the hash of the data of its fit."""
        return replace(self, serial=serial, window=window, data=data)


def beyond(valid: Mapping[str, tuple[float, float]], given: Inputs) -> Array:
    """Which rows have an input outside its range in `valid`."""
    outside = np.zeros(given.time.size, bool)
    for name, (low, high) in valid.items():
        cells = given.columns.get(name)
        if cells is not None:
            outside |= (cells < low) | (cells > high)
    return outside


def published(kind: str, given: Inputs) -> Array:
    """A published correction of a device's series, from its CF=1 values where the formula wants them."""
    cells = given.columns.get(f"{given.quantity}_cf1") if kind in CF1 else None
    raw = given.raw if cells is None else given.filled(cells)
    return PUBLISHED[kind](raw, given.columns["rh"])


def follow(knots: Array, raw: Array) -> Array:
    """A curve through `knots` [n, 2] at `raw`; beyond its ends it goes straight on."""
    x, y = knots[:, 0], knots[:, 1]
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    inside = np.interp(raw, x, y)
    below, above = y[0] + first * (raw - x[0]), y[-1] + last * (raw - x[-1])
    value: Array = np.where(raw < x[0], below, np.where(raw > x[-1], above, inside))
    return np.where(np.isnan(raw), np.nan, value)


def _frozen(name: str, value: Any) -> Any:
    if name == "spread" and value is not None:
        return Spread(**{**value, "weights": tuple(value["weights"])})
    if name == "valid":
        return {key: (float(low), float(high)) for key, (low, high) in value.items()}
    if name == "knots":
        return tuple((float(x), float(y)) for x, y in value)
    return tuple(value) if isinstance(value, list) else value
