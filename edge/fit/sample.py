"""A co-location: one sensor's series beside a reference."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.correction.inputs import Inputs
from edge.correction.term import matrix
from edge.readings import Array

NEEDED = ("rh", "temp")


@dataclass(frozen=True)
class Colocation:
    """A sensor's `inputs` beside the `reference` [unit] of its site; `suspect` rows were flagged by quality
    control: they are scored, but teach nothing. `offset` [ns] is each row's local time less UTC, `shift` by
    how many steps the sensor's series was moved, `ahead` [steps] by how many the reference was found late.
    A travelling node's `visits` say in which rows it stood at which other site; its reference is that of its
    own."""

    node: str
    site: str
    inputs: Inputs
    reference: Array
    suspect: Array
    offset: Array
    blocks: int = 10
    shift: int = 0
    ahead: float = 0.0
    visits: Mapping[str, Array] = field(default_factory=dict, repr=False)
    cached: dict[str, Array] = field(default_factory=dict, repr=False)

    @property
    def scored(self) -> Array:
        """Which rows count: those with raw value, reference and, where a table has them, RH and T."""
        if "scored" not in self.cached:
            known = np.isfinite(self.reference) & np.isfinite(self.inputs.raw)
            for name in NEEDED:
                if name in self.inputs.columns:
                    known &= np.isfinite(self.inputs.columns[name])
            self.cached["scored"] = known
        return self.cached["scored"]

    @property
    def taught(self) -> Array:
        """Which rows teach: the scored ones that quality control finds nothing wrong with."""
        taught: Array = self.scored & ~self.suspect
        return taught

    @property
    def block(self) -> Array:
        """The block of each row: the scored time span in `blocks` equal parts, left out in turn."""
        if "block" not in self.cached:
            edges = self.edges
            number = np.searchsorted(edges, self.inputs.time, "right") - 1
            self.cached["block"] = np.clip(number, 0, self.blocks - 1)
        return self.cached["block"]

    @property
    def edges(self) -> Array:
        """Where the blocks begin [ns], and where the last one ends."""
        time = self.inputs.time[self.scored]
        if not time.size:
            return np.zeros(self.blocks + 1, np.int64)
        span = int(time[-1]) + 1 - int(time[0])
        return np.array([int(time[0]) + span * k // self.blocks for k in range(self.blocks + 1)], np.int64)

    def terms(self, names: Collection[str]) -> Array:
        """The terms' values [rows, terms], worked out once."""
        for name in names:
            if name not in self.cached:
                self.cached[name] = matrix((name,), self.inputs)[:, 0]
        columns = [self.cached[name] for name in names]
        return np.stack(columns, axis=1) if columns else np.empty((self.reference.size, 0))

    def moved(self, steps: int, ahead: float) -> "Colocation":
        """The same, with the sensor's series `steps` steps later; `ahead` [steps] is what was found."""
        inputs = self.inputs.late(steps) if steps else self.inputs
        return replace(self, inputs=inputs, shift=steps, ahead=ahead, cached={})


def valid(members: Sequence[Colocation], without: int = -1) -> dict[str, tuple[float, float]]:
    """The range of each input in the rows that teach, a block left out."""
    found = {}
    for name in (members[0].inputs.quantity, *NEEDED):
        rows = [(one, one.taught & (one.block != without)) for one in members if name in one.inputs.columns]
        cells = np.concatenate([one.inputs.columns[name][taught] for one, taught in rows] or [np.zeros(0)])
        known = cells[np.isfinite(cells)]
        if known.size:
            found[name] = (float(known.min()), float(known.max()))
    return found
