"""Who a batch is: the sequence intervals that are stored, and the hash of a batch's content."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from edge.readings import Array

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_PRIME = 0x100000001B3
_MASK = (1 << 64) - 1


class Intervals:
    """A set of whole numbers, kept as closed intervals that neither touch nor overlap."""

    __slots__ = ("_highs", "_lows")

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, high in pairs:
            self.add(low, high)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._lows, number) - 1
        return place >= 0 and number <= self._highs[place]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # Copies: another thread may look while this one adds; the two may then differ by one interval.
        return zip(tuple(self._lows), tuple(self._highs), strict=False)

    def __len__(self) -> int:
        """How many intervals there are (not how many numbers)."""
        return len(self._lows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"Intervals({list(self)})"

    __hash__ = None  # type: ignore[assignment]  # it changes; as a key it would be lost

    def add(self, low: int, high: int) -> None:
        """Put `low`..`high` (both included) into the set."""
        if self._highs and self._highs[-1] + 1 == low:
            self._highs[-1] = high
            return
        first = bisect_left(self._highs, low - 1)
        last = bisect_right(self._lows, high + 1)
        if first < last:
            low, high = min(low, self._lows[first]), max(high, self._highs[last - 1])
        self._lows[first:last], self._highs[first:last] = [low], [high]

    def missing(self, low: int, high: int) -> list[tuple[int, int]]:
        """The intervals of `low`..`high` that are not in the set."""
        gaps, start = [], low
        for first, last in self:
            if first > high:
                break
            if first > start:
                gaps.append((start, first - 1))
            start = max(start, last + 1)
        return [*gaps, (start, high)] if start <= high else gaps

    @property
    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    @property
    def high(self) -> int | None:
        """The largest number in the set."""
        return self._highs[-1] if self._highs else None


def _mix(words: Array) -> Array:
    """The finaliser of splitmix64, word by word (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195)."""
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    mixed: Array = words ^ (words >> np.uint64(31))
    return mixed


def _salt(name: str) -> np.uint64:
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * _PRIME) & _MASK
    return np.uint64(state)


def content_hash(
    head: Mapping[str, Array], row: Array, starts: Array, cells: Mapping[str, tuple[Array, Array]]
) -> Array:
    """The 64-bit content hash of each batch.

    `head`: whole numbers per batch (`boot`, `up`, `dt`). `row`, and (values, measured) of each column: per
    sample, batch after batch, each batch's first at `starts`; a missing value is NaN and counts, an absent
    one isn't in the sum. The sum of mix(bits(value) ^ mix(salt(column) + (row + 1)·golden)) modulo 2^64: the
    spelling of numbers and the order of columns don't matter (`docs/wire.md`).
    """
    total = np.zeros(starts.size, np.uint64)
    for name, numbers in head.items():
        total += _mix(numbers.astype(np.uint64) ^ _mix(_salt(name) + np.zeros(1, np.uint64)))
    spread = (row.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    for name, (values, measured) in cells.items():
        bits = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
        words = _mix(bits ^ _mix(_salt(name) + spread))
        total += np.add.reduceat(np.where(measured, words, np.uint64(0)), starts)
    return total
