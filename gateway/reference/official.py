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
    good = {name: cells for name in REFERENCE if (cells := _good(table, f"ref_{name}")) is not None}
    spoke = np.flatnonzero(np.any([np.isfinite(cells) for cells in good.values()], axis=0)) if good else []
    last = int(spoke[-1]) if len(spoke) else -1
    values = {name: float(cells[last]) for name, cells in good.items() if len(spoke)}
    alerts = {name: level for name in ALERTS if (level := _level(_good(table, name)))}
    time = int(table.time[last]) if len(table) else 0
    return Official(time, {name: value for name, value in values.items() if np.isfinite(value)}, alerts)


def _good(table: Table, column: str) -> Array | None:
    cells, flag = table.numbers.get(column), table.numbers.get(f"{column}_flag")
    return cells if cells is None or flag is None else np.where(flag == Flag.GOOD, cells, np.nan)


def _level(cells: Array | None) -> int:
    known = [] if cells is None else cells[np.isfinite(cells)]
    return int(known[-1]) if len(known) else 0
