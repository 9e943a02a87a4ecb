"""Tiny trees: a few boosted ones of three questions and eight leaves each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.readings import Array

TREES = 30
RATE = 0.15
UNIT = 256
"""What is 1 in scaled inputs: trees ask for whole numbers, as the model does."""

ALWAYS = 32767
"""A bound that no input is above."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Inputs and bounds of seven questions (trees × 7), leaves (trees × 8), and what all add to."""

    inputs: Array
    bounds: Array
    leaves: Array
    offset: float = 0.0

    def __call__(self, z: Array) -> Array:
        """Their sum for scaled inputs (n × p; one is a standard deviation)."""
        rows, total = z * np.float32(UNIT), np.full(len(z), self.offset)
        for asked, bound, leaf in zip(self.inputs, self.bounds, self.leaves, strict=True):
            place = np.zeros(len(z), np.intp)
            for _ in range(3):
                place = 2 * place + 1 + (rows[np.arange(len(z)), asked[place]] > bound[place])
            total += leaf[place - 7]
        return total


def grow(z: Array, target: Array, seed: int) -> Trees:
    """Trees for a target (n), boosted by LightGBM."""
    # LightGBM is heavy, and only training needs it.
    import lightgbm

    options: dict[str, Any] = {
        "n_estimators": TREES, "learning_rate": RATE, "num_leaves": 8, "max_depth": 3,
        "min_child_samples": 50, "reg_lambda": 5.0, "colsample_bytree": 0.5, "random_state": seed,
        "n_jobs": 1, "verbose": -1, "deterministic": True, "force_row_wise": True,
        "boost_from_average": False,
    }  # fmt: skip
    model = lightgbm.LGBMRegressor(**options).fit(z * np.float32(UNIT), target)
    told = [tree["tree_structure"] for tree in model.booster_.dump_model()["tree_info"]]
    laid = [_laid(one) for one in told] or [([0] * 7, [ALWAYS] * 7, [0.0] * 8)]
    inputs, bounds, leaves = (np.array(part) for part in zip(*laid, strict=True))
    return Trees(inputs.astype(np.intp), bounds, leaves)


def _laid(root: dict[str, Any]) -> tuple[list[int], list[int], list[float]]:
    """A tree as seven questions, those of each level side by side, and eight leaves."""
    row, inputs, bounds = [root], [], []
    for _ in range(3):
        below = []
        for node in row:
            asks = "split_feature" in node
            inputs.append(int(node["split_feature"]) if asks else 0)
            bounds.append(int(np.floor(node["threshold"])) if asks else ALWAYS)
            below += [node["left_child"], node["right_child"]] if asks else [node, node]
        row = below
    return inputs, bounds, [float(leaf["leaf_value"]) for leaf in row]
