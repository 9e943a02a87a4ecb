"""Forecasts of every room's near future: the rolling minutes of all nodes, and one call that looks ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.network import Network
from edge.predict import infer
from edge.predict.feature import MISSING, calendar, inputs, level, local
from edge.predict.interval import Issued, chance_above
from edge.predict.model import PERSISTENCE, Model, ModelError, Role
from edge.predict.ring import DEPTH, MINUTE, Ring, Rolling
from edge.predict.series import CLEANING, OUTDOOR
from edge.readings import SECOND, UNTIMED, Array, Flag, Readings

_AHEAD = 10 * MINUTE
_STALE = 3


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts of n nodes: `origin` [ns] (n) is the newest sample's time, from which horizons [s] count;
    `value` with its 90 % interval `lower`..`upper` (n × horizons), in the quantity's unit; the chance to be
    above the model's limit then (`exceed`), and to pass it from below until then (`onset`; NaN: unknown)."""

    nodes: tuple[str, ...]
    origin: Array
    horizons: tuple[int, ...]
    value: Array
    lower: Array
    upper: Array
    model: str
    quantity: str
    exceed: Array
    onset: Array

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


def check_rooms(model: Model) -> None:
    """Raises ModelError for a model that can't look ahead from a room's minutes."""
    if model.unit_s != 60 or model.depth > DEPTH:
        raise ModelError(
            f"made for steps of {model.unit_s} s over {model.depth} of them",
            advice="rooms need `gongi train … --horizons 10m,30m,60m`",
        )


