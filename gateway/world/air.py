"""Air at one place and one moment, and what water does in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Air:
    """The truth at one place: dry PM1, PM2.5, PM10 [µg/m³], CO2 [ppm], temperature [°C], RH [%]."""

    pm1: float
    pm25: float
    pm10: float
    co2: float
    temp: float
    rh: float


def saturation(temp: Floats | float) -> Floats:
    """Water that air of `temp` [°C] can hold [g/m³]; Magnus form, DOI 10.1175/BAMS-86-2-225."""
    temp = np.asarray(temp, dtype=float)
    pressure: Floats = 610.94 * np.exp(17.625 * temp / (temp + 243.04))
    return pressure * 2.16679 / (temp + 273.15)


def growth(rh: float, kappa: float) -> float:
    """How many times its dry mass a particle of hygroscopicity `kappa` weighs at `rh` [%], held at 95 %.

    κ-Köhler theory: 1 + (κ/1.65)/(1/aw − 1), DOI 10.5194/amt-11-709-2018.
    """
    activity = min(max(rh, 0.0), 95.0) / 100
    return 1.0 if activity == 0 else 1 + kappa / 1.65 / (1 / activity - 1)
