"""A model file applied to an exchange table."""

from collections.abc import Iterator, Mapping

import numpy as np

from edge.correction.inputs import Inputs
from edge.correction.model import Corrected, Correction, CorrectionError
from edge.correction.term import served, steps
from edge.quantity import QUANTITIES
from edge.readings import SECOND, Array, Flag
from gateway.calibration import percent
from gateway.table import Table, Words, usual_step

CELLS = ("value", "lower", "upper", "u")


def calibrated(table: Table, fleet: Correction, own: Mapping[str, Correction]) -> Table:
    """The table with its quantity corrected: each device by its own correction, the others by the fleet's.

    Beside the quantity's column stand `_raw`, `_lower`, `_upper` (90 %), `_u` and `_flag`: 3 where an input
    lies outside the range that the fit has seen, 9 where nothing can be said; `cal` names the correction.
    """
    quantity = fleet.quantity
    if quantity not in table.numbers:
        raise CorrectionError(f"no column `{quantity}`", table.name, "the model corrects that quantity")
    percent(table)
    cells = {name: np.full(len(table), np.nan) for name in CELLS}
    flag = np.full(len(table), float(Flag.MISSING))
    names: dict[str, int] = {}
    code = np.zeros(len(table), np.int32)
    for rows, correction, found in _devices(table, fleet, own):
        for name in CELLS:
            cells[name][rows] = getattr(found, name)
        code[rows] = names.setdefault(correction.id, len(names))
        known = np.isfinite(found.value)
        flag[rows] = np.where(known, np.where(found.outside, Flag.SUSPECT, Flag.GOOD), Flag.MISSING)
    said = {f"{quantity}_{name}": cells[name] for name in CELLS[1:]}
    numbers = {
        **table.numbers,
        f"{quantity}_raw": table.numbers[quantity],
        quantity: cells["value"],
        **said,
        f"{quantity}_flag": flag,
    }
    words = {**table.words, "cal": Words(tuple(names) or ("",), code)}
    return Table(table.name, table.time, words, numbers, table.notes)


def _devices(
    table: Table, fleet: Correction, own: Mapping[str, Correction]
) -> Iterator[tuple[Array, Correction, Corrected]]:
    for number, name in enumerate(table.device.names):
        rows = np.flatnonzero(table.device.code == number)
        if not rows.size:
            continue
        correction = own.get(name, fleet)
        columns = {column: cells[rows] for column, cells in table.numbers.items() if column in QUANTITIES}
        if not served(correction.terms, fleet.quantity, columns):
            raise CorrectionError(
                f"{name} lacks columns that its correction needs",
                table.name,
                f"the form {correction.form} has the terms {', '.join(correction.terms)}",
            )
        step = usual_step(table.time[rows])
        if steps(correction.terms) and not 0.5 < step / correction.step < 2:
            here, fitted = step // SECOND, correction.step // SECOND
            raise CorrectionError(
                f"{name} has rows {here} s apart, its correction was fitted on {fitted} s",
                table.name,
                f"the form {correction.form} looks at the rows before: average the table first",
            )
        given = Inputs.of(fleet.quantity, table.time[rows], step, columns)
        yield rows, correction, correction.apply(given)
