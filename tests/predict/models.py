"""Random models and inputs, alike for every machine: whatever a training could ever write, and more."""

import random
from collections.abc import Sequence

import numpy as np

from edge.predict.infer import forecast
from edge.predict.model import TREE_BYTES, Column, Form, Head, Kind, Model, Role, Term

Case = tuple[bytes, list[list[int | None]], list[int]]
"""A model's bytes, rows of inputs (None: missing) and newest levels."""


def model_of(rng: random.Random) -> Model:
    """A model with anything in it."""
    terms = tuple(_term(rng) for _ in range(rng.choice((0, 1, 5, 40))))
    units = rng.choice((0, 1, 12)) if terms else 0
    horizons = rng.sample((600, 1800, 3600, 10800), rng.choice((1, 3)))
    heads = [_value(rng, horizon, units, len(terms)) for horizon in horizons]
    for role in (Role.SPREAD, Role.ONSET):
        if rng.random() < 0.7:
            heads += [_other(rng, role, horizon, units, len(terms), len(horizons)) for horizon in horizons]
    return Model(
        columns=(Column("pm25", rng.randrange(0, 9)),),
        heads=tuple(heads),
        terms=terms,
        weights=bytes(rng.randrange(256) for _ in range(units * len(terms))),
        biases=tuple(rng.randrange(-(1 << 20), 1 << 20) for _ in range(units)),
        limit=rng.randrange(1 << 14),
        most=rng.randrange(1, 1 << 20),
        near=rng.randrange(1 << 12),
        factor=rng.randrange(-(1 << 15), 1 << 15),
        shift=rng.randrange(20),
    )


def case_of(seed: int, rows: int = 3) -> Case:
    """A model and what it is asked."""
    rng = random.Random(seed)
    model = model_of(rng)
    inputs = [[_input(rng) for _ in model.terms] for _ in range(rows)]
    return model.encode(), inputs, [rng.randrange(1 << 15) for _ in range(rows)]


def answered(case: Case) -> list[list[tuple[object, ...]]]:
    """What the gateway says of a case, as the device says it."""
    model = Model.decode(case[0])
    x = np.array([[-(1 << 40) if one is None else one for one in row] for row in case[1]], np.int64)
    said = forecast(model, x.reshape(len(case[1]), len(model.terms)), np.array(case[2], np.int64))
    onsets = [head for head in model.heads if head.role == Role.ONSET]
    odds = {head.horizon_s: place for place, head in enumerate(onsets)}
    return [
        [_told(said, model, onsets, odds, row, place) for place in range(len(model.values))]
        for row in range(len(x))
    ]


def _told(
    said: object, model: Model, onsets: Sequence[Head], odds: dict[int, int], row: int, place: int
) -> tuple[object, ...]:
    horizon = model.horizons[place]
    parts = [int(getattr(said, name)[row, place]) for name in ("value", "lower", "upper")]
    logit = getattr(said, "logit")  # noqa: B009 (any result with these names)
    if horizon not in odds:
        return (horizon, *parts, None, False)
    own = int(logit[row, odds[horizon]])
    return (horizon, *parts, own, own >= onsets[odds[horizon]].marks[0])


def _input(rng: random.Random) -> int | None:
    if rng.random() < 0.1:
        return None
    return rng.randrange(-(1 << 18), 1 << 18) if rng.random() < 0.2 else rng.randrange(-4000, 4000)


def _term(rng: random.Random) -> Term:
    kind, first = rng.choice(tuple(Kind)), rng.randrange(8)
    scale = (rng.randrange(-4000, 4000), rng.randrange(-(1 << 15), 1 << 15), rng.randrange(0, 20))
    return Term(kind, 0, first, first + rng.randrange(1, 8), *scale)


def _weights(rng: random.Random, size: int) -> tuple[int, ...]:
    return tuple(rng.randrange(-(1 << 15), 1 << 15) for _ in range(size)) if rng.random() < 0.8 else ()


def _trees(rng: random.Random, terms: int) -> bytes:
    count = rng.choice((0, 1, 4)) if terms else 0
    asked = (bytes(rng.randrange(terms) for _ in range(7)) for _ in range(count))
    return b"".join(one + rng.randbytes(TREE_BYTES - 7) for one in asked)


def _value(rng: random.Random, horizon: int, units: int, terms: int) -> Head:
    return Head(
        Role.VALUE,
        horizon,
        rng.choice(tuple(Form)),
        rng.randrange(20),
        rng.randrange(-(1 << 24), 1 << 24),
        marks=tuple(sorted(rng.randrange(1 << 14) for _ in range(2))),
        ends=tuple(rng.randrange(-3000, 3000) for _ in range(6)),
        hidden=_weights(rng, units),
        inputs=_weights(rng, terms),
        trees=_trees(rng, terms),
        leaf_shift=rng.randrange(12),
    )


def _other(rng: random.Random, role: Role, horizon: int, units: int, terms: int, values: int) -> Head:
    weights = (_weights(rng, units), _weights(rng, terms), _weights(rng, values))
    mark = rng.randrange(1, 1 << 12)
    return Head(
        role,
        horizon,
        Form.LEVEL,
        rng.randrange(20),
        rng.randrange(-(1 << 20), 1 << 20),
        (mark,),
        (),
        *weights,
    )
