"""From what was learnt to the model's integers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.learn.compete import PERSISTENCE, Contest, Learnt, share_of
from edge.learn.doubt import Doubt
from edge.learn.event import Onset
from edge.learn.tree import TREES, Trees
from edge.predict.infer import REACH, ROOT_BITS
from edge.predict.lesson import Sight
from edge.predict.model import FINE, MOST_BYTES, TREE_BYTES, Form, Head, Model, Role
from edge.readings import Array

MOST_UNITS = 96
UNIT = 256
"""What is 1 in scaled inputs, hidden units and log odds."""


def room_for(sight: Sight, horizons: int, with_trees: bool) -> int:
    """How many hidden units fit into a model with all its heads."""
    terms, names = len(sight.terms), sum(2 + len(column.name) for column in sight.columns)
    trees = horizons * TREES * TREE_BYTES if with_trees else 0
    heads = horizons * (3 * 14 + 6 + 30 + 3 * 2 * terms + 2 * 2 * horizons)
    left = MOST_BYTES - 44 - names - 11 * terms - heads - trees
    return int(np.clip(left // (terms + 4 + 4 * horizons), 0, MOST_UNITS))


@dataclass(frozen=True, slots=True)
class Layer:
    """The hidden layer in integers, and by how much a unit of it is more than the float's."""

    weights: Array
    biases: Array
    share: Array


def layer(enter: Array, bias: Array) -> Layer:
    """A layer (inputs × units) of floats: each unit's largest weight is 127, less where it might overflow."""
    largest = np.maximum(np.abs(enter).max(axis=0, initial=0), 1e-9)
    scale = 127 / largest
    bound = (1 << 24) - 2 * UNIT * enter.shape[0]
    highest = np.abs(enter).sum(axis=0) * REACH + np.abs(bias) * UNIT + 1e-9
    scale = np.minimum(scale, 0.98 * bound / highest)
    weights = np.round(enter * scale).astype(np.int8)
    biases = np.round(bias * scale * UNIT).astype(np.int64)
    return Layer(weights, biases, 1 / scale)


def whole_numbers(parts: Sequence[Array], bias: float) -> tuple[list[tuple[int, ...]], int, int]:
    """Weights as int16 with the shift that keeps most of them, and the bias, rounding to the nearest."""
    largest = max((float(np.abs(part).max()) for part in parts if part.size), default=0.0)
    shift = 0
    while shift < 20 and largest * 2 ** (shift + 1) <= 32767 and abs(bias) * 2 ** (shift + 1) < 1 << 29:
        shift += 1
    rounded = [np.clip(np.round(part * 2.0**shift), -32768, 32767).astype(int) for part in parts]
    numbers = [tuple(part.tolist()) if part.any() else () for part in rounded]
    return numbers, shift, round(bias * 2**shift) + ((1 << shift) >> 1)


def build(
    sight: Sight,
    horizons: Sequence[int],
    won: Contest,
    final: Learnt,
    doubts: Sequence[Doubt],
    onsets: Sequence[Onset | None],
    bounds: tuple[float, float, float, float],
) -> Model:
    """The model; `bounds` are limit, highest value, near and the deviation of values [unit]."""
    grain = 2.0 ** (sight.columns[0].bits + FINE)
    limit, most, near, spread = bounds
    enter, bias, used = _units(won, final, any(one is not None and one.hidden.size for one in onsets))
    units = layer(enter, bias)
    shift = int(np.clip(np.floor(np.log2(spread * grain * 8)), 0, 24))
    heads = [
        _value(won, final, place, horizon, units, used, doubts[place], grain)
        for place, horizon in enumerate(horizons)
    ]
    if all(one.weights.size for one in doubts):
        heads += [_spread(horizon, one, grain) for horizon, one in zip(horizons, doubts, strict=True)]
    heads += [_odds(horizon, one, units, used) for horizon, one in zip(horizons, onsets, strict=True) if one]
    model = Model(
        columns=sight.columns,
        terms=sight.terms,
        heads=tuple(heads),
        unit_s=sight.unit_s,
        now=sight.now,
        weights=units.weights.T.tobytes(),
        biases=tuple(units.biases.tolist()),
        limit=round(limit * grain),
        most=round(most * grain),
        near=round(near * grain),
        factor=min(round(UNIT / (spread * grain) * 2**shift), 32767),
        shift=shift,
    )
    return Model.decode(model.encode())


