"""Forecasts of every room's near future: the rolling minutes of all nodes, and one call that looks ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.feature import DEPTH, MINUTE, Windows, day_minute, features, grains
from edge.model import PERSISTENCE, Model
from edge.network import Network
from edge.readings import SECOND, UNTIMED, Array, Flag, Readings

_AHEAD = 10 * MINUTE
_STALE = 3
_RING = DEPTH - 1  # DEPTH is a power of two: a minute's place in the ring is its lowest bits
_LAGS = np.arange(DEPTH)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts of n nodes: `origin` [ns] (n) is the newest sample's time, from which horizons [s] count;
    `value` with its 90 % interval `lower`..`upper` (n × horizons), in the quantity's unit."""

    nodes: tuple[str, ...]
    origin: Array
    horizons: tuple[int, ...]
    value: Array
    lower: Array
    upper: Array
    model: str
    quantity: str

    def __len__(self) -> int:
        return len(self.nodes)

    def targets(self) -> Array:
        """The times [ns] (n × horizons) that the forecasts are for."""
        return self.origin[:, None] + np.array(self.horizons, np.int64) * SECOND


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each slot's node stands, true in [built, until): indices of site and room (-1: not placed)."""

    network: Network
    built: int
    until: int
    slots: int
    site: Array
    room: Array
    indoor: Array
    interval: Array
    sites: tuple[str, ...]
    rooms: tuple[tuple[str, str], ...]


