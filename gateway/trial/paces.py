"""How long the machines of many rooms have had their levels."""

from dataclasses import dataclass, field

import numpy as np

from edge.decision import Policy
from edge.pace import permits
from edge.readings import Array
from gateway.trial.house import PURIFIER

RECENT = 8


@dataclass
class Paces:
    """How long each machine of N rooms has had its level (N × 2)."""

    count: int
    level: Array = field(init=False)
    switched: Array = field(init=False)
    changed: Array = field(init=False)
    recent: Array = field(init=False)

    def __post_init__(self) -> None:
        self.level = np.zeros((self.count, 2), np.int64)
        self.switched = np.full((self.count, 2), -1e9)
        self.changed = np.full((self.count, 2), -1e9)
        self.recent = np.full((RECENT, self.count, 2), -1e9)

    def see(self, level: Array, second: float) -> None:
        """Take in what the machines report."""
        moved, turned = level != self.level, (level > 0) != (self.level > 0)
        self.recent = np.where(
            moved, np.concatenate([self.recent[1:], np.full((1, *moved.shape), second)]), self.recent
        )
        self.changed = np.where(moved, second, self.changed)
        self.switched = np.where(turned, second, self.switched)
        self.level = level

    def codes(self, policy: Policy, second: float) -> Array:
        """Codes of `permits` (N × 2 × levels)."""
        recent = (self.recent > second - 3600).sum(axis=0)
        least = np.array([policy.min_run_s, policy.min_off_s, policy.hold_s, policy.max_switches], float)
        parts = [
            permits(
                self.level[:, one],
                second - self.switched[:, one],
                second - self.changed[:, one],
                recent[:, one],
                np.repeat(least[:, None], self.count, axis=1),
                len(PURIFIER),
            )
            for one in range(2)
        ]
        return np.stack(parts, axis=1)