def _units(won: Contest, final: Learnt, deep: bool) -> tuple[Array, Array, dict[str, slice]]:
    """The hidden units that any head uses, and where those of each kind are."""
    shares = [share_of(name) for name in won.chosen if name != PERSISTENCE]
    nets = final.nets if deep or any(share[3] for share in shares) else ()
    papers = (final.paper,) if any(share[1] for share in shares) else ()
    terms = final.ridge[0].shape[0]
    kinds = (*nets, *papers)
    enter = np.hstack([np.zeros((terms, 0)), *(net.enter for net in kinds)]).astype(np.float64)
    bias = np.concatenate([np.zeros(0), *(net.bias for net in kinds)]).astype(np.float64)
    size = sum(net.bias.size for net in nets)
    return enter, bias, {"nets": slice(0, size), "paper": slice(size, bias.size)}


def _value(
    won: Contest,
    final: Learnt,
    place: int,
    horizon: int,
    units: Layer,
    used: dict[str, slice],
    doubt: Doubt,
    grain: float,
) -> Head:
    marks = tuple(round(mark * grain) for mark in doubt.marks)
    ends = tuple(int(np.clip(round(end * 1024), -32768, 32767)) for end in doubt.ends.ravel())
    if won.chosen[place] == PERSISTENCE:
        return Head(Role.VALUE, horizon, marks=marks, ends=ends)
    form = won.forms[place]
    unit = (2.0**ROOT_BITS if form == Form.ROOT else grain) * float(final.scale.spread[place])
    share = share_of(won.chosen[place])
    hidden = np.zeros(units.share.size)
    if share[3]:
        hidden[used["nets"]] = np.concatenate([net.leave[:, place] for net in final.nets]) / len(final.nets)
        hidden[used["nets"]] *= share[3]
    if share[1]:
        hidden[used["paper"]] = share[1] * final.paper.leave[:, place]
    nets = np.mean([net.offset[place] for net in final.nets])
    offsets = (final.ridge[1][place], final.paper.offset[place], 0.0, nets)
    offset = sum(s * float(o) for s, o in zip(share, offsets, strict=True))
    middle = float(final.scale.mean[place]) / float(final.scale.spread[place])
    parts = [hidden * units.share * unit, share[0] * final.ridge[0][:, place] / UNIT * unit]
    (of_units, of_inputs), shift, bias = whole_numbers(parts, (offset + middle) * unit)
    trees, leaf_shift = _packed(final.trees[place], share[2] * unit) if share[2] else (b"", 0)
    return Head(
        Role.VALUE, horizon, form, shift, bias, marks, ends, of_units, of_inputs, (), trees, leaf_shift
    )


def _packed(trees: Trees, unit: float) -> tuple[bytes, int]:
    """Trees as a model has them, and the shift of their leaves."""
    leaves, shift = trees.leaves * unit, 0
    while shift < 12 and float(np.abs(leaves).max()) * 2 ** (shift + 1) <= 32767:
        shift += 1
    found = np.zeros(len(leaves), [("input", "u1", 7), ("bound", "<i2", 7), ("leaf", "<i2", 8)])
    found["input"], found["bound"] = trees.inputs, np.clip(trees.bounds, -32768, 32767)
    found["leaf"] = np.clip(np.round(leaves * 2.0**shift), -32768, 32767)
    return found.tobytes(), shift


def _spread(horizon: int, doubt: Doubt, grain: float) -> Head:
    parts = [part * grain / UNIT for part in np.split(doubt.weights, [doubt.weights.size - doubt.ahead])]
    (inputs, values), shift, bias = whole_numbers(parts, doubt.offset * grain)
    marks = (max(round(doubt.least * grain), 1),)
    return Head(Role.SPREAD, horizon, Form.LEVEL, shift, bias, marks, (), (), inputs, values)


def _odds(horizon: int, one: Onset, units: Layer, used: dict[str, slice]) -> Head:
    hidden = np.zeros(units.share.size)
    if one.hidden.size:
        hidden[used["nets"]] = one.hidden
    parts = [hidden * units.share * UNIT, one.inputs, one.values]
    (of_units, inputs, values), shift, bias = whole_numbers(parts, one.offset * UNIT)
    marks = (round(one.threshold * UNIT),)
    return Head(Role.ONSET, horizon, Form.LEVEL, shift, bias, marks, (), of_units, inputs, values)
