"""An index of one's own: the day's PM2.5 in cigarettes, 22 µg/m³ each (Muller, Berkeley Earth, 2015)."""

import numpy as np

from edge.index import Band, Hours, Index
from edge.index.hours import running

ONE = 22.0
BANDS = (Band("Less than one", "#17703f"), Band("One or two", "#984a00"), Band("More than two", "#ad1f18"))


def cigarettes(hours: Hours) -> np.ndarray:
    """How many the last 24 h were worth, at each hour."""
    return running(hours.mean("pm25"), 24) / ONE


def band(values: np.ndarray) -> np.ndarray:
    """The place in `BANDS` of each value."""
    return np.where(np.isnan(values), np.nan, np.searchsorted((1.0, 2.0), values))


INDEX = Index(
    id="cigarettes",
    word="Cigarettes",
    quantities=("pm25",),
    bands=BANDS,
    of=cigarettes,
    band=band,
    source="Muller and Muller, Berkeley Earth, 2015",
    unit="a day",
)
