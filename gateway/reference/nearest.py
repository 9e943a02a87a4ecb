"""Which reference station stands for a node: the nearest that stands as the node does, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

from edge.network import Network

EARTH_KM = 6371.0088
FARTHEST_KM = 25.0

KINDS = ("urban", "suburban", "roadside", "background", "port")
"""How a station, or a node outdoors, stands: `urban` where people live, `roadside` within reach of a road."""

DEFAULT = "urban"
"""How a node stands whose siting the files don't say: schools stand where people live."""

STRANGE = 4.0
STRANGENESS: Mapping[tuple[str, str], float] = {
    ("urban", "suburban"): 1.5,
    ("suburban", "urban"): 1.5,
    ("suburban", "background"): 2.0,
    ("background", "suburban"): 2.0,
    ("urban", "port"): 3.0,
    ("roadside", "urban"): 2.0,
}
"""How many times its distance a station of another kind counts, by (node's, station's) kind; `STRANGE` where
nothing stands here, 1 for the same kind. A choice of ours: no publication gives these numbers."""

UNKNOWN = 2.0
"""The same for a station whose kind isn't known."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A reference station: `id` under which it is kept, `code` the source's own name for it, WGS84 degrees,
    its kind (one of `KINDS`, empty: not known)."""

    id: str
    code: str
    lat: float
    lon: float
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A station with its distance [km], that distance times how strange it is, and a sentence about it."""

    spot: Spot
    km: float
    counts: float
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The station that stands for a node (None: none is near enough), and the nearer ones left out."""

    chosen: Candidate | None
    left_out: tuple[Candidate, ...]
    why: str


def kilometres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Great-circle distance [km] of two points [°]."""
    up, along = radians(other_lat - lat) / 2, radians(other_lon - lon) / 2
    chord = sin(up) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(along) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, chord)))


def strangeness(kind: str, other: str) -> float:
    """How many times its distance a station of kind `other` counts for a node of `kind`."""
    if not other:
        return UNKNOWN
    return 1.0 if kind == other else STRANGENESS.get((kind, other), STRANGE)


def choose(lat: float, lon: float, kind: str, spots: Iterable[Spot], farthest: float = FARTHEST_KM) -> Choice:
    """The station for a node of `kind` at a position [°]: of those within `farthest` [km] the one whose
    distance counts least."""
    near = sorted(_candidates(lat, lon, kind, spots), key=lambda one: (one.counts, one.spot.id))
    inside = [one for one in near if one.km <= farthest]
    if not inside:
        closest = min(near, key=lambda one: one.km, default=None)
        why = f"no station within {farthest:g} km" + (f"; {_said(closest)} is nearest" if closest else "")
        return Choice(None, (), why)
    best, others = inside[0], inside[1:]
    left = tuple(sorted((one for one in others if one.km < best.km), key=lambda one: one.km))
    return Choice(best, left, "; ".join([_said(best), *(_left(one, best, kind) for one in left)]))


AIR = ("", "airkorea", "openaq")
"""Sources whose places are stations of the air; the others tell of weather, traffic and areas."""


def spots(network: Network) -> list[Spot]:
    """The stations of the network files that measure the air."""
    stations = (one for one in network.stations.values() if one.source in AIR)
    return [Spot(one.id, one.code, one.lat, one.lon, one.kind, one.en) for one in stations]


def of_node(network: Network, node: str, time: int, among: Iterable[Spot] | None = None) -> Choice:
    """The station for a node as it stands at `time` [ns], at its site's position; one whose siting the files
    don't say counts as urban."""
    place = network.placed(node, time)
    site = network.sites[place.site] if place else None
    if place is None or site is None:
        return Choice(None, (), f"{node} stands nowhere then")
    if site.lat is None or site.lon is None:
        return Choice(None, (), f"the files don't say where {site.id} is: lat and lon")
    return choose(site.lat, site.lon, place.siting or DEFAULT, spots(network) if among is None else among)


def _candidates(lat: float, lon: float, kind: str, spots: Iterable[Spot]) -> Sequence[Candidate]:
    found = []
    for spot in spots:
        km = kilometres(lat, lon, spot.lat, spot.lon)
        times = strangeness(kind, spot.kind)
        why = f"{spot.kind or 'unknown kind'} for {kind}: its distance counts {times:g} times"
        found.append(Candidate(spot, km, km * times, why))
    return found


def _said(one: Candidate) -> str:
    return f"{one.spot.name or one.spot.id}, {one.km:.1f} km, {one.spot.kind or 'of unknown kind'}"


def _left(one: Candidate, best: Candidate, kind: str) -> str:
    times = strangeness(kind, one.spot.kind)
    return (
        f"{_said(one)}, left out: for a node of {kind} siting its distance counts {times:g} times, "
        f"{one.counts:.1f} km, and {best.spot.name or best.spot.id} counts {best.counts:.1f} km"
    )
