"""Means over spans of time by the 75 % rule: the one place where anything is averaged over time."""

import numpy as np

from edge.readings import Array

COMPLETE = 0.75
"""The share of a span's samples that has to be there before their mean says anything (US EPA, Korea)."""


def means(time: Array, cells: Array, width: int, step: int, offset: Array | int = 0) -> tuple[Array, Array]:
    """The mean of each span of `width` [ns] that holds a row, and the spans' starts [ns UTC].

    `cells` [rows or rows × columns] are values at `time` [ns UTC, any order], NaN where missing; `step` [ns]
    is the time between samples where none is missing; spans begin at whole widths of `time + offset` [ns],
    the local clock's. NaN where fewer than 75 % of a span's samples are there; a sample counts once a step.
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
