"""Hygroscopic growth: how much of a wet particle's mass, as light sees it, is water."""

import numpy as np

from edge.readings import Array

KAPPA = 0.3
DENSITY = 1.65
WETTEST = 0.95


def growth(rh: Array, kappa: float = KAPPA) -> Array:
    """The factor [1] by which humidity `rh` [%] swells the mass that an optical sensor sees.

    κ-Köhler: 1 + (κ / 1.65) / (1 / a_w − 1), with the water activity capped at 0.95; dry mass is raw mass
    divided by it. Crilley et al. 2018, doi:10.5194/amt-11-709-2018.
    """
    activity = np.clip(rh / 100.0, 1e-6, WETTEST)
    factor: Array = 1.0 + (kappa / DENSITY) / (1.0 / activity - 1.0)
    return factor
