"""Candidates compete on folds of time: forms first, then how long a network learns, then which one serves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.learn.line import ridge
from edge.learn.net import Net, descend
from edge.learn.paper import grown, searched
from edge.learn.task import Fold, Scale, Task, by_block, simplest, targets
from edge.learn.tree import Trees, grow
from edge.predict.model import Form
from edge.readings import Array

NETS, BESIDE_TREES = 4, 2
"""How many networks are averaged: where trees need the room, fewer."""

SCOUT_UNITS, SCOUT_TURNS = 48, 6
MARKS = (1, 2, 4, 8, 16, 32, 48)
MOST_STEPS = 1_600_000
"""Rows times rounds that a network may take."""

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
Shares = tuple[float, float, float, float]
BLENDS: Mapping[str, Shares] = {
    "ridge": (1.0, 0.0, 0.0, 0.0),
    "paper": (0.0, 1.0, 0.0, 0.0),
    "trees": (0.0, 0.0, 1.0, 0.0),
    "net": (0.0, 0.0, 0.0, 1.0),
    "net, ridge": (0.5, 0.0, 0.0, 0.5),
    "net, trees": (0.0, 0.0, 0.5, 0.5),
    "net, trees, ridge": (0.25, 0.0, 0.375, 0.375),
}
"""Candidates in order of complexity, as shares of ridge, the paper's network, trees, and our network."""

PERSISTENCE = "persistence"
Step = Callable[[str], None]


