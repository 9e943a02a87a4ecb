"""A model's integers put to work on whole networks at once, bit for bit as a node computes them.

Products and sums of the hidden layer stay below 2**24 and are done in single precision, those of the heads
below 2**53 in double: both are exact, whatever order the processor adds in.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edge.predict.feature import MISSING
from edge.predict.model import FINE, Form, Head, Model, Role
from edge.readings import Array

REACH = 2047
ROOT_BITS = 10
_ROWS = 1024
"""Rows at a time: what they need stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Said:
    """Of n places and h horizons, as integers: value, its interval's ends and spread (2**-(bits + 4) of the
    unit), the onset's logit (256 is one; None without onset heads); NaN-free: an unknown level is 0."""

    value: Array
    lower: Array
    upper: Array
    spread: Array
    logit: Array | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Heads of one role side by side: weights by hidden unit, input and value (× heads), bias, shift."""

    hidden: Array
    inputs: Array
    values: Array
    bias: Array
    step: Array
    trees: tuple["_Trees | None", ...]


@dataclass(frozen=True, slots=True)
class _Trees:
    """A head's trees: inputs and bounds of the first, the second and the third questions, the leaves."""

    inputs: Array
    bounds: Array
    leaves: Array
    shift: int

    def __call__(self, z: Array) -> Array:
        """What they add to rows of scaled inputs."""
        above = (z[:, self.inputs.ravel()] > self.bounds.ravel()).reshape(len(z), 7, -1)
        first = above[:, 0]
        second = np.where(first, above[:, 2], above[:, 1])
        third = np.where(
            first,
            np.where(second, above[:, 6], above[:, 5]),
            np.where(second, above[:, 4], above[:, 3]),
        )
        leaf = 4 * first.astype(np.intp) + 2 * second + third
        total: Array = self.leaves[leaf, np.arange(leaf.shape[1])].sum(axis=1)
        return total >> self.shift


@dataclass(frozen=True, slots=True)
class _Compiled:
    mean: Array
    factor: Array
    shift: Array
    weights: Array
    biases: Array
    parts: dict[int, _Part]


def scaled(model: Model, inputs: Array) -> Array:
    """Inputs (n × terms) as the network takes them: whole numbers in ±2047, 0 where missing, float32."""
    net = _compiled(model)
    z = ((inputs - net.mean) * net.factor) >> net.shift
    z = np.where(inputs == MISSING, 0, np.clip(z, -REACH, REACH))
    return z.astype(np.float32)


def forecast(model: Model, inputs: Array, last: Array) -> Said:
    """What the model says of integer inputs (n × terms) and newest levels (n)."""
    return said(model, scaled(model, inputs), last)


def said(model: Model, z: Array, last: Array) -> Said:
    """The same, of scaled inputs."""
    now = np.where(last == MISSING, 0, last).astype(np.int64)
    raw = run(model, z, Role.VALUE)
    hidden_free = np.zeros((z.shape[0], len(model.values)), np.int64) if raw is None else raw
    value = _values(model, hidden_free, now)
    spread = _spread(model, z, value)
    lower, upper = _ends(model, value, spread)
    return Said(value, lower, upper, spread, run(model, z, Role.ONSET, value))


def run(model: Model, z: Array, role: Role, value: Array | None = None) -> Array | None:
    """The outputs (n × heads) of one role as integers, before forms; None where it has no such head."""
    net = _compiled(model)
    part = net.parts.get(role)
    if part is None:
        return None
    out = np.empty((z.shape[0], part.bias.size), np.int64)
    for first in range(0, z.shape[0], _ROWS):
        rows = slice(first, first + _ROWS)
        block = z[rows]
        total = np.repeat(part.bias[None], len(block), axis=0)
        if part.hidden.size:
            total += _hidden(net, block) @ part.hidden
        if part.inputs.size:
            total += block.astype(np.float64) @ part.inputs
        if part.values.size and value is not None:
            total += _ahead(model, value[rows]) @ part.values
        out[rows] = np.floor(total * part.step)
        for place, trees in enumerate(part.trees):
            if trees is not None:
                out[rows, place] += trees(block)
    return out


