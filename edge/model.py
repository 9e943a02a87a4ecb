"""The model of a forecast: scaled features, one linear head for each horizon, and intervals by level."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edge.feature import FEATURES
from edge.problem import Problem
from edge.readings import Array

HORIZONS = (600, 1800, 3600)
"""How far ahead a room is forecast [s]."""


class ModelError(Problem):
    """A model file that can't be used, and why."""


@dataclass(frozen=True, slots=True)
class Head:
    """One horizon [s] of a model: change = `coef` · scaled features + `intercept` (no `coef`: persistence);
    its 90 % interval is value + (`lower`, `upper`) · (model's `base` + value)."""

    horizon_s: int
    lower: float
    upper: float
    coef: tuple[float, ...] = ()
    intercept: float = 0.0


@dataclass(frozen=True)
class Model:
    """A predictor of one quantity, the same for every room: features scaled by `mean` and `scale`, a head for
    each horizon; `base` [unit] is where intervals stop narrowing, `span` [s] the time that it learnt from."""

    heads: tuple[Head, ...]
    quantity: str = "pm25"
    features: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    base: float = 5.0
    span: tuple[int, int] = (0, 0)

    @cached_property
    def id(self) -> str:
        """16 hex digits that name the model by its content."""
        return hashlib.sha256(self.encode().encode()).hexdigest()[:16]

    @cached_property
    def horizons(self) -> tuple[int, ...]:
        """How far ahead its heads look [s]."""
        return tuple(head.horizon_s for head in self.heads)

    @cached_property
    def installed(self) -> tuple[int, ...]:
        """The horizons [s] where it is more than persistence."""
        return tuple(head.horizon_s for head in self.heads if head.coef)

    def encode(self) -> str:
        """The model as JSON, the same text for the same model."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def decode(cls, text: str | bytes) -> "Model":
        """The model that `encode` wrote; raises ModelError for anything else."""
        try:
            entry = json.loads(text)
            model = cls(**{name: read(entry[name]) for name, read in _FIELDS.items()})
            model._verify()
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            raise ModelError(f"not a model: {error!r}", advice="make one with `gongi train`") from error
        return model

    def predict(self, matrix: Array, trusted: Array | None = None) -> tuple[Array, Array, Array]:
        """Value, lower and upper end of the 90 % interval (each n × horizons) from a feature matrix; rows
        outside `trusted` (mask) persist. A missing input stands at its mean in training."""
        last = matrix[:, FEATURES.index("last")]
        value = np.repeat(last[:, None], len(self.heads), axis=1)
        if self.installed:
            change = self._change(matrix)
            value += change if trusted is None else np.where(trusted[:, None], change, 0.0)
        np.maximum(value, 0.0, out=value)
        reach = self.base + value
        ends = np.array([[head.lower, head.upper] for head in self.heads])
        return value, np.maximum(value + ends[:, 0] * reach, 0.0), value + ends[:, 1] * reach

    def _change(self, matrix: Array) -> Array:
        columns, mean, scale, weights, intercept = self._arrays
        scaled = (matrix[:, columns] - mean) / scale
        return np.nan_to_num(scaled, nan=0.0) @ weights + intercept

    @cached_property
    def _arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        columns = np.array([FEATURES.index(name) for name in self.features], np.int64)
        none = (0.0,) * len(self.features)
        weights = np.array([head.coef or none for head in self.heads]).T
        intercept = np.array([head.intercept for head in self.heads])
        return columns, np.array(self.mean), np.array(self.scale), weights, intercept

    def _verify(self) -> None:
        size = len(self.features)
        unknown = sorted(set(self.features) - set(FEATURES))
        if unknown:
            raise ValueError(f"unknown features {', '.join(unknown)}")
        coefs = (len(head.coef) or size for head in self.heads)
        if {len(self.mean), len(self.scale), *coefs} != {size}:
            raise ValueError("features, scaling and coefficients have different lengths")
        if not self.heads or min(self.scale, default=1.0) <= 0 or any(h.lower > h.upper for h in self.heads):
            raise ValueError("no horizon, a scale that isn't positive, or an interval upside down")
        json.dumps(asdict(self), allow_nan=False)


def _head(entry: Any) -> Head:
    lower, upper, intercept = (float(entry[name]) for name in ("lower", "upper", "intercept"))
    return Head(int(entry["horizon_s"]), lower, upper, _floats(entry["coef"]), intercept)


def _floats(entry: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in entry)


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "heads": lambda entry: tuple(_head(head) for head in entry),
    "quantity": str,
    "features": lambda entry: tuple(str(name) for name in entry),
    "mean": _floats,
    "scale": _floats,
    "base": float,
    "span": lambda entry: (int(entry[0]), int(entry[1])),
}


PERSISTENCE = Model(heads=(Head(600, -0.25, 0.30), Head(1800, -0.40, 0.60), Head(3600, -0.50, 0.90)))
"""What is used until a model was trained: it stays as it is. Its intervals are a prior, not measured in the
room; `gongi train` replaces them by the room's own residuals."""
