"""Whole hours held against neighbours and reference stations, once they are over."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from edge.hourly import HOUR, LEAST, Series, plausible
from edge.network import Network
from edge.readings import Readings
from gateway.journal import Journal
from gateway.reference.nearest import of_node, spots
from gateway.reference.store import references

QUANTITIES = ("pm25", "pm10")


def implausible(rows: Readings, hour: int, network: Network, journal: Journal) -> Readings:
    """The rows of an hour (since 1970), all of them given, that neighbours or stations say something else
    about than is stored, with what they say."""
    start = hour * HOUR
    places = {node: network.placed(node, start) or network.placed(node, start + HOUR) for node in rows.nodes}
    company = Counter((place.site, place.room) for place in places.values() if place)
    outdoors = [node for node, place in places.items() if place and not place.room]
    said = _stations(outdoors, start, network, journal) if network.stations else {}
    asked = {
        node
        for node, place in places.items()
        if node in said or (place and company[place.site, place.room] > LEAST)
    }
    if not asked:
        return Readings.empty()
    some = rows.take(np.array([node in asked for node in rows.nodes])[rows.node])
    judged = plausible(some, network, said, QUANTITIES)
    other = np.zeros(len(some), bool)
    for name in QUANTITIES:
        if name in some.columns:
            other |= judged.columns[name].tests != some.columns[name].tests
    return judged.take(np.flatnonzero(other))


def _stations(
    nodes: list[str], start: int, network: Network, journal: Journal
) -> Mapping[str, Mapping[str, Series]]:
    """What the station of each node outdoors says about the hour that begins at `start` [ns]."""
    table, among = references(journal, start, start + HOUR), spots(network)
    if not len(table):
        return {}
    found: dict[str, dict[str, Series]] = {}
    for node in nodes:
        choice = of_node(network, node, start, among).chosen
        if choice is None or choice.spot.id not in table.device.names:
            continue
        rows = np.flatnonzero(table.device.code == table.device.names.index(choice.spot.id))
        for name in QUANTITIES:
            cells = table.numbers.get(f"ref_{name}")
            if cells is not None:
                found.setdefault(node, {})[name] = table.time[rows] // HOUR, cells[rows]
    return found
