"""Means over spans of time by the 75 % rule: the one place where anything is averaged over time."""

from dataclasses import dataclass

import numpy as np

from edge.readings import SECOND, Array, Column, Flag

COMPLETE = 0.75
"""The share of a span's samples that has to be there before their mean says anything (US EPA, Korea)."""

SUMS = 8
"""How many sums `sums` makes."""


def means(time: Array, cells: Array, width: int, step: int, offset: Array | int = 0) -> tuple[Array, Array]:
    """The mean of each span of `width` [ns] that holds a row, and the spans' starts [ns UTC].

    `cells` [rows or rows × columns] are values at `time` [ns UTC, any order], NaN where missing; `step` [ns]
    is the time between samples where none is missing; spans begin at whole widths of `time + offset` [ns],
    the local clock's. NaN where fewer than 75 % of a span's samples are there.
    """
    local = time + offset
    span, place = np.unique(local // width, return_inverse=True)
    table = cells.reshape(time.size, -1)
    there = np.isfinite(table)
    count, total = np.zeros((span.size, table.shape[1])), np.zeros((span.size, table.shape[1]))
    np.add.at(count, place, there)
    np.add.at(total, place, np.where(there, table, 0.0))
    enough = count >= COMPLETE * max(width / step, 1.0)
    mean = np.where(enough, total / np.maximum(count, 1.0), np.nan)
    first = np.zeros(span.size, np.int64)
    first[place[::-1]] = (np.broadcast_to(offset, time.shape))[::-1]
    starts: Array = span * width - first
    return starts, mean.reshape((span.size, *cells.shape[1:]))


# -- of judged samples, part by part -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mean:
    """A quantity's means, an element a span: calibrated `value`, `raw` and standard uncertainty `u` in its
    unit (NaN where they can't be said), `n` good samples, and the `share` of the span that these stand for;
    NaN where the node doesn't measure it."""

    value: Array
    raw: Array
    u: Array
    n: Array
    share: Array


def sums(column: Column, dt: Array, place: Array, size: int) -> Array:
    """What means need of the rows of each of `size` places, [size, SUMS]: those that measure the quantity,
    good ones, their time `dt` [s], sums of value, its square, raw and u, and how many have a u. Sums of parts
    add up to those of the whole."""
    good = (column.flag == Flag.GOOD) & np.isfinite(column.value) & np.isfinite(column.raw)
    known = good & np.isfinite(column.u)
    weights = (
        column.flag != Flag.ABSENT,
        good,
        np.where(good, dt, 0),
        np.where(good, column.value, 0.0),
        np.where(good, column.value**2, 0.0),
        np.where(good, column.raw, 0.0),
        np.where(known, column.u, 0.0),
        known,
    )
    return np.stack([np.bincount(place, weight, size) for weight in weights], axis=1)


def concluded(sums: Array, spans: Array) -> Mean:
    """The means of spans of these lengths [ns] by the 75 % rule, from their samples' `sums`.

    Their uncertainty: u² = ū² + (1 - share)·s²/n. ū is the samples' mean uncertainty, as their errors (those
    of a calibration) are taken to go together; the second term, with the samples' variance s², is for what
    the missing part of the span may have held (finite population; Cochran 1977, Sampling techniques, ch. 2).
    """
    measured, n, seconds, value, square, raw, u, known = sums.T
    share = np.minimum(seconds * SECOND / spans, 1.0)
    count = np.maximum(n, 1.0)
    mean = value / count
    variance = np.maximum(square - n * mean**2, 0.0) / np.maximum(n - 1, 1.0)
    uncertain = np.sqrt((u / count) ** 2 + (1 - share) * variance / count)
    said = (share >= COMPLETE) & (n > 0)
    there = measured > 0
    return Mean(
        np.where(said, mean, np.nan),
        np.where(said, raw / count, np.nan),
        np.where(said & (known == n), uncertain, np.nan),
        np.where(there, n, np.nan),
        np.where(there, share, np.nan),
    )
