"""Sensors with two channels: `q_a` and `q_b` are they, `q` is their combination."""

import numpy as np

from edge.quantity import QUANTITIES
from edge.readings import Array, Column, Flag, Readings

PAIRS = tuple(
    (name, f"{name}_a", f"{name}_b") for name in QUANTITIES if {f"{name}_a", f"{name}_b"} <= QUANTITIES.keys()
)


def combine(readings: Readings) -> Readings:
    """Where a node gives both channels and no combination, `q` is their mean; missing where one is."""
    columns = {}
    for name, a, b in PAIRS:
        if a in readings.columns and b in readings.columns:
            first, second = readings.columns[a], readings.columns[b]
            own = readings.columns.get(name) or Column.absent(len(readings))
            both = (first.flag != Flag.ABSENT) & (second.flag != Flag.ABSENT) & (own.flag == Flag.ABSENT)
            if both.any():
                columns[name] = _mean(own, first, second, both)
    return readings.with_columns(columns) if columns else readings


def _mean(own: Column, first: Column, second: Column, both: Array) -> Column:
    raw = np.where(both, first.raw / 2 + second.raw / 2, own.raw)
    return Column.of_raw(raw, both | (own.flag != Flag.ABSENT))
