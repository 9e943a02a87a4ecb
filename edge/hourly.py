"""The tests of whole hours: neighbours and reference stations; they need more than one device's rows.

They are made once an hour is over, from its means, and redone whenever its rows change: so their findings
depend on what is stored alone, not on the order in which it came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.assign import Setups
from edge.bound import Bounds
from edge.mean import COMPLETE
from edge.network import Network
from edge.readings import SECOND, Array, Column, Flag, Readings
from edge.verdict import HOURLY, Test

HOUR = 3600 * SECOND
Series = tuple[Array, Array]
"""Hours (since 1970, sorted) and a station's value [unit] in each."""
LEAST = 2
"""How many others it takes to say that one is wrong; of two that differ nobody knows which."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The means of one quantity by `node` (a code) and `hour` (since 1970): its `group` of neighbours (a
    code; below 0: none), `mean` [unit], and how far from its like it may be (`off`, `times`)."""

    node: Array
    hour: Array
    group: Array
    mean: Array
    off: Array
    times: Array
    place: Array
    """Which of them each row of the block belongs to."""

    def neighbours(self) -> Array:
        """A code per group and hour, below 0 where there is no group."""
        return np.where(self.group < 0, -1, self.group << 32 | self.hour)

    @classmethod
    def of(cls, readings: Readings, quantity: str, network: Network) -> "Hours":
        """The hours of timed rows; a row that stands for longer than an hour is one of its own."""
        column, setup = readings.columns[quantity], Setups.of(network).rows(readings)
        step = np.maximum(readings.dt * SECOND, HOUR)
        hour = readings.time // step * (step // HOUR)
        # One number for node and hour; years of hours fit below it.
        keys = readings.node.astype(np.int64) << 32 | hour
        key, first, place = np.unique(keys, return_index=True, return_inverse=True)
        node, hours = key >> 32, key & 0xFFFFFFFF
        sound = (column.flag != Flag.FAIL) & (column.flag != Flag.UNKNOWN)
        expected = HOUR / np.minimum(readings.dt[first] * SECOND, HOUR)
        mean = _means(place, np.where(sound, column.raw, np.nan), COMPLETE * expected)
        bound = Bounds.of(network).at((quantity,), setup[first])
        off, times = (np.broadcast_to(bound[name][0], node.shape) for name in ("off", "times"))
        return cls(node, hours, _groups(network)[setup[first]], mean, off, times, place)


def _means(place: Array, values: Array, least: Array) -> Array:
    """The mean of the finite values of each place, NaN where they are fewer than its `least`."""
    known = np.isfinite(values)
    count = np.bincount(place[known], minlength=least.size)
    total = np.bincount(place[known], values[known], least.size)
    return np.where((count > 0) & (count >= least), total / np.maximum(count, 1), np.nan)


def _groups(network: Network) -> Array:
    """The neighbourhood of each setup, a room of a site or the air around it; -1 for none."""
    codes: dict[tuple[str, str], int] = {}
    places = [one.placement for one in Setups.of(network).table]
    group = [codes.setdefault((one.site, one.room), len(codes)) if one else -1 for one in places]
    return np.array(group, np.int64)


def implausible(value: Array, other: Array, off: Array, times: Array) -> Array:
    """Where values are further than `off` [unit] from `other` and more than `times` as much or as little."""
    far = np.abs(value - other) > off
    wide: Array = far & (np.maximum(value, other) > times * np.minimum(value, other))
    return wide


def others(value: Array, group: Array) -> Array:
    """The median of the other finite values of the same group, NaN where they are fewer than `LEAST`; of two
    in the middle the nearer one, so that one wrong neighbour among two speaks against nobody."""
    median = np.full(value.size, np.nan)
    known = np.flatnonzero(np.isfinite(value) & (group >= 0))
    order = known[np.lexsort((value[known], group[known]))]
    if not order.size:
        return median
    edges = np.flatnonzero(np.diff(group[order])) + 1
    start = np.concatenate((np.zeros(1, np.int64), edges))
    size = np.diff(np.concatenate((start, np.array([order.size]))))
    first, count = np.repeat(start, size), np.repeat(size - 1, size)
    rank = np.arange(order.size) - first
    sorted_values = value[order]

    def pick(place: Array) -> Array:
        """The value that stands at `place` once each row's own is left out."""
        at = first + place + (place >= rank)
        found: Array = sorted_values[np.minimum(at, order.size - 1)]
        return found

    low, high = pick((np.maximum(count, 1) - 1) // 2), pick(count // 2)
    middle = np.where(sorted_values - low < high - sorted_values, low, high)
    median[order] = np.where(count >= LEAST, middle, np.nan)
    return median


def plausible(
    readings: Readings,
    network: Network,
    references: Mapping[str, Mapping[str, Series]] | None = None,
    quantities: Sequence[str] = ("pm25", "pm10"),
) -> Readings:
    """Judged rows of whole hours with what neighbours and reference stations say about them.

    Neighbours stand in the same room of a site, or outdoors at it, and measure the same hour. `references`:
    by node and quantity what the station says that speaks for it. The rows must hold all neighbours' rows of
    their hours; what was said before is said anew.
    """
    columns = {}
    for quantity in quantities:
        if quantity not in readings.columns or not len(readings):
            continue
        hours = Hours.of(readings, quantity, network)
        like = others(hours.mean, hours.neighbours())
        odd = implausible(hours.mean, like, hours.off, hours.times)
        bits = np.where(odd, np.uint32(Test.NEIGHBOUR), np.uint32(0))
        known = _known(readings.nodes, hours, quantity, references or {})
        false = implausible(hours.mean, known, hours.off, hours.times)
        bits |= np.where(false, np.uint32(Test.REFERENCE), np.uint32(0))
        columns[quantity] = _said(readings, quantity, bits[hours.place])
    return readings.with_columns(columns)


def _known(
    nodes: tuple[str, ...], hours: Hours, quantity: str, references: Mapping[str, Mapping[str, Series]]
) -> Array:
    """What each node's station says about its hours, NaN where nothing."""
    known = np.full(hours.hour.size, np.nan)
    for code, node in enumerate(nodes):
        if quantity in references.get(node, {}):
            mine = hours.node == code
            known[mine] = _at(*references[node][quantity], hours.hour[mine])
    return known


def _at(hour: Array, value: Array, wanted: Array) -> Array:
    """The values of these hours, NaN where there is none; `hour` is sorted."""
    if not hour.size:
        return np.full(wanted.size, np.nan)
    place = np.minimum(np.searchsorted(hour, wanted), hour.size - 1)
    return np.where(hour[place] == wanted, value[place], np.nan)


def _said(readings: Readings, quantity: str, bits: Array) -> Column:
    """The column with these findings in the place of former ones; only what was judged is judged here."""
    column = readings.columns[quantity]
    judged = (column.flag == Flag.GOOD) | (column.flag == Flag.SUSPECT) | (column.flag == Flag.FAIL)
    old = column.tests & np.uint32(HOURLY)
    tests = np.where(judged, column.tests & ~np.uint32(HOURLY) | bits, column.tests)
    # Whoever was suspect for an hour's sake alone is good again without it.
    own = tests & ~np.uint32(HOURLY | Test.HUMID)
    freed = np.where((old != 0) & (own == 0) & (column.flag == Flag.SUSPECT), Flag.GOOD, column.flag)
    flag = np.where(judged & (bits != 0), np.maximum(freed, Flag.SUSPECT), freed).astype(np.uint8)
    return replace(column, flag=flag, tests=tests)
