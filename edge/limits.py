"""What quality control takes for possible: one row of limits per sensor type and quantity."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace

from edge.quantity import QUANTITIES

HOUR = 3600.0
NEVER = float("inf")
GAP = 900.0
"""A silence [s] after which a value says nothing about the next one; three sample intervals where longer,"""
LONGEST_GAP = 3 * HOUR
"""but never longer than this [s]."""
CLOCK_STEP = 30.0
"""By how much [s] a boot's clock may move against its uptime from one sample to the next."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one quantity, in its unit (`docs/quality.md` has each with its formula and source).

    It fails outside `low`..`high` and is suspect outside `floor`..`ceiling`; a change is suspect above both
    `step` and `rate` [unit/s]; a value is a spike further than `spike` from the mean of its two neighbours;
    equal values are suspect after `flat_suspect` [s] and fail after `flat_fail` [s], but where a sensor may
    rightly stand still (at most `rail_low`, at least `rail_high`) they are only suspect, after
    `rail_suspect` [s]. Samples of a boot's first `warm` [s] are suspect, all masses 0 at once where `blank`
    is 1, two channels by `apart` and `apart_share`, and from `wet` on humidity is saturated. An hour's
    mean is suspect further than `off` from its neighbours' and more than `times` as much or as little.
    """

    low: float
    high: float
    floor: float = -NEVER
    ceiling: float = NEVER
    step: float = NEVER
    rate: float = 0.0
    spike: float = NEVER
    flat_suspect: float = NEVER
    flat_fail: float = NEVER
    rail_low: float = -NEVER
    rail_high: float = NEVER
    rail_suspect: float = NEVER
    warm: float = 0.0
    blank: float = 0.0
    apart: float = NEVER
    apart_share: float = 0.0
    wet: float = NEVER
    off: float = NEVER
    times: float = 1.0


PARAMETERS = tuple(field.name for field in fields(Limits))
_DURATIONS = ("flat_suspect", "flat_fail", "rail_suspect")

# Plantower counts whole µg/m³: equal values for 2 to 3 h are rare in a room's air, but 0 is true all night
# in a purified one.
_PM25 = Limits(
    0, 1000, ceiling=500, step=150, rate=0.1, spike=150,
    flat_suspect=3 * HOUR, flat_fail=12 * HOUR, rail_low=0, rail_suspect=12 * HOUR,
    warm=30, apart=5, apart_share=0.7, off=50, times=3,
)  # fmt: skip
_PM10 = replace(_PM25, ceiling=600, step=200, spike=200, off=80)
# Hourly means of a monitor, rounded to whole µg/m³: clean air holds it at its lowest value for half a day;
# twelve equal hours span eleven. Yellow dust takes PM10 above 1000.
_MONITOR_PM25 = replace(
    _PM25, rate=0.05, spike=100, flat_suspect=11 * HOUR, rail_low=-NEVER, rail_suspect=NEVER, warm=0, blank=1,
)  # fmt: skip
_MONITOR_PM10 = replace(_MONITOR_PM25, high=5000, ceiling=1000, step=200, rate=0.1, spike=150, off=80)
_TEMP = Limits(-40, 85, floor=-30, ceiling=50, step=5, rate=0.01, spike=5, flat_suspect=12 * HOUR)
_RH = Limits(0, 100, step=30, rate=0.02, spike=30, flat_suspect=12 * HOUR, rail_high=99, wet=99)
_CO2 = Limits(
    250, 40000, floor=350, ceiling=10000, step=1500, rate=5, spike=1500,
    flat_suspect=3 * HOUR, flat_fail=12 * HOUR,
)  # fmt: skip
_PRESSURE = Limits(300, 1100, floor=850, ceiling=1080, step=5, rate=0.003, spike=5, flat_suspect=12 * HOUR)

_COMMON: Mapping[str, Limits] = {
    **{name: Limits(quantity.low, quantity.high) for name, quantity in QUANTITIES.items()},
    **dict.fromkeys(("pm1", "pm25", "pm25_a", "pm25_b"), _PM25),
    **dict.fromkeys(("pm10", "pm10_a", "pm10_b"), _PM10),
    "temp": _TEMP,
    "rh": _RH,
    "co2": _CO2,
    "pressure": _PRESSURE,
}
_MONITOR: Mapping[str, Limits] = {
    **dict.fromkeys(("pm1", "pm25", "pm25_a", "pm25_b"), _MONITOR_PM25),
    **dict.fromkeys(("pm10", "pm10_a", "pm10_b"), _MONITOR_PM10),
    # From one hour to the next the weather may turn.
    "temp": replace(_TEMP, spike=15),
    "rh": replace(_RH, spike=50),
}

OWN: Mapping[str, Mapping[str, Limits]] = {
    # These say 0 in all sizes at once while they warm up; Plantower does in clean air.
    "sds011": {
        "pm25": replace(_PM25, high=999.9, blank=1),
        "pm10": replace(_PM10, high=1999.9, blank=1),
    },
    "sps30": {
        **dict.fromkeys(("pm1", "pm25"), replace(_PM25, blank=1)),
        "pm10": replace(_PM10, blank=1),
    },
    "scd4x": {"temp": replace(_TEMP, floor=-10)},
    "sht4x": {"temp": replace(_TEMP, high=125)},
    "reference": _MONITOR,
    "table": _MONITOR,
}
"""Limits that differ from the quantity's common ones, by sensor type."""

WINDOW = round(
    LONGEST_GAP
    + max(
        value
        for table in (_COMMON, *OWN.values())
        for limits in table.values()
        for name, value in asdict(limits).items()
        if name in _DURATIONS and value < NEVER
    )
)
"""How far [s] any test looks back: evaluated from T - WINDOW on, the rows from T on get their final flags,"""
AHEAD = round(LONGEST_GAP)
"""but for spikes, which the next row proves: it comes within this time [s], or says nothing."""
REACH = WINDOW + AHEAD
"""What a catch-up pass needs [s] on either side of the rows that came late."""


def limits(sensor: str, quantity: str, changes: Mapping[str, float]) -> Limits:
    """The limits of a quantity as a sensor of that type measures it, under a node's own `changes`
    (`{"pm25.step": 80}`)."""
    own = OWN.get(sensor, {}).get(quantity, _COMMON[quantity])
    prefix = f"{quantity}."
    named = {key.removeprefix(prefix): value for key, value in changes.items() if key.startswith(prefix)}
    return replace(own, **{name: _within(name, named[name]) for name in PARAMETERS if name in named})


def _within(name: str, value: float) -> float:
    return min(value, WINDOW - LONGEST_GAP) if name in _DURATIONS and value < NEVER else value


def mistakes(changes: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """(key, what would be right) of each of a node's `limits` that can't be obeyed."""
    for key, value in changes.items():
        quantity, _, parameter = key.partition(".")
        if quantity not in _COMMON:
            yield key, f"a quantity before the point, such as pm25.{PARAMETERS[0]}"
        elif parameter not in PARAMETERS:
            yield key, f"after the point one of {', '.join(PARAMETERS)}"
        elif parameter in _DURATIONS and WINDOW - LONGEST_GAP < value < NEVER:
            yield key, f"at most {WINDOW - LONGEST_GAP:.0f} s: quality control looks no further back"
