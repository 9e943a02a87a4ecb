"""Published corrections of Plantower sensors for PM2.5 [µg/m³], from raw PM2.5 and relative humidity [%].

Divisions are of real numbers: copies of these formulas in integer arithmetic lose the slope of the bands
between 30 and 50 and between 210 and 260 µg/m³.
"""

from collections.abc import Callable, Mapping

import numpy as np

from edge.readings import Array


def barkjohn_2021(pm: Array, rh: Array) -> Array:
    """The US-wide correction of PurpleAir's CF=1 values.

    Barkjohn et al. 2021, doi:10.5194/amt-14-4617-2021.
    """
    value: Array = 0.524 * pm - 0.0862 * rh + 5.75
    return value


def barkjohn_2022(pm: Array, rh: Array) -> Array:
    """The 2021 form below 570 µg/m³, a quadratic above 611, sliding between (CF=1 values); Barkjohn et al.
    2022, doi:10.3390/s22249669."""
    smoke = 4.21e-4 * pm**2 + 0.392 * pm + 3.44
    share = np.clip(0.0244 * pm - 13.9, 0.0, 1.0)
    sliding = share * smoke + (1.0 - share) * barkjohn_2021(pm, rh)
    value: Array = np.where(pm < 570, barkjohn_2021(pm, rh), np.where(pm >= 611, smoke, sliding))
    return value


def epa_2021(pm: Array, rh: Array) -> Array:
    """The five bands of US EPA's fire and smoke map of October 2021 (ATM values), at least 0.

    Below 30 µg/m³ the 2021 form, from 50 to 210 with the gain .786, above 260 a quadratic without humidity;
    in the two bands between, one slides into the other.
    """
    first = np.clip(pm / 20.0 - 1.5, 0.0, 1.0)
    second = np.clip(pm / 50.0 - 4.2, 0.0, 1.0)
    gain = 0.524 * (1.0 - first) + 0.786 * first
    gain = gain * (1.0 - second) + 0.69 * second
    humidity = (5.75 - 0.0862 * rh) * (1.0 - second)
    bent = second * (2.966 + 8.84e-4 * pm**2)
    value: Array = np.maximum(gain * pm + humidity + bent, 0.0)
    return value


CF1 = ("barkjohn-2021", "barkjohn-2022")
"""The corrections made for CF=1 values; they take the quantity's own column where a device gives no other."""

PUBLISHED: Mapping[str, Callable[[Array, Array], Array]] = {
    "barkjohn-2021": barkjohn_2021,
    "barkjohn-2022": barkjohn_2022,
    "epa-2021": epa_2021,
}
"""The published corrections by the name that a model's `form` gives them."""