def share_of(name: str) -> Shares:
    """A candidate's shares of ridge, the paper's network, trees and our network."""
    return BLENDS.get(name, BLENDS["ridge"])


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt from some rows: the ridge, the paper's network, each horizon's trees and our network,
    for targets of `scale`."""

    scale: Scale
    ridge: tuple[Array, Array]
    paper: Net
    trees: tuple[Trees, ...]
    nets: tuple[Net, ...]

    def outputs(self, z: Array) -> tuple[Array, ...]:
        """Scaled outputs (each n × h) of ridge, paper, trees and nets."""
        trees = np.stack([one(z) for one in self.trees], axis=1)
        return z @ self.ridge[0] + self.ridge[1], self.paper(z), trees, _mean(self.nets, z)

    def blended(self, z: Array, chosen: Sequence[str]) -> Array:
        """Scaled outputs (n × h), each horizon's by its candidate (where it is persistence, the ridge's)."""
        parts = self.outputs(z)
        columns = [
            np.sum([s * part[:, place] for s, part in zip(share_of(name), parts, strict=True)], axis=0)
            for place, name in enumerate(chosen)
        ]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class Contest:
    """How it ended: each horizon's form and candidate, rounds, units and number of networks, ridge's
    penalty, the paper's rate and nodes, each candidate's mean squared error by horizon, and each fold's
    learnt parts."""

    forms: tuple[Form, ...]
    chosen: tuple[str, ...]
    turns: int
    units: int
    nets: int
    penalty: float
    paper: tuple[float, int]
    errors: tuple[Mapping[str, float], ...]
    folds: tuple[Fold, ...]
    learnt: tuple[Learnt, ...]


def contest(task: Task, units: int, seed: int, step: Step) -> Contest:
    """Hold it; `units` is the size of each of our networks."""
    folds = task.folds()
    forms = _forms(task, folds, seed, step)
    marks = [mark for mark in MARKS if mark * len(task.z) <= MOST_STEPS] or [1]
    courses = []
    for number, fold in enumerate(folds):
        courses.append(_courses(task, fold, forms, units, seed, marks))
        step(f"networks, fold {number + 1}")
    scaled = [targets(task, forms, fold.taught) for fold in folds]
    turn = _best_turn(task, folds, scaled, courses, len(marks))
    penalty = _best_penalty(task, folds, scaled)
    paper = _paper(task, folds, scaled, seed)
    step("the subway paper's recipe")
    learnt = []
    for f, (goal, scale), course in zip(folds, scaled, courses, strict=True):
        nets = tuple(nets[turn] for nets in course)
        learnt.append(_learnt(task.z[f.taught], goal[f.taught], scale, penalty, paper, nets, seed))
        step("ridge, trees")
    chosen, means, serving = _served(task, folds, learnt)
    size = len(serving[0].nets)
    return Contest(
        forms, chosen, marks[turn], units, size, penalty, paper, means, tuple(folds), tuple(serving)
    )


def _served(
    task: Task, folds: Sequence[Fold], learnt: Sequence[Learnt]
) -> tuple[tuple[str, ...], tuple[Mapping[str, float], ...], Sequence[Learnt]]:
    """What serves: many networks without trees, or fewer and trees; what misses less over all horizons."""
    fewer = [replace(one, nets=one.nets[:BESIDE_TREES]) for one in learnt]
    many = [name for name, shares in BLENDS.items() if not shares[2]]
    # Fewer networks with trees are as large as many without: neither is the simpler one.
    with_trees = [name for name, shares in BLENDS.items() if shares[2] or not shares[3]]
    found = []
    for parts, names in ((learnt, many), (fewer, with_trees)):
        errors = _errors(task, folds, parts, names)
        chosen = tuple(_chosen(task, folds, one, place) for place, one in enumerate(errors))
        means = tuple({name: float(np.mean(error)) for name, error in one.items()} for one in errors)
        miss = sum(one[name] / size for one, name, size in zip(means, chosen, _spread(task), strict=True))
        found.append((miss, chosen, means, parts))
    _, chosen, means, parts = min(found, key=lambda one: one[0])
    return chosen, means, parts


def whole(task: Task, won: Contest, seed: int) -> Learnt:
    """What the contest chose, learnt from all rows."""
    rows = np.arange(len(task.z))
    goal, scale = targets(task, won.forms, rows)
    nets = tuple(descend(task.z, goal, won.units, seed + n, [won.turns])[-1] for n in range(won.nets))
    return _learnt(task.z, goal, scale, won.penalty, won.paper, nets, seed)


def _learnt(
    z: Array,
    goal: Array,
    scale: Scale,
    penalty: float,
    paper: tuple[float, int],
    nets: tuple[Net, ...],
    seed: int,
) -> Learnt:
    trees = tuple(grow(z, goal[:, place], seed) for place in range(goal.shape[1]))
    return Learnt(scale, ridge(z, goal, penalty), _as_net(grown(z, goal, *paper, seed)), trees, nets)


def _forms(task: Task, folds: Sequence[Fold], seed: int, step: Step) -> tuple[Form, ...]:
    """Each horizon's form, by small networks that learn briefly."""
    square: dict[Form, list[Array]] = {}
    for form in (Form.CHANGE, Form.LEVEL, Form.ROOT):
        for fold in folds:
            goal, scale = targets(task, (form,) * len(task.steps), fold.taught)
            (net,) = descend(task.z[fold.taught], goal[fold.taught], SCOUT_UNITS, seed, [SCOUT_TURNS])
            square.setdefault(form, []).append(_square(task, fold, scale, net(task.z[fold.judged])))
        step(f"target as {form.name.lower()}")
    # No form is simpler than another: the best serves.
    means = {form: np.concatenate(found).mean(axis=0) for form, found in square.items()}
    return tuple(min(means, key=lambda form: float(means[form][p])) for p in range(len(task.steps)))


def _courses(
    task: Task, fold: Fold, forms: Sequence[Form], units: int, seed: int, marks: Sequence[int]
) -> list[list[Net]]:
    goal, _ = targets(task, forms, fold.taught)
    z, target = task.z[fold.taught], goal[fold.taught]
    return [descend(z, target, units, seed + n, marks) for n in range(NETS)]


_Scaled = Sequence[tuple[Array, Scale]]


def _best_turn(
    task: Task, folds: Sequence[Fold], scaled: _Scaled, courses: Sequence[list[list[Net]]], marks: int
) -> int:
    def miss(mark: int) -> float:
        found = [
            _square(task, fold, scale, _mean([nets[mark] for nets in course], task.z[fold.judged]))
            for fold, (_, scale), course in zip(folds, scaled, courses, strict=True)
        ]
        return float(np.sum(np.concatenate(found).mean(axis=0) / _spread(task)))

    return min(range(marks), key=miss)


