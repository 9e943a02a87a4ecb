"""What official stations say now: each one's newest hour, and the alerts in force."""

import numpy as np

from edge.readings import Array, Flag
from gateway.live import Official
from gateway.reference.observed import REFERENCE
from gateway.table import Table

ALERTS = ("pm25_alert", "pm10_alert")


def newest(table: Table) -> dict[str, Official]:
    """By station the newest hour with a good value of particles, and the alerts last spoken of, of a table of
    reference values."""
    found = {}
    for code, name in enumerate(table.device.names):
        one = _newest(table.take(np.flatnonzero(table.device.code == code)))
        if one.values or one.alerts:
            found[name] = one
    return found


def _newest(table: Table) -> Official:
    good = {name: _good(table, f"ref_{name}") for name in REFERENCE}
    spoke = np.flatnonzero(np.any([np.isfinite(cells) for cells in good.values()], axis=0))
    alerts = {name: level for name in ALERTS if (level := _last(_good(table, name)))}
    if not spoke.size:
        return Official(0, {}, alerts)
    last = int(spoke[-1])
    values = {name: float(cells[last]) for name, cells in good.items() if np.isfinite(cells[last])}
    return Official(int(table.time[last]), values, alerts)


def _good(table: Table, column: str) -> Array:
    """A column's good cells, NaN elsewhere."""
    none = np.full(len(table), np.nan)
    good: Array = np.where(
        table.numbers.get(f"{column}_flag", none) == Flag.GOOD, table.numbers.get(column, none), none
    )
    return good


def _last(cells: Array) -> int:
    known: Array = cells[np.isfinite(cells)]
    return int(known[-1]) if known.size else 0
