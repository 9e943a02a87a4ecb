"""Indices of air quality: dated tables and functions of a place's hourly means, each one row of `INDICES`."""

from collections.abc import Mapping

from edge.index.hours import Hours
from edge.index.korea import PM_INDEX
from edge.index.learning import LEARNING
from edge.index.scheme import Band, Index
from edge.index.us import AQI
from edge.index.world import CAQI, EAQI, WHO

__all__ = ["INDICES", "Band", "Hours", "Index"]

INDICES: Mapping[str, Index] = {index.id: index for index in (PM_INDEX, AQI, WHO, EAQI, CAQI, LEARNING)}