class Forecaster:
    """The last two hours of every node in one-minute means, and the model that looks ahead from them.

    What is seen depends only on the samples ingested, not on their order or blocks: reading the last `DEPTH`
    minutes from the history rebuilds it. Give each sample once. `dropped` counts rows by reason. Intervals
    learn from what came true between two looks; a new forecaster begins with the model's own.
    """

    def __init__(self, model: Model = PERSISTENCE) -> None:
        self.model = model
        self.dropped = {"late": 0, "future": 0}
        self._slots: dict[str, int] = {}
        self._rings: dict[str, Ring] = {}
        self._newest = np.zeros(0, np.int64)
        self._step = np.zeros(0, np.int64)
        self._cleaning: dict[tuple[str, str], float] = {}
        self._layout: _Layout | None = None
        self._issued: Issued | None = None

    def ingest(self, readings: Readings, now: int) -> None:
        """Take the good and suspect rows of a block; `now` [ns] only unmasks rows from the future."""
        model = self.model
        for column in model.columns:
            self._ingest(readings, column.name, now, column.name == model.quantity)

    def _ingest(self, readings: Readings, quantity: str, now: int, leads: bool) -> None:
        column = readings.columns.get(quantity)
        if column is None:
            return
        used = np.isin(column.flag, (Flag.GOOD, Flag.SUSPECT)) & np.isfinite(column.value)
        used &= readings.time != UNTIMED
        future = used & (readings.time > now + _AHEAD)
        rows = np.flatnonzero(used & ~future)
        if leads:
            self.dropped["future"] += int(future.sum())
        if not rows.size:
            return
        slot = self._slots_of(readings.nodes)[readings.node[rows]]
        time = readings.time[rows]
        late = self._ring(quantity).add(slot, time, column.value[rows])
        if leads:
            self.dropped["late"] += late
            np.maximum.at(self._newest, slot, time)
            newest = time == self._newest[slot]
            self._step[slot[newest]] = readings.dt[rows][newest]

    def clean(self, site: str, room: str, per_hour: float) -> None:
        """The room's air is now cleaned at this rate [1/h] (its actuators' CADR over its volume)."""
        self._cleaning[site, room] = per_hour

    def level(self, node: str) -> float:
        """The mean of the node's newest one to two minutes [unit]; NaN: unknown."""
        slot = self._slots.get(node)
        if slot is None:
            return float("nan")
        ring = self._ring(self.model.quantity)
        mean = ring.cells(np.array([slot]), self._newest[[slot]] // MINUTE)[0, : self.model.now]
        return float(np.nanmean(mean)) if np.isfinite(mean).any() else float("nan")

    def predict(self, network: Network, now: int, nodes: Sequence[str] | None = None) -> Forecasts:
        """Forecasts at `now` [ns] of `nodes` (default: all) with a sample younger than three intervals."""
        # Another thread may put a new model in force: one look ahead is one model's.
        model, layout = self.model, self._placed(network, now)
        slots = self._chosen(layout, now, nodes)
        view = self.view(model, layout, slots)
        last = level(model.columns, model.now, view)
        said = infer.forecast(model, inputs(model.columns, model.terms, model.now, model.unit_s, view), last)
        stays = np.where(
            layout.indoor[slots, None], 0, np.where(last == MISSING, 0, last)[:, None] - said.value
        )
        value = (said.value + stays) * model.grain
        spread = said.spread * model.grain
        lower, upper = self._learning(model).look(
            slots,
            self._newest[slots] // MINUTE,
            last * model.grain,
            value,
            spread,
            infer.bins(model, said.value),
        )
        names = tuple(self._slots)
        return Forecasts(
            nodes=tuple(names[slot] for slot in slots),
            origin=self._newest[slots],
            horizons=model.horizons,
            value=value,
            lower=np.maximum(lower, 0),
            upper=upper,
            model=model.id,
            quantity=model.quantity,
            exceed=chance_above(model.limit * model.grain, value, lower, upper),
            onset=_onset(model, said, layout.indoor[slots]),
        )

    def view(self, model: Model, layout: _Layout, slots: Array) -> Rolling:
        """What the model's terms look at."""
        minute = self._newest[slots] // MINUTE
        columns = [self._cells(one.name, model, layout, slots, minute) for one in model.columns]
        return Rolling(columns, [one.bits for one in model.columns], self._clock(layout, slots, minute))

    def seen(self, network: Network, now: int, nodes: Sequence[str]) -> Rolling:
        """What `predict` looks at."""
        layout = self._placed(network, now)
        return self.view(self.model, layout, self._chosen(layout, now, nodes))

    def _cells(self, name: str, model: Model, layout: _Layout, slots: Array, minute: Array) -> Array:
        if name == OUTDOOR:
            partner = self._outdoors(layout)[layout.site[slots]]
            return self._ring(model.quantity).cells(partner, minute)
        if name == CLEANING:
            cells = np.full((slots.size, DEPTH), np.nan)
            rates = np.array([self._cleaning.get(room, np.nan) for room in layout.rooms])
            cells[:, 0] = rates[layout.room[slots]]
            return cells
        return self._ring(name).cells(slots, minute)

    def _learning(self, model: Model) -> Issued:
        if self._issued is None or self._issued.model != model.id:
            self._issued = Issued(model, self._newest.size)
        self._issued.grow(self._newest.size)
        return self._issued

    def _ring(self, quantity: str) -> Ring:
        ring = self._rings.setdefault(quantity, Ring())
        ring.grow(self._newest.size)
        return ring

    def _slots_of(self, nodes: Sequence[str]) -> Array:
        slots = np.array([self._slots.setdefault(node, len(self._slots)) for node in nodes], np.int64)
        if len(self._slots) > self._newest.size:
            more = max(len(self._slots), 2 * self._newest.size) - self._newest.size
            self._newest = np.append(self._newest, np.zeros(more, np.int64))
            self._step = np.append(self._step, np.zeros(more, np.int64))
        return slots

    def _chosen(self, layout: _Layout, now: int, nodes: Sequence[str] | None) -> Array:
        wanted = range(len(self._slots)) if nodes is None else (self._slots.get(node, -1) for node in nodes)
        slots = np.array([slot for slot in wanted if slot >= 0], np.int64)
        interval = np.maximum(layout.interval[slots], self._step[slots]) * SECOND
        age = now - self._newest[slots]
        return slots[(layout.site[slots] >= 0) & (age <= _STALE * interval) & (age >= -_AHEAD)]

    def _clock(self, layout: _Layout, slots: Array, minute: Array) -> tuple[Array, Array, Array]:
        found = np.zeros((3, slots.size), np.int64)
        for site in np.unique(layout.site[slots]):
            place, same = layout.network.sites[layout.sites[site]], layout.site[slots] == site
            found[:, same] = calendar(local(place.zone, minute[same] * 60), place.holidays)
        return found[0], found[1], found[2]

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


def _onset(model: Model, said: infer.Said, indoor: Array) -> Array:
    chance = np.full(said.value.shape, np.nan)
    heads = [head for head in model.heads if head.role == Role.ONSET]
    for place, head in enumerate(heads):
        assert said.logit is not None, "a model with onset heads says their logits"
        odds = np.clip(said.logit[:, place] / 256, -30, 30)
        chance[:, model.horizons.index(head.horizon_s)] = np.where(indoor, 1 / (1 + np.exp(-odds)), np.nan)
    return chance


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
