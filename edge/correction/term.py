"""The terms that corrections are sums of: one row per term."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from edge.correction.growth import KAPPA, growth
from edge.correction.inputs import Inputs
from edge.readings import Array

DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Term:
    """How a term is worked out from inputs and its own number (after a colon in its name: `dry:0.2`), which
    columns it needs beside the quantity's, which of the quantity's channels, and how many steps it looks
    back."""

    of: Callable[[Inputs, float], Array]
    needs: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    steps: int = 0


def _raw(steps: int) -> Term:
    return Term(lambda given, _: given.filled(given.past(given.quantity, steps)), steps=steps)


def _plain(name: str) -> Term:
    return Term(lambda given, _: given.columns[name], (name,))


def _dry(given: Inputs, kappa: float) -> Array:
    dry: Array = given.raw / growth(given.columns["rh"], kappa or KAPPA)
    return dry


def _times(name: str, usual: float) -> Term:
    return Term(lambda given, _: given.raw * given.columns[name] / usual, (name,))


def _channel(pick: Callable[[Array, Array], Array], steps: int) -> Term:
    def of(given: Inputs, _: float) -> Array:
        raw = given.past(given.quantity, steps)
        sides = (given.past(f"{given.quantity}{side}", steps) for side in ("_a", "_b"))
        first, second = (np.where(np.isnan(cells), raw, cells) for cells in sides)
        return given.filled(pick(first, second))

    return Term(of, channels=("_a", "_b"), steps=steps)


def _distance(given: Inputs, _: float) -> Array:
    pair = (given.filled(given.columns[f"{given.quantity}{side}"]) for side in ("_a", "_b"))
    return np.abs(np.subtract(*pair))


def _wave(shape: Callable[[Array], Array], times: int) -> Term:
    # UTC serves: a sine and a cosine of it are those of any local clock, turned.
    return Term(lambda given, _: shape(2 * np.pi * times * ((given.time % DAY) / DAY)))


TERMS: Mapping[str, Term] = {
    "raw": _raw(0),
    "raw.1": _raw(1),
    "raw.2": _raw(2),
    "raw.3": _raw(3),
    "rh": _plain("rh"),
    "temp": _plain("temp"),
    "dry": Term(_dry, ("rh",)),
    "root": Term(lambda given, _: np.sqrt(given.raw)),
    "raw*rh": _times("rh", 100.0),
    "raw*temp": _times("temp", 30.0),
    "temp*rh": Term(lambda given, _: given.columns["temp"] * given.columns["rh"] / 100.0, ("temp", "rh")),
    "low": _channel(np.minimum, 0),
    "high": _channel(np.maximum, 0),
    "low.1": _channel(np.minimum, 1),
    "high.1": _channel(np.maximum, 1),
    "channels": Term(_distance, channels=("_a", "_b")),
    "sin": _wave(np.sin, 1),
    "cos": _wave(np.cos, 1),
    "sin2": _wave(np.sin, 2),
    "cos2": _wave(np.cos, 2),
}
"""Every term, in its quantity's unit or, `rh`, `temp` and the waves of the day, in their own."""


def matrix(terms: Collection[str], given: Inputs) -> Array:
    """The terms' values [rows, terms]; NaN where something they need is missing."""
    columns = [_of(term, given) for term in terms]
    return np.stack(columns, axis=1) if columns else np.empty((given.time.size, 0))


def _of(term: str, given: Inputs) -> Array:
    name, _, number = term.partition(":")
    return TERMS[name].of(given, float(number or 0))


def served(terms: Collection[str], quantity: str, columns: Collection[str]) -> bool:
    """Whether these columns are enough for all the terms."""
    return all(column in columns for term in terms for column in needed(term, quantity))


def needed(term: str, quantity: str) -> tuple[str, ...]:
    """The columns that a term needs beside the quantity's own."""
    row = TERMS[term.partition(":")[0]]
    return (*row.needs, *(f"{quantity}{channel}" for channel in row.channels))


def steps(terms: Collection[str]) -> int:
    """How many steps the terms look back."""
    return max((TERMS[term.partition(":")[0]].steps for term in terms), default=0)