def _hidden(net: _Compiled, z: Array) -> Array:
    # Weights and biases are 256ths: their sums have 24 bits still, and the shift by 8 is a floor.
    units = z @ net.weights
    units += net.biases
    np.maximum(units, 0, out=units)
    np.floor(units, out=units)
    wide: Array = units.astype(np.float64)
    return wide


def _ahead(model: Model, value: Array) -> Array:
    u: Array = ((value - model.limit) * model.factor) >> model.shift
    return np.clip(u, -REACH, REACH).astype(np.float64)


def _values(model: Model, out: Array, last: Array) -> Array:
    columns = [_FORMS[Form(head.form)](model, out[:, i], last) for i, head in enumerate(model.values)]
    value: Array = np.clip(np.stack(columns, axis=1), 0, model.most)
    return value


def _root(model: Model, out: Array, last: Array) -> Array:
    root = np.minimum(np.maximum(out, 0), 1 << 20)
    shift = 2 * ROOT_BITS - (model.columns[0].bits + FINE)
    return (root * root) >> shift


_FORMS = {
    Form.LEVEL: lambda model, out, last: out,
    Form.CHANGE: lambda model, out, last: last + out,
    Form.ROOT: _root,
}


def _spread(model: Model, z: Array, value: Array) -> Array:
    out = run(model, z, Role.SPREAD, value)
    if out is None:
        return value + model.near
    heads = [head for head in model.heads if head.role == Role.SPREAD]
    least = np.array([head.marks[0] for head in heads], np.int64)
    return np.clip(out, least, 1 << 24)


def _ends(model: Model, value: Array, spread: Array) -> tuple[Array, Array]:
    which = bins(model, value)
    ends = np.array([head.ends for head in model.values], np.int64).reshape(len(model.values), 3, 2)
    held = ends[np.arange(len(model.values)), which]
    lower, upper = (value + ((held[..., end] * spread) >> 10) for end in (0, 1))
    return np.maximum(lower, 0), np.maximum(upper, 0)


def bins(model: Model, value: Array) -> Array:
    """Which of its three intervals each value (n × h) has: that of low, middling or high ones."""
    marks = np.array([head.marks for head in model.values], np.int64)
    return (value >= marks[:, 0]).astype(np.int64) + (value >= marks[:, 1])


@lru_cache(maxsize=8)
def _compiled(model: Model) -> _Compiled:
    size = len(model.terms)
    scale = np.array([(t.mean, t.factor, t.shift) for t in model.terms], np.int64).reshape(size, 3)
    weights = np.frombuffer(model.weights, np.int8).reshape(len(model.biases), size)
    by_role = {role: [head for head in model.heads if head.role == role] for role in Role}
    return _Compiled(
        mean=scale[:, 0],
        factor=scale[:, 1],
        shift=scale[:, 2],
        weights=np.ascontiguousarray(weights.T, np.float32) / np.float32(256),
        biases=np.array(model.biases, np.float32) / np.float32(256),
        parts={role: _part(model, heads) for role, heads in by_role.items() if heads},
    )


def _part(model: Model, heads: list[Head]) -> _Part:
    def side_by_side(name: str, size: int) -> Array:
        rows = [getattr(head, name) for head in heads]
        if not any(rows):
            return np.zeros((0, 0))
        return np.array([row or (0,) * size for row in rows], np.float64).T.copy()

    return _Part(
        side_by_side("hidden", len(model.biases)),
        side_by_side("inputs", len(model.terms)),
        side_by_side("values", len(model.values)),
        np.array([head.bias for head in heads], np.float64),
        np.array([2.0**-head.shift for head in heads]),
        tuple(_trees(head) if head.trees else None for head in heads),
    )


def _trees(head: Head) -> _Trees:
    kind = [("input", "u1", 7), ("bound", "<i2", 7), ("leaf", "<i2", 8)]
    found = np.frombuffer(head.trees, np.dtype(kind))
    return _Trees(
        found["input"].T.astype(np.intp),
        found["bound"].T.astype(np.float32),
        found["leaf"].T.astype(np.int64),
        head.leaf_shift,
    )
