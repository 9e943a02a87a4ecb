"""What a room's purifiers deliver, week by week, and when that means a clogged filter."""

import numpy as np

from edge.identify import SPAN, TERMS, TUKEY, Fit, Stream, regressors
from edge.readings import Array

CLOGGED = 0.6
"""A filter is taken for clogged when it surely delivers less than this share of its best weeks."""


def efficacy(stream: Stream, fit: Fit, days: int = 7) -> tuple[Array, Array]:
    """The share of CADR delivered in each span of `days` (R × spans) with its standard error (NaN: hardly
    ran).

    All other terms are held as identified over the whole stream.
    """
    terms, change, scale, _ = regressors(stream)
    place = TERMS.index("delivered")
    known = np.isfinite(change) & np.isfinite(terms).all(axis=2)
    scale = np.where(known, scale, 1.0)
    others = np.where(known[..., None], terms, 0.0) @ fit.mean[..., None]
    ran = np.where(known, terms[..., place], 0.0) / scale
    rest = np.where(known, change - others[..., 0], 0.0) / scale + ran * fit.mean[:, place, None]
    noise = fit.noise[:, None]
    weight = np.maximum(1.0 - ((rest - ran * fit.mean[:, place, None]) / (2 * TUKEY * noise)) ** 2, 0.0) ** 2
    size = round(days * 24 / stream.step)
    top, bottom = _sums(weight * ran * rest, size), _sums(weight * ran**2, size)
    share = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 1.0)
    error = noise * np.sqrt(SPAN / np.maximum(bottom, 1e-9))
    return share, np.where(np.isfinite(share), error, np.nan)


def clogged(share: Array, error: Array) -> Array:
    """Whether each room's newest span surely delivers less than `CLOGGED` of what its best span surely did
    (R)."""
    low, high = share - 1.645 * error, share + 1.645 * error
    best = np.max(np.where(np.isfinite(low), low, -np.inf), axis=1)
    newest = np.full(len(share), np.nan)
    for column in range(share.shape[1]):
        newest = np.where(np.isfinite(high[:, column]), high[:, column], newest)
    sure: Array = np.isfinite(newest) & (best > 0) & (newest < CLOGGED * best)
    return sure


def _sums(cells: Array, size: int) -> Array:
    """Sums over spans of `size` windows (R × spans); what is left over belongs to the last."""
    spans = max(round(cells.shape[1] / size), 1)
    padded = np.zeros((len(cells), max(spans * size, cells.shape[1])))
    padded[:, : cells.shape[1]] = cells
    sums: Array = np.add.reduceat(padded, np.arange(spans) * size, axis=1)
    return sums
