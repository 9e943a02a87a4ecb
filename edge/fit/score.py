"""How good corrected values are, by the protocol of US EPA's targets and beyond."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from edge.mean import means
from edge.readings import Array

DAY = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """Values against a reference over `n` rows: `r2` = 1 − SSE/SST, RMSE [unit], NRMSE (RMSE / mean of the
    reference), bias [unit] (mean of value − reference), the ordinary least-squares line with the reference
    as x, and `correlation2`, the squared correlation."""

    n: int
    r2: float
    rmse: float
    nrmse: float
    bias: float
    slope: float
    intercept: float
    correlation2: float

    def said(self) -> dict[str, float | int | None]:
        """As a JSON object: what can't be known is null."""
        return {name: _finite(value) for name, value in asdict(self).items()}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def score(value: Array, reference: Array) -> Score:
    """The score of values [unit]; NaN where there are too few rows or nothing varies."""
    n = value.size
    if n < 2:
        return Score(n, *(float("nan"),) * 7)
    miss, about = value - reference, reference - reference.mean()
    sse, sst = float(miss @ miss), float(about @ about)
    rmse = (sse / n) ** 0.5
    off = value - value.mean()
    both, own = float(about @ off), float(off @ off)
    slope = both / sst if sst else float("nan")
    return Score(
        n=n,
        r2=1 - sse / sst if sst else float("nan"),
        rmse=rmse,
        nrmse=rmse / float(reference.mean()) if reference.mean() else float("nan"),
        bias=float(miss.mean()),
        slope=slope,
        intercept=float(value.mean() - slope * reference.mean()),
        correlation2=both**2 / (sst * own) if sst * own else float("nan"),
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """US EPA's targets for one quantity: Duvall et al. 2021, as in sensortoolkit `param/_targets.py`."""

    slope: tuple[float, float]
    intercept: tuple[float, float]
    r2: float
    rmse: float
    nrmse: float
    sd: float
    cv: float


_PM25 = Bounds((0.65, 1.35), (-5.0, 5.0), 0.70, 7.0, 0.30, 5.0, 0.30)
TARGETS: Mapping[str, Bounds] = {
    "pm1": _PM25,
    "pm25": _PM25,
    "pm10": Bounds((0.65, 1.35), (-10.0, 10.0), 0.70, 14.0, 0.30, 5.0, 0.30),
}


def met(found: Score, bounds: Bounds) -> dict[str, bool]:
    """Which targets a score meets; `error` takes RMSE or NRMSE, whichever does, as Duvall et al. do."""
    return {
        "slope": bounds.slope[0] <= found.slope <= bounds.slope[1],
        "intercept": bounds.intercept[0] <= found.intercept <= bounds.intercept[1],
        "r2": found.correlation2 >= bounds.r2,
        "error": found.rmse <= bounds.rmse or found.nrmse <= bounds.nrmse,
    }


def daily(time: Array, step: int, offset: Array, *columns: Array) -> tuple[Array, ...]:
    """Means of the local days that have 75 % of their rows: when each day begins [local ns], then each
    column's.

    `offset` [ns] is each row's local time less UTC; the columns have no gaps.
    """
    begin, mean = means(time + offset, np.stack(columns, axis=1), DAY, step)
    whole = np.isfinite(mean).all(axis=1)
    return (begin[whole], *mean[whole].T)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How units at one place agree [unit, share of the mean], over the `n` times at which all `units`
    spoke."""

    units: tuple[str, ...]
    n: int
    sd: float
    cv: float


def agreement(units: Mapping[str, tuple[Array, Array]]) -> Agreement | None:
    """SD and CV between units, each given as (time, value), over their common times; None where there are
    fewer than two units or times. SD = √(Σ(x − mean of units)² / (N·M − 1))."""
    if len(units) < 2:
        return None
    common: Array | None = None
    for time, _ in units.values():
        common = time if common is None else np.intersect1d(common, time)
    if common is None or common.size < 2:
        return None
    table = np.stack([value[np.isin(time, common)] for time, value in units.values()])
    sd = float(np.sqrt(np.sum((table - table.mean(axis=0)) ** 2) / (table.size - 1)))
    return Agreement(tuple(units), int(common.size), sd, sd / float(table.mean()))
