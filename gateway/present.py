"""Keeps `Live` up to date from what has been committed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edge.network import Actuator, Network, Node, Placement
from edge.readings import SECOND, Array, Column, Flag, Readings, concat
from gateway.live import Alarm, Latest, Live, Value


class Present:
    """Collects committed rows and, when asked, makes each node's newest sample known."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._news: list[Readings] = []

    def take(self, readings: Readings) -> None:
        """Remember a block's rows until the next refresh."""
        if len(readings):
            self._news.append(readings)

    def refresh(self) -> tuple[str, ...]:
        """Put the newest timed samples into `Live`; the nodes that had news."""
        rows = concat(self._news)
        self._news = []
        rows = rows.take(rows.timed()) if len(rows) else rows
        order = rows.order()
        last = np.append(np.diff(rows.node[order]) != 0, True)[: order.size]
        return tuple(node for node in self._shown(rows, order[last]))

    def _shown(self, rows: Readings, places: Array) -> Iterator[str]:
        for place in places.tolist():
            node, time = rows.nodes[rows.node[place]], int(rows.time[place])
            old = self._live.latest.get(node)
            if old is None or time >= old.time:
                self._live.latest[node] = Latest(time, _values(rows, place), rows.cals[rows.cal[place]])
            yield node


def _values(rows: Readings, place: int) -> Mapping[str, Value]:
    return {name: _value(c, place) for name, c in rows.columns.items() if c.flag[place] != Flag.ABSENT}


def _value(column: Column, place: int) -> Value:
    raw, value, u = (float(cells[place]) for cells in (column.raw, column.value, column.u))
    return Value(raw, value, u, int(column.flag[place]), int(column.tests[place]))


@dataclass(frozen=True)
class Rooms:
    """Who stands where in one minute: nodes by (site, room), actuators by (site, room)."""

    network: Network
    minute: int
    place: Mapping[str, Placement]
    nodes: Mapping[tuple[str, str], tuple[Node, ...]]
    actuators: Mapping[tuple[str, str], tuple[Actuator, ...]]

    @classmethod
    def at(cls, network: Network, now: int) -> "Rooms":
        """The rooms at `now` [ns]."""
        place = {name: where for name in network.nodes if (where := network.placed(name, now))}
        nodes: dict[tuple[str, str], tuple[Node, ...]] = {}
        for name, where in place.items():
            key = (where.site, where.room)
            nodes[key] = (*nodes.get(key, ()), network.nodes[name])
        actuators: dict[tuple[str, str], tuple[Actuator, ...]] = {}
        for actuator in network.actuators.values():
            key = (actuator.site, actuator.room)
            actuators[key] = (*actuators.get(key, ()), actuator)
        return cls(network, now // (60 * SECOND), place, nodes, actuators)

    def current(self, network: Network, now: int) -> "Rooms":
        """This, or what is true now."""
        same = self.network is network and self.minute == now // (60 * SECOND)
        return self if same else Rooms.at(network, now)


class Alarms:
    """Raises and clears what people should know; each stands once, however often it is raised."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def raised(self, kind: str, about: str, site: str = "", **details: str) -> None:
        """Raise an alarm, unless it stands already."""
        self._live.alarms.setdefault((kind, about), Alarm(kind, about, site, self._live.now, details))

    def cleared(self, kind: str, about: str) -> None:
        """Clear an alarm if it stands."""
        self._live.alarms.pop((kind, about), None)
