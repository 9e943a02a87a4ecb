"""The subway paper's own recipe: a small network by gradient descent with momentum, whose learning rate and
number of hidden nodes a pattern search finds (Park et al. 2018, DOI 10.1016/j.jhazmat.2017.07.050)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edge.readings import Array

MOST_ROWS = 8_000
START = (-6.0, 10)
"""Where the search begins: the binary logarithm of the learning rate, and the nodes."""

TURNS = 6
LEAST = (1.0, 4)
MOST_NODES = 24


def searched(z: Array, target: Array, judged: Callable[[Any], float], seed: int) -> Any:
    """The network that does best by `judged` (lower is better), as the pattern search comes to it."""
    rows = slice(None, None, max(len(z) // MOST_ROWS, 1))
    tried: dict[tuple[float, int], tuple[float, Any]] = {}

    def at(spot: tuple[float, int]) -> float:
        if spot not in tried:
            net = grown(z[rows], target[rows], 2.0 ** spot[0], spot[1], seed)
            tried[spot] = (judged(net), net)
        return tried[spot][0]

    spot, step = START, (2.0, 8)
    while step[0] >= LEAST[0] and step[1] >= LEAST[1]:
        around = [(spot[0] + step[0], spot[1]), (spot[0] - step[0], spot[1])]
        around += [(spot[0], min(spot[1] + step[1], MOST_NODES)), (spot[0], max(spot[1] - step[1], 2))]
        best = min(around, key=at)
        if at(best) < at(spot):
            spot = best
        else:
            step = (step[0] / 2, step[1] // 2)
    return tried[spot][1]


def grown(z: Array, target: Array, rate: float, nodes: int, seed: int) -> Any:
    """One network of scikit-learn, trained by gradient descent with momentum."""
    # scikit-learn is heavy, and only training needs it.
    from sklearn.neural_network import MLPRegressor

    net = MLPRegressor(
        hidden_layer_sizes=(nodes,), solver="sgd", momentum=0.9, learning_rate_init=rate,
        batch_size=min(200, len(z)), max_iter=1, random_state=seed,
    )  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            for _ in range(TURNS):
                net.partial_fit(z, target)
    except ValueError:
        # It left the valley: scikit-learn refuses weights that are no numbers.
        return grown(z, target, rate / 4, nodes, seed)
    return net
