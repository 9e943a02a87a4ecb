"""`Readings`, the one thing that flows: a columnar block, one row per sample."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

UNTIMED = np.iinfo(np.int64).min
"""The `time` of a row whose UTC second isn't known (yet)."""

SECOND = 1_000_000_000
"""One second, in the nanoseconds that `time` counts."""


class Flag(IntEnum):
    """QARTOD flags; `ABSENT` is ours: the node doesn't measure this quantity."""

    ABSENT = 0
    GOOD = 1
    UNKNOWN = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Clock(IntEnum):
    """How a row's `time` is known: not at all, by its own batch, by its boot's offset, or from a double."""

    NONE = 0
    OWN = 1
    PLACED = 2
    DOUBLE = 3


KEYS: Mapping[str, type[Any]] = {
    "node": np.int32,
    "log": np.uint32,
    "seq": np.int64,
    "row": np.int16,
    "time": np.int64,
    "boot": np.int64,
    "up": np.int64,
    "dt": np.int64,
    "hash": np.uint64,
    "clock": np.uint8,
    "cal": np.int32,
}
"""Row columns and their types; `node` and `cal` index `Readings.nodes` and `Readings.cals`."""

CELLS: Mapping[str, type[Any]] = {
    "raw": np.float64,
    "value": np.float64,
    "u": np.float64,
    "flag": np.uint8,
    "tests": np.uint32,
}
"""What stands in each row for each quantity, and its type."""


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity of a block: `raw`, calibrated `value` and its standard uncertainty `u` in the quantity's
    unit (NaN where missing), QARTOD `flag`, and the bit mask of the `tests` that spoke."""

    raw: Array
    value: Array
    u: Array
    flag: Array
    tests: Array

    @classmethod
    def of_raw(cls, raw: Array, measured: Array | None = None) -> "Column":
        """A column as it comes from the wire: not evaluated, missing where NaN, absent where not measured."""
        flag = np.where(np.isnan(raw), Flag.MISSING, Flag.UNKNOWN).astype(np.uint8)
        if measured is not None:
            flag[~measured] = Flag.ABSENT
        nan = np.full(raw.size, np.nan)
        return cls(raw, raw, nan, flag, np.zeros(raw.size, np.uint32))

    @classmethod
    def absent(cls, rows: int) -> "Column":
        """The column of nodes that don't measure the quantity."""
        return cls.of_raw(np.full(rows, np.nan), np.zeros(rows, bool))

    def map(self, change: Callable[[Array], Array]) -> "Column":
        """The column with `change` applied to each of its arrays."""
        return Column(*(change(getattr(self, name)) for name in CELLS))


@dataclass(frozen=True, slots=True)
class Readings:
    """A block of samples: arrays of one length, `node` and `cal` as indices into `nodes` and `cals`.

    `time` [ns since 1970, UTC] is the sample's; `up` [s] and `dt` [s] are its batch's; `hash` is its batch's
    content hash; `(node, log, seq, row)` names a sample for ever.
    """

    nodes: tuple[str, ...]
    cals: tuple[str, ...]
    node: Array
    log: Array
    seq: Array
    row: Array
    time: Array
    boot: Array
    up: Array
    dt: Array
    hash: Array
    clock: Array
    cal: Array
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return int(self.node.size)

    @classmethod
    def empty(cls) -> "Readings":
        """A block without rows."""
        keys = {name: np.zeros(0, kind) for name, kind in KEYS.items()}
        return cls(nodes=(), cals=(), columns={}, **keys)

    def take(self, index: Array) -> "Readings":
        """The rows that `index` (positions or a mask) names, in its order."""
        keys = {name: getattr(self, name)[index] for name in KEYS}
        columns = {name: column.map(lambda cells: cells[index]) for name, column in self.columns.items()}
        return replace(self, columns=columns, **keys)

    def order(self) -> Array:
        """Positions that sort the rows by node, time, log, sequence and row: the order of quality control."""
        order: Array = np.lexsort((self.row, self.seq, self.log, self.time, self.node))
        return order

    def batches(self) -> Array:
        """Positions of each batch's first row; rows of one batch stand together in a decoded block."""
        if not len(self):
            return np.zeros(0, np.int64)
        new = np.ones(len(self), bool)
        new[1:] = (np.diff(self.node) != 0) | (np.diff(self.seq) != 0) | (self.log[1:] != self.log[:-1])
        new[1:] |= np.diff(self.row) <= 0  # the same batch twice, one behind the other
        return np.flatnonzero(new)

    def timed(self) -> Array:
        """Mask of the rows whose time is known."""
        known: Array = self.time != UNTIMED
        return known

    def with_columns(self, columns: Mapping[str, Column]) -> "Readings":
        """The same rows with some of their columns replaced."""
        return replace(self, columns={**self.columns, **columns})


def concat(blocks: Iterable[Readings]) -> Readings:
    """One block of all rows, in order; a quantity that a block lacks is absent in its rows."""
    parts = [block for block in blocks if len(block)]
    if len(parts) < 2:
        return parts[0] if parts else Readings.empty()
    nodes, node = _merge([part.nodes for part in parts], [part.node for part in parts])
    cals, cal = _merge([part.cals for part in parts], [part.cal for part in parts])
    keys = {n: np.concatenate([getattr(p, n) for p in parts]) for n in KEYS if n not in ("node", "cal")}
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: _stack(parts, name) for name in names}
    return Readings(nodes=nodes, cals=cals, node=node, cal=cal, columns=columns, **keys)


def _merge(tables: Sequence[tuple[str, ...]], codes: Sequence[Array]) -> tuple[tuple[str, ...], Array]:
    index: dict[str, int] = {}
    for table in tables:
        for word in table:
            index.setdefault(word, len(index))
    moved = [
        np.array([index[word] for word in table] or [-1], np.int32)[code]
        for table, code in zip(tables, codes, strict=True)
    ]
    return tuple(index), np.concatenate(moved)


def _stack(parts: Sequence[Readings], name: str) -> Column:
    columns = [part.columns.get(name) or Column.absent(len(part)) for part in parts]
    return Column(*(np.concatenate([getattr(column, cell) for column in columns]) for cell in CELLS))
