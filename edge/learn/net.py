"""Small networks by Adam: one hidden layer of rectified units, one output a column of the target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.readings import Array

BATCH = 256
RATE = 3e-3
DECAY = 1e-4
MEMORY = 0.998
"""Weights are averaged over about as many steps as this forgets: that is what early stopping looks at."""


@dataclass(frozen=True, slots=True)
class Net:
    """Weights of the hidden layer (inputs × units) and of the outputs (units × outputs), single precision."""

    enter: Array
    bias: Array
    leave: Array
    offset: Array

    def hidden(self, z: Array) -> Array:
        """The hidden units (n × units) of inputs (n × p)."""
        units: Array = np.maximum(z @ self.enter + self.bias, 0)
        return units

    def __call__(self, z: Array) -> Array:
        """The outputs (n × outputs)."""
        out: Array = self.hidden(z) @ self.leave + self.offset
        return out


def descend(z: Array, target: Array, units: int, seed: int, marks: Sequence[int]) -> list[Net]:
    """The averaged networks after each of `marks` rounds over the rows; z and target in single precision."""
    rng = np.random.default_rng(seed)
    course = _Course(rng, z.shape[1], units, target.shape[1])
    found = []
    for turn in range(1, max(marks) + 1):
        order = rng.permutation(z.shape[0])
        for first in range(0, order.size, BATCH):
            rows = order[first : first + BATCH]
            course.step(z[rows], target[rows])
        if turn in marks:
            found.append(Net(*(part.copy() for part in course.mean)))
    return found


class _Course:
    """Weights on their way down."""

    def __init__(self, rng: np.random.Generator, inputs: int, units: int, outputs: int) -> None:
        single = np.float32
        self.weights = [
            (rng.normal(0, 1, (inputs, units)) * np.sqrt(2 / max(inputs, 1))).astype(single),
            np.zeros(units, single),
            (rng.normal(0, 0.3, (units, outputs)) / np.sqrt(units)).astype(single),
            np.zeros(outputs, single),
        ]
        self.mean = [part.copy() for part in self.weights]
        self._slope = [np.zeros_like(part) for part in self.weights]
        self._square = [np.zeros_like(part) for part in self.weights]
        self._turn = 0

    def step(self, z: Array, target: Array) -> None:
        """One step of Adam (arXiv:1412.6980) on a batch's mean squared error."""
        self._turn += 1
        single, turn = np.float32, self._turn
        rate = single(RATE * np.sqrt(1 - 0.999**turn) / (1 - 0.9**turn))
        share = single(1 - min(MEMORY, (1 + turn) / (10 + turn)))
        for place, slope in enumerate(self._slopes(z, target)):
            self._slope[place] += single(0.1) * (slope - self._slope[place])
            self._square[place] += single(0.001) * (slope * slope - self._square[place])
            weights = self.weights[place]
            weights -= rate * self._slope[place] / (np.sqrt(self._square[place]) + single(1e-8))
            if weights.ndim == 2:
                weights *= single(1 - RATE * DECAY)
            self.mean[place] += share * (weights - self.mean[place])

    def _slopes(self, z: Array, target: Array) -> tuple[Array, ...]:
        enter, bias, leave, offset = self.weights
        before = z @ enter + bias
        hidden = np.maximum(before, 0)
        miss = (hidden @ leave + offset - target) * np.float32(1 / z.shape[0])
        back = miss @ leave.T
        back[before <= 0] = 0
        return z.T @ back, back.sum(axis=0), hidden.T @ miss, miss.sum(axis=0)