class Forecaster:
    """The last hour of every node in one-minute means, and the model that looks ahead from it.

    The state depends only on the samples ingested, not on their order or blocks: reading the last `DEPTH`
    minutes from the history rebuilds it. Give each sample once. `dropped` counts rows by reason.
    """

    def __init__(self, model: Model = PERSISTENCE) -> None:
        self.model = model
        self.dropped = {"late": 0, "future": 0}
        self._slots: dict[str, int] = {}
        self._minute = np.full((0, DEPTH), -1, np.int64)
        self._total = np.zeros((0, DEPTH))
        self._count = np.zeros((0, DEPTH))
        self._newest = np.zeros(0, np.int64)
        self._step = np.zeros(0, np.int64)
        self._cleaning: dict[tuple[str, str], float] = {}
        self._layout: _Layout | None = None

    def ingest(self, readings: Readings, now: int) -> None:
        """Take the good and suspect rows of a block; `now` [ns] only unmasks rows from the future."""
        column = readings.columns.get(self.model.quantity)
        if column is None:
            return
        used = np.isin(column.flag, (Flag.GOOD, Flag.SUSPECT)) & np.isfinite(column.value)
        used &= readings.time != UNTIMED
        future = used & (readings.time > now + _AHEAD)
        self.dropped["future"] += int(future.sum())
        rows = np.flatnonzero(used & ~future)
        if rows.size:
            slot = self._slots_of(readings.nodes)[readings.node[rows]]
            self._add(slot, readings.time[rows], grains(column.value[rows]), readings.dt[rows])

    def clean(self, site: str, room: str, per_hour: float) -> None:
        """The room's air is now cleaned at this rate [1/h] (its actuators' CADR over its volume)."""
        self._cleaning[site, room] = per_hour

    def predict(self, network: Network, now: int, nodes: Sequence[str] | None = None) -> Forecasts:
        """Forecasts at `now` [ns] of `nodes` (default: all) with a sample younger than three intervals."""
        # Another thread may put a new model in force: one look ahead is one model's.
        model, layout = self.model, self._placed(network, now)
        slots = self._chosen(layout, now, nodes)
        value, lower, upper = model.predict(features(self._windows(slots, layout)), layout.indoor[slots])
        names = tuple(self._slots)
        chosen, origin = tuple(names[slot] for slot in slots), self._newest[slots]
        return Forecasts(chosen, origin, model.horizons, value, lower, upper, model.id, model.quantity)

    def windows(self, network: Network, now: int, nodes: Sequence[str]) -> Windows:
        """What `predict` looks at."""
        layout = self._placed(network, now)
        return self._windows(self._chosen(layout, now, nodes), layout)

    def _slots_of(self, nodes: Sequence[str]) -> Array:
        slots = np.array([self._slots.setdefault(node, len(self._slots)) for node in nodes], np.int64)
        if len(self._slots) > self._newest.size:
            self._grow(max(len(self._slots), 2 * self._newest.size))
        return slots

    def _grow(self, size: int) -> None:
        more = size - self._newest.size
        self._minute = np.vstack([self._minute, np.full((more, DEPTH), -1, np.int64)])
        self._total = np.vstack([self._total, np.zeros((more, DEPTH))])
        self._count = np.vstack([self._count, np.zeros((more, DEPTH))])
        self._newest = np.append(self._newest, np.zeros(more, np.int64))
        self._step = np.append(self._step, np.zeros(more, np.int64))

    def _add(self, slot: Array, time: Array, value: Array, step: Array) -> None:
        minute = time // MINUTE
        cell = slot * DEPTH + (minute & _RING)
        held, total, count = self._minute.reshape(-1), self._total.reshape(-1), self._count.reshape(-1)
        before = held[cell]
        np.maximum.at(held, cell, minute)
        begun = cell[held[cell] > before]
        total[begun] = count[begun] = 0.0
        kept = held[cell] == minute
        np.add.at(total, cell[kept], value[kept])
        np.add.at(count, cell[kept], 1.0)
        self.dropped["late"] += int(kept.size - kept.sum())
        np.maximum.at(self._newest, slot, time)
        newest = time == self._newest[slot]
        self._step[slot[newest]] = step[newest]

    def _chosen(self, layout: _Layout, now: int, nodes: Sequence[str] | None) -> Array:
        wanted = range(len(self._slots)) if nodes is None else (self._slots.get(node, -1) for node in nodes)
        slots = np.array([slot for slot in wanted if slot >= 0], np.int64)
        interval = np.maximum(layout.interval[slots], self._step[slots]) * SECOND
        age = now - self._newest[slots]
        return slots[(layout.site[slots] >= 0) & (age <= _STALE * interval) & (age >= -_AHEAD)]

    def _windows(self, slots: Array, layout: _Layout) -> Windows:
        minute = self._newest[slots] // MINUTE
        past = minute[:, None] - _LAGS
        total, count = self._past(slots, past)
        outdoor_total, outdoor_count = self._past(self._outdoors(layout)[layout.site[slots]], past)
        day = np.zeros(slots.size, np.int64)
        zones = np.array([layout.network.sites[site].tz for site in layout.sites])[layout.site[slots]]
        for place in np.unique(zones, return_index=True)[1]:
            same = zones == zones[place]
            zone = layout.network.sites[layout.sites[layout.site[slots[place]]]].zone
            day[same] = day_minute(zone, minute[same])
        cleaning = np.array([self._cleaning.get(room, np.nan) for room in layout.rooms])[layout.room[slots]]
        return Windows(total, count, outdoor_total, outdoor_count, day, cleaning)

    def _past(self, slots: Array, past: Array) -> tuple[Array, Array]:
        # Rooms without an outdoor node have slot -1: any cell serves them, none of it counts.
        cell = (past & _RING) + slots[:, None] * DEPTH
        held = self._minute.take(cell, mode="clip") == past
        held &= (slots >= 0)[:, None]
        return self._total.take(cell, mode="clip") * held, self._count.take(cell, mode="clip") * held

    def _outdoors(self, layout: _Layout) -> Array:
        outdoor = np.flatnonzero((layout.site >= 0) & ~layout.indoor)
        partner = np.full(len(layout.sites), -1, np.int64)
        newest_last = outdoor[np.argsort(self._newest[outdoor], kind="stable")]
        partner[layout.site[newest_last]] = newest_last
        return partner

    def _placed(self, network: Network, now: int) -> _Layout:
        layout = self._layout
        if not (
            layout
            and layout.network is network
            and layout.slots == len(self._slots)
            and layout.built <= now < layout.until
        ):
            layout = self._layout = _lay_out(network, tuple(self._slots), now)
        return layout


def _lay_out(network: Network, nodes: Sequence[str], now: int) -> _Layout:
    places = [network.placed(node, now) for node in nodes]
    sites = {site: index for index, site in enumerate(network.sites)}
    rooms: dict[tuple[str, str], int] = {("", ""): 0}
    room = [rooms.setdefault((p.site, p.room), len(rooms)) if p else 0 for p in places]
    later = (p.since for node in network.nodes.values() for p in node.placements if p.since > now)
    known = [network.nodes.get(node) for node in nodes]
    return _Layout(
        network=network,
        built=now,
        until=min(later, default=np.iinfo(np.int64).max),
        slots=len(nodes),
        site=np.array([sites.get(p.site, -1) if p else -1 for p in places], np.int64),
        room=np.array(room, np.int64),
        indoor=np.array([bool(p and p.room) for p in places], bool),
        interval=np.array([node.batch_s if node else 0 for node in known], np.int64),
        sites=tuple(network.sites),
        rooms=tuple(rooms),
    )
