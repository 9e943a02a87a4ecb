"""What stands around a sensor: references of other sites, and the raw readings of its neighbours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.fit.sample import Colocation
from edge.readings import Array

DAY = 86_400_000_000_000
MEMORY = 90 * DAY
"""How far back [ns] a long-term ratio looks."""
SEEN = 14
"""Days of common hours that a long-term ratio needs."""
FARTHEST = 3.0
"""A ratio beyond this, or below its inverse, is a broken sensor, not a gain."""


@dataclass(frozen=True)
class Region:
    """The references of a table by site: `series` [times] at `time` [ns], `step` [ns] apart."""

    time: Array
    step: int
    series: Mapping[str, Array]

    @classmethod
    def of(cls, members: Sequence[Colocation]) -> "Region":
        """The mean of each site's references, at all times of the table."""
        time = np.unique(np.concatenate([one.inputs.time for one in members]))
        sums = {one.site: np.zeros((2, time.size)) for one in members}
        for one in members:
            rows = np.flatnonzero(np.isfinite(one.reference))
            place = np.searchsorted(time, one.inputs.time[rows])
            sums[one.site][:, place] += np.stack((one.reference[rows], np.ones(rows.size)))
        series = {site: _ratio(total, count) for site, (total, count) in sums.items()}
        return cls(time, min(one.inputs.step for one in members), series)

    def around(self, time: Array, without: Collection[str]) -> Array:
        """The mean of the sites' references at each `time`, some sites left out; NaN where none speaks."""
        place = np.searchsorted(self.time, time)
        chosen = [series[place] for site, series in self.series.items() if site not in without]
        if not chosen:
            return np.full(time.size, np.nan)
        table = np.stack(chosen)
        known = np.isfinite(table)
        return _ratio(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0))


ALIKE = 0.5
"""Two nodes whose references are equal in more of their common hours than this stand beside one monitor."""


def one_site_each(members: Sequence[Colocation]) -> list[Colocation]:
    """The co-locations, with those beside one reference monitor at one site, whatever their table says:
    a neighbour's reference would else be the answer itself."""
    site = {one.node: one.site for one in members}
    for place, one in enumerate(members):
        for other in members[:place]:
            if site[one.node] != site[other.node] and _alike(one, other):
                old, new = site[one.node], site[other.node]
                site = {node: new if name == old else name for node, name in site.items()}
    return [replace(one, site=site[one.node], cached={}) for one in members]


def _alike(one: Colocation, other: Colocation) -> bool:
    _, mine, theirs = np.intersect1d(one.inputs.time, other.inputs.time, return_indices=True)
    first, second = one.reference[mine], other.reference[theirs]
    both = np.isfinite(first) & np.isfinite(second)
    return bool(both.any()) and float(np.mean(np.isclose(first[both], second[both]))) > ALIKE


def _ratio(total: Array, count: Array) -> Array:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def ratio(own: Array, other: Array, time: Array, step: int) -> Array:
    """Each row's mean of `own` over that of `other` in the 90 days up to it, over the rows that have both;
    NaN before 14 days of them, and where it is out of reason."""
    both = np.isfinite(own) & np.isfinite(other)
    first = np.searchsorted(time, time - MEMORY, "right")
    sums = [_since(np.where(both, cells, 0.0), first) for cells in (own, other, both)]
    enough = sums[2] * step >= SEEN * DAY
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(enough, sums[0] / sums[1], np.nan)
    return np.where((found > 1 / FARTHEST) & (found < FARTHEST), found, np.nan)


def _since(cells: Array, first: Array) -> Array:
    total = np.concatenate(((0.0,), np.cumsum(cells, dtype=np.float64)))
    within: Array = total[1:] - total[first]
    return within


def matched(one: Colocation, neighbours: Sequence[Colocation]) -> Colocation:
    """The co-location with its raw columns brought to the level that it and its neighbours share.

    Of k + 1 sensors in the same air none is truer than another: the sensor's level (of the last 90 days,
    over common hours) moves to the mean of them all, by k / (k + 1) of its distance to the neighbours'.
    """
    near = [other for other in neighbours if other.site == one.site and other.node != one.node]
    if not near:
        return one
    logs = np.stack([_log_ratio(one, other) for other in near])
    known = np.isfinite(logs)
    gain = np.exp(np.where(known, logs, 0.0).sum(axis=0) / (known.sum(axis=0) + 1))
    own = {name for name in one.inputs.columns if name.startswith(one.inputs.quantity)}
    columns = {name: cells * gain if name in own else cells for name, cells in one.inputs.columns.items()}
    return replace(one, inputs=replace(one.inputs, columns=columns), cached={})


def _log_ratio(one: Colocation, other: Colocation) -> Array:
    theirs = np.full(one.inputs.time.size, np.nan)
    _, mine, place = np.intersect1d(one.inputs.time, other.inputs.time, return_indices=True)
    good = ~other.suspect[place]
    theirs[mine[good]] = other.inputs.raw[place[good]]
    raw = np.where(one.suspect, np.nan, one.inputs.raw)
    log: Array = np.log(ratio(theirs, raw, one.inputs.time, one.inputs.step))
    return log