def _best_penalty(task: Task, folds: Sequence[Fold], scaled: _Scaled) -> float:
    def miss(penalty: float) -> float:
        found = []
        for fold, (goal, scale) in zip(folds, scaled, strict=True):
            weights, offset = ridge(task.z[fold.taught], goal[fold.taught], penalty)
            found.append(_square(task, fold, scale, task.z[fold.judged] @ weights + offset))
        return float(np.sum(np.concatenate(found).mean(axis=0) / _spread(task)))

    return min(PENALTIES, key=miss)


def _paper(task: Task, folds: Sequence[Fold], scaled: _Scaled, seed: int) -> tuple[float, int]:
    fold, (goal, scale) = folds[-1], scaled[-1]

    def judged(net: Any) -> float:
        out = _as_net(net)(task.z[fold.judged])
        return float(np.sum(_square(task, fold, scale, out).mean(axis=0) / _spread(task)))

    found = searched(task.z[fold.taught], goal[fold.taught], judged, seed)
    return float(found.learning_rate_init), int(found.coefs_[0].shape[1])


def _as_net(net: Any) -> Net:
    (enter, leave), (bias, offset) = net.coefs_, net.intercepts_
    return Net(*(np.asarray(part, np.float32) for part in (enter, bias, leave, offset)))


def _errors(
    task: Task, folds: Sequence[Fold], learnt: Sequence[Learnt], names: Sequence[str]
) -> list[dict[str, Array]]:
    """By horizon: each candidate's mean squared errors by block, simplest first."""

    def squares(name: str) -> Array:
        chosen = (name,) * len(task.steps)
        found = [
            _square(task, fold, one.scale, one.blended(task.z[fold.judged], chosen))
            for fold, one in zip(folds, learnt, strict=True)
        ]
        return np.concatenate(found)

    stays = np.concatenate([(task.truth - task.last[:, None])[fold.judged] ** 2 for fold in folds])
    found = {PERSISTENCE: stays} | {name: squares(name) for name in names}
    return [
        {name: by_block(square[:, place], folds) for name, square in found.items()}
        for place in range(len(task.steps))
    ]


def _chosen(task: Task, folds: Sequence[Fold], errors: Mapping[str, Array], place: int) -> str:
    """The simplest of the best; nothing that loses to persistence or to the same hour yesterday."""
    name = simplest({name: error for name, error in errors.items() if name != PERSISTENCE})
    rows = np.concatenate([fold.judged for fold in folds])
    yesterday = np.where(np.isfinite(task.before), task.before, task.last[:, None])[rows, place]
    bars = (float(np.mean((task.truth[rows, place] - yesterday) ** 2)), float(np.mean(errors[PERSISTENCE])))
    return name if float(np.mean(errors[name])) < min(bars) else PERSISTENCE


def _square(task: Task, fold: Fold, scale: Scale, out: Array) -> Array:
    square: Array = (scale.back(out, task.last[fold.judged]) - task.truth[fold.judged]) ** 2
    return square


def _spread(task: Task) -> Array:
    spread: Array = np.maximum(task.truth.var(axis=0), 1e-9)
    return spread


def _mean(nets: Sequence[Net], z: Array) -> Array:
    mean: Array = np.mean([net(z) for net in nets], axis=0)
    return mean


def judged(task: Task, won: Contest) -> Iterator[tuple[Fold, Learnt, Array, Array]]:
    """Each fold with what it learnt and its values [unit] of the rows that it learnt from and of its own."""
    for fold, learnt in zip(won.folds, won.learnt, strict=True):
        taught, own = (
            learnt.scale.back(learnt.blended(task.z[rows], won.chosen), task.last[rows])
            for rows in (fold.taught, fold.judged)
        )
        yield fold, learnt, stayed(task, won, taught, fold.taught), stayed(task, won, own, fold.judged)


def stayed(task: Task, won: Contest, value: Array, rows: Array) -> Array:
    """Values with those of persistence where nothing better serves."""
    stays = np.array([name == PERSISTENCE for name in won.chosen])
    return np.where(stays, task.last[rows, None], value)
