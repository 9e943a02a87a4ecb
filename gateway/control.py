"""The stages that look ahead and decide: after the commit, for nodes whose newest sample is fresh."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
import structlog

from edge.decision import Ahead, Decision, Measured, Policy, RoomState
from edge.forecast import Forecaster, Forecasts
from edge.network import Actuator, Node, Room, Site
from edge.pace import Running
from edge.policy import decide
from edge.readings import SECOND
from edge.room import cleaning
from gateway.actuate import Actuate
from gateway.block import Draft
from gateway.clock import Clock
from gateway.live import Horizon, Latest, Live, Outlook
from gateway.metrics import Metrics
from gateway.present import Present, Rooms
from gateway.river import Block

log = structlog.get_logger()

PACE = 0.5
"""Seconds between two looks ahead: at more blocks a second, several share one."""


class Forecast:
    """Takes every block in, and looks ahead for the nodes that had news since the last look."""

    def __init__(
        self, forecaster: Forecaster, present: Present, live: Live, clock: Clock, metrics: Metrics
    ) -> None:
        self.forecaster, self._present, self._live = forecaster, present, live
        self._clock, self._metrics = clock, metrics
        self._looked = 0.0

    def __call__(self, block: Block) -> Block:
        now = self._clock.now()
        self._present.take(block.readings)
        if now is None:
            return block
        if len(block.readings):
            self.forecaster.ingest(block.readings, now)
        if self._clock.monotonic() - self._looked < PACE:
            return block
        self._looked = self._clock.monotonic()
        nodes = self._present.refresh()
        if not nodes:
            return block
        forecasts = self.forecaster.predict(self._live.network, now, nodes)
        self._show(forecasts)
        self._metrics.count("forecasts", forecasts.value.size)
        return replace(block, asked=nodes, forecasts=forecasts)

    def _show(self, forecasts: Forecasts) -> None:
        targets = forecasts.targets()
        for place, node in enumerate(forecasts.nodes):
            horizons = tuple(
                Horizon(seconds, int(target), float(value), float(lower), float(upper))
                for seconds, target, value, lower, upper in zip(
                    forecasts.horizons,
                    targets[place],
                    forecasts.value[place],
                    forecasts.lower[place],
                    forecasts.upper[place],
                    strict=True,
                )
            )
            outlook = Outlook(forecasts.quantity, int(forecasts.origin[place]), forecasts.model, horizons)
            self._live.outlook[node] = outlook


class Decide:
    """Decides for each room that had news, and hands the decisions to the actuators' side."""

    def __init__(
        self,
        live: Live,
        policy: Policy,
        actuate: Actuate,
        forecaster: Forecaster,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._live, self._policy, self._actuate = live, policy, actuate
        self.policy_hash = sha256(repr(policy).encode()).hexdigest()[:16]
        self._forecaster, self._clock, self._metrics = forecaster, clock, metrics
        self._rooms: Rooms | None = None

    def __call__(self, block: Block) -> Block:
        now = self._clock.now()
        if now is None or not block.asked or block.forecasts is None:
            return block
        network = self._live.network
        self._rooms = self._rooms.current(network, now) if self._rooms else Rooms.at(network, now)
        places = [self._rooms.place.get(node) for node in block.asked]
        keys = dict.fromkeys(
            (p.site, p.room) for p in places if p and (p.site, p.room) in self._rooms.actuators
        )
        decisions = tuple(one for key in keys for one in self._attempt(self._rooms, key, now))
        self._metrics.count("decisions", len(decisions))
        self._actuate.take(decisions, self._drafts(block), self._names(), now)
        return replace(block, decisions=decisions)

    def _drafts(self, block: Block) -> list[Draft]:
        rows = forecast_rows(block.forecasts) if block.forecasts else []
        return [Draft("forecast", msgspec.json.encode(rows), self._names())] if rows else []

    def _names(self) -> bytes:
        model, network = self._forecaster.model.id, self._live.network.hash
        return msgspec.json.encode({"model": model, "network": network, "policy": self.policy_hash})

    def _attempt(self, rooms: Rooms, key: tuple[str, str], now: int) -> tuple[Decision, ...]:
        """The room's decisions; none where they fail, so that the other rooms have theirs."""
        try:
            return self._decide(rooms, key, now)
        except Exception:
            log.exception("no decision for a room", site=key[0], room=key[1])
            self._metrics.count("stage_failures", stage="decide")
            return ()

    def _decide(self, rooms: Rooms, key: tuple[str, str], now: int) -> tuple[Decision, ...]:
        site = self._live.network.sites[key[0]]
        room, actuators = site.rooms[key[1]], rooms.actuators[key]
        state = self._state(rooms, site, room, now)
        levels = [(actuator, state.running[actuator.id].level or 0) for actuator in actuators]
        self._forecaster.clean(*key, cleaning(room, levels))
        return decide(state, self._policy, actuators)

    def _state(self, rooms: Rooms, site: Site, room: Room, now: int) -> RoomState:
        moment = datetime.fromtimestamp(now / SECOND, UTC)
        soon = moment + timedelta(seconds=self._policy.lead_s)
        inside = rooms.nodes.get((site.id, room.id), ())
        values = {q: self._measured(inside, q, now) for q in ("pm25", "co2")}
        return RoomState(
            room=room,
            now=now,
            pm25=values["pm25"],
            co2=values["co2"],
            outdoor=self._measured(rooms.nodes.get((site.id, ""), ()), "pm25", now),
            outlook=self._outlook(inside),
            occupied=site.occupied(room.id, moment),
            occupied_soon=site.occupied(room.id, soon),
            running={a.id: self._running(a) for a in rooms.actuators[site.id, room.id]},
            interval_s=max((float(node.batch_s) for node in inside), default=60.0),
        )

    def _running(self, actuator: Actuator) -> Running:
        """What it reports; a level that changed network files have no more counts as never heard."""
        running = self._actuate.running(actuator.id)
        known = running.level is None or running.level < len(actuator.levels)
        return running if known else replace(running, level=None)

    def _measured(self, nodes: tuple[Node, ...], quantity: str, now: int) -> Measured | None:
        found: list[Latest] = [
            latest
            for node in nodes
            if (latest := self._live.latest.get(node.id)) and quantity in latest.values
        ]
        if not found:
            return None
        newest = max(found, key=lambda latest: latest.time)
        value = newest.values[quantity]
        return Measured(value.value, value.flag, (now - newest.time) / SECOND)

    def _outlook(self, nodes: tuple[Node, ...]) -> tuple[Ahead, ...]:
        outlooks = [self._live.outlook[node.id] for node in nodes if node.id in self._live.outlook]
        if not outlooks:
            return ()
        newest = max(outlooks, key=lambda outlook: outlook.issued)
        return tuple(Ahead(h.horizon_s, h.value, h.lower, h.upper) for h in newest.horizons)


def forecast_rows(forecasts: Forecasts) -> list[Mapping[str, object]]:
    """Forecasts as the journal keeps them, a row per node."""
    targets = forecasts.targets()
    return [
        {
            "node": node,
            "quantity": forecasts.quantity,
            "issued": int(forecasts.origin[place]),
            "model": forecasts.model,
            "horizons": [
                {"horizon_s": horizon, "target": int(target), "value": value, "lower": lower, "upper": upper}
                for horizon, target, value, lower, upper in zip(
                    forecasts.horizons,
                    targets[place].tolist(),
                    forecasts.value[place].round(3).tolist(),
                    forecasts.lower[place].round(3).tolist(),
                    forecasts.upper[place].round(3).tolist(),
                    strict=True,
                )
            ],
        }
        for place, node in enumerate(forecasts.nodes)
    ]
