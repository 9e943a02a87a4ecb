"""The School Health Act's limits of a room's air."""

from collections.abc import Mapping

from edge.network import Room

Bounds = tuple[float | None, float | None]

LIMITS: Mapping[str, Mapping[str, Bounds]] = {
    "natural": {
        "pm25": (None, 35.0),
        "pm10": (None, 75.0),
        "co2": (None, 1000.0),
        "temp": (18.0, 28.0),
        "rh": (30.0, 80.0),
    },
    "mechanical": {"co2": (None, 1500.0)},
}
"""(low, high) in the quantity's unit by ventilation; those of PM are means of 24 h (check sheets of 2021)."""


def limits(room: Room | None) -> dict[str, Bounds]:
    """The limits of a room, its own from the network file before the law's; none outdoors."""
    if room is None:
        return {}
    own = {quantity: (None, high) for quantity, high in room.limits.items()}
    return {**LIMITS["natural"], **LIMITS.get(room.ventilation, {}), **own}
