"""What there is to learn: scaled rows, targets in each form, the folds of time that candidates compete on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edge.predict.model import Form
from edge.readings import Array

FOLDS = (0.4, 0.6, 0.8, 1.0)
"""Each part of the time after the first is judged by what was learnt before it."""

BLOCKS = 12
"""Parts of each fold, whose differences tell how sure a comparison is."""

CLIP = 0.999


@dataclass(frozen=True)
class Task:
    """Rows in order of `time`: inputs `z` (n × p; one is a standard deviation; single precision), the newest
    level `last` (n), the truth at the horizons, the highest value until there and that of a day before
    (n × h) [unit]; `steps` are the horizons in units of time."""

    time: Array
    z: Array
    last: Array
    truth: Array
    peak: Array
    before: Array
    steps: tuple[int, ...]

    def target(self, form: Form, horizon: int, rows: Array) -> Array:
        """What a head of this form learns (n); the rarest highest truths of `rows` bound it."""
        most = np.quantile(self.truth[rows, horizon], CLIP)
        return TO[form](np.minimum(self.truth[:, horizon], most), self.last)

    def folds(self) -> list["Fold"]:
        """Each fold's rows to learn from, whose truths came before it, and to judge on."""
        ends = [self.time[min(int(part * self.time.size), self.time.size - 1)] for part in FOLDS]
        ends[-1] += 1
        return [
            Fold(
                np.flatnonzero(self.time + self.steps[-1] < begin),
                np.flatnonzero((self.time >= begin) & (self.time < end)),
            )
            for begin, end in pairwise(ends)
        ]


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows to learn from, and later ones to judge on."""

    taught: Array
    judged: Array


TO: Mapping[Form, Callable[[Array, Array], Array]] = {
    Form.LEVEL: lambda truth, last: truth,
    Form.CHANGE: lambda truth, last: truth - last,
    Form.ROOT: lambda truth, last: np.sqrt(np.maximum(truth, 0)),
}
BACK: Mapping[Form, Callable[[Array, Array], Array]] = {
    Form.LEVEL: lambda out, last: np.maximum(out, 0),
    Form.CHANGE: lambda out, last: np.maximum(last + out, 0),
    Form.ROOT: lambda out, last: np.maximum(out, 0) ** 2,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Targets of mean 0 and deviation 1, and the way back to the unit."""

    forms: tuple[Form, ...]
    mean: Array
    spread: Array

    def back(self, out: Array, last: Array) -> Array:
        """Values [unit] (n × h) of scaled outputs."""
        raw = out * self.spread + self.mean
        columns = [BACK[form](raw[:, place], last) for place, form in enumerate(self.forms)]
        return np.stack(columns, axis=1)


def targets(task: Task, forms: Sequence[Form], rows: Array) -> tuple[Array, Scale]:
    """Scaled targets of all rows (n × h, single precision), scaled by `rows`."""
    raw = np.stack([task.target(form, place, rows) for place, form in enumerate(forms)], axis=1)
    spread = raw[rows].std(axis=0)
    scale = Scale(tuple(forms), raw[rows].mean(axis=0), np.where(spread > 0, spread, 1.0))
    return ((raw - scale.mean) / scale.spread).astype(np.float32), scale


def simplest(errors: Mapping[str, Array]) -> str:
    """Of candidates in order of complexity, each with its mean squared errors by block, the first whose
    paired differences to the best are within one standard error."""
    best = min(errors, key=lambda name: float(np.mean(errors[name])))
    for name, error in errors.items():
        # Roots: else one block with an event outvotes all others.
        difference = np.sqrt(error) - np.sqrt(errors[best])
        doubt = float(difference.std(ddof=1) / np.sqrt(difference.size)) if difference.size > 1 else 0.0
        if float(difference.mean()) <= doubt:
            return name
    return best


def by_block(square: Array, folds: Sequence[Fold]) -> Array:
    """Mean squares by block, of squares of all folds' judged rows in turn."""
    parts = np.split(square, np.cumsum([fold.judged.size for fold in folds])[:-1])
    return np.array([block.mean() for part in parts for block in np.array_split(part, BLOCKS) if block.size])
