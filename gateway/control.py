"""The stages that look ahead and decide: after the commit, for nodes whose newest sample is fresh."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import structlog

from edge.decision import Ahead, Decision, Measured, Policy, RoomState
from edge.forecast import Forecaster, Forecasts
from edge.network import Actuator, Node, Room, Site, Timetable
from edge.pace import Running
from edge.policy import Answer, decide_all
from edge.readings import SECOND
from edge.room import cleaning, degrees
from gateway.actuate import Actuate
from gateway.block import Draft
from gateway.clock import Clock
from gateway.live import Horizon, Latest, Live, Outlook
from gateway.metrics import Metrics
from gateway.present import Present, Rooms
from gateway.river import Block

log = structlog.get_logger()

Key = tuple[str, str]
"""A room: its site and its id."""
Case = tuple[RoomState, tuple[Actuator, ...]]

LONGEST = 60
"""Seconds without news after which a room is decided for all the same: what is stale must be said."""
SWEEP = 10
"""Seconds between two looks for such rooms."""
PACE = 0.5
"""Seconds between two looks ahead: at more blocks a second, several share one."""


@dataclass(frozen=True, slots=True)
class Local:
    """A site's local time in one minute: weekday and minute of the day, whether it is a school day, and
    what a kWh costs."""

    site: Site
    minute: int
    weekday: int
    clock: int
    school: bool
    price: float

    @classmethod
    def at(cls, site: Site, minute: int) -> "Local":
        """The local time at a minute since 1970, UTC."""
        moment = datetime.fromtimestamp(minute * 60, UTC).astimezone(site.zone)
        clock, school = moment.hour * 60 + moment.minute, site.school_day(moment.date())
        return cls(site, minute, moment.weekday(), clock, school, site.price(moment))

    def within(self, hours: Timetable) -> bool:
        """Whether it is within these hours."""
        return hours.occupied(self.weekday, self.clock)

    def until(self, lessons: Timetable, most: int) -> int | None:
        """Seconds until people come by the timetable, 0 while they are in; None beyond `most` [s]. Midnight
        ends a day's timetable."""
        if not self.school:
            return None
        if self.within(lessons):
            return 0
        waits = [60 * (first - self.clock) for day, first, _ in lessons.weekly if day == self.weekday]
        return min((wait for wait in waits if 0 < wait <= most), default=None)


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
        self._decided: dict[Key, int] = {}
        self._swept = 0
        self._times: dict[str, Local] = {}

    def __call__(self, block: Block) -> Block:
        now = self._clock.now()
        if now is None:
            return block
        network = self._live.network
        rooms = self._rooms = self._rooms.current(network, now) if self._rooms else Rooms.at(network, now)
        keys = self._asked(rooms, block, now)
        if not keys and block.forecasts is None:
            return block
        decisions = self._attempt(rooms, keys, now) if keys else ()
        self._metrics.count("decisions", len(decisions))
        self._actuate.take(decisions, self._drafts(block), self._names(), now)
        return replace(block, decisions=decisions)

    def _asked(self, rooms: Rooms, block: Block, now: int) -> list[Key]:
        """The rooms with actuators that had news, and those for which nothing was decided for long; where a
        site limits its power, all its rooms at once."""
        news = block.asked if block.forecasts is not None else ()
        places = (rooms.place.get(node) for node in news)
        asked = {(p.site, p.room) for p in places if p and (p.site, p.room) in rooms.actuators}
        if abs(now - self._swept) >= SWEEP * SECOND:
            self._swept = now
            last = now - LONGEST * SECOND
            asked |= {key for key in rooms.actuators if not last < self._decided.setdefault(key, now) <= now}
        limited = {site for site, _ in asked if self._live.network.sites[site].energy.most_w is not None}
        if limited:
            asked |= {key for key in rooms.actuators if key[0] in limited}
        return sorted(asked)

    def _drafts(self, block: Block) -> list[Draft]:
        rows = forecast_rows(block.forecasts) if block.forecasts else []
        return [Draft("forecast", msgspec.json.encode(rows), self._names())] if rows else []

    def _names(self) -> bytes:
        model, network = self._forecaster.model.id, self._live.network.hash
        said = {"model": model, "network": network, "policy": self.policy_hash, "rooms": self._live.rooms}
        return msgspec.json.encode({name: digest for name, digest in said.items() if digest})

    def _attempt(self, rooms: Rooms, keys: Sequence[Key], now: int) -> tuple[Decision, ...]:
        """All rooms' decisions in one go; where that fails, room by room, so that the others have theirs."""
        try:
            return self._decide(rooms, keys, now)
        except Exception:
            if len(keys) == 1:
                log.exception("no decision for a room", site=keys[0][0], room=keys[0][1])
                self._metrics.count("stage_failures", stage="decide")
                return ()
        return tuple(one for key in keys for one in self._attempt(rooms, [key], now))

    def _decide(self, rooms: Rooms, keys: Sequence[Key], now: int) -> tuple[Decision, ...]:
        cases = {key: self._case(rooms, key, now) for key in keys}
        free = [key for key in keys if self._live.network.sites[key[0]].energy.most_w is None]
        answers = dict(zip(free, decide_all([cases[key] for key in free], self._policy), strict=True))
        answers |= self._shared(rooms, {key: cases[key] for key in keys if key not in answers})
        for key in keys:
            self._decided[key] = now
            self._advise(key, answers[key].windows)
        return tuple(one for key in keys for one in answers[key].decisions)

    def _shared(self, rooms: Rooms, cases: Mapping[Key, Case]) -> dict[Key, Answer]:
        """The answers of rooms whose sites limit the power of all: the worst room is asked first."""
        answers: dict[Key, Answer] = {}
        drawn = {key: self._watts(rooms, key) for key in rooms.actuators}
        for key in sorted(cases, key=lambda one: -_dust(cases[one][0])):
            state, actuators = cases[key]
            others = sum(watts for other, watts in drawn.items() if other[0] == key[0] and other != key)
            most = self._live.network.sites[key[0]].energy.most_w or 0.0
            asked = replace(state, budget_w=most - others)
            answers[key] = decide_all([(asked, actuators)], self._policy)[0]
            drawn[key] = self._watts(rooms, key, answers[key].decisions)
        return answers

    def _watts(self, rooms: Rooms, key: Key, decisions: Sequence[Decision] = ()) -> float:
        """What a room's actuators draw [W] at the levels decided, else at those that they report."""
        decided = {one.actuator: one.level for one in decisions if one.level is not None}
        now = {one.id: self._running(one).level or 0 for one in rooms.actuators[key]}
        return sum(one.levels[(now | decided)[one.id]].power for one in rooms.actuators[key])

    def _advise(self, key: Key, windows: Decision | None) -> None:
        if windows is None:
            self._live.windows.pop(key, None)
        else:
            self._live.windows[key] = windows

    def _case(self, rooms: Rooms, key: Key, now: int) -> Case:
        site = self._live.network.sites[key[0]]
        room, actuators = site.rooms[key[1]], rooms.actuators[key]
        state = self._state(rooms, site, room, now)
        levels = [(actuator, state.running[actuator.id].level or 0) for actuator in actuators]
        self._forecaster.clean(*key, cleaning(room, levels))
        return state, actuators

    def _state(self, rooms: Rooms, site: Site, room: Room, now: int) -> RoomState:
        inside, outside = rooms.nodes.get((site.id, room.id), ()), rooms.nodes.get((site.id, ""), ())
        values = {q: self._measured(inside, q, now) for q in (room.dust, "co2", "temp")}
        outdoor, cold = self._measured(outside, room.dust, now), self._measured(outside, "temp", now)
        warm = values["temp"]
        known = self._live.balances.get((site.id, room.id))
        lead = known.lead_s if known else self._policy.lead_s
        local = self._local(site, now)
        arrival = local.until(room.timetable, lead)
        return RoomState(
            room=room,
            now=now,
            pm25=values[room.dust],
            co2=values["co2"],
            outdoor=outdoor,
            outlook=self._outlook(inside, room.dust),
            outdoor_outlook=self._outlook(outside, room.dust),
            occupied=arrival == 0,
            occupied_soon=arrival is not None,
            arrive_s=float(arrival or 0),
            running={a.id: self._running(a) for a in rooms.actuators[site.id, room.id]},
            interval_s=max((float(node.batch_s) for node in inside), default=60.0),
            balance=known.balance if known else None,
            lead_s=lead,
            quiet=local.within(room.quiet),
            price=local.price,
            heat=degrees(warm.value, cold.value) if warm and cold else 0.0,
        )

    def _local(self, site: Site, now: int) -> "Local":
        """The site's local time, worked out once a minute."""
        minute = now // (60 * SECOND)
        known = self._times.get(site.id)
        if known is None or known.minute != minute or known.site is not site:
            known = self._times[site.id] = Local.at(site, minute)
        return known

    def _running(self, actuator: Actuator) -> Running:
        """What it reports; a level that changed network files have no more counts as never heard."""
        running = self._actuate.expected(actuator.id)
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
        return Measured(value.value, value.flag, (now - newest.time) / SECOND, value.u)

    def _outlook(self, nodes: tuple[Node, ...], quantity: str) -> tuple[Ahead, ...]:
        known = (self._live.outlook[node.id] for node in nodes if node.id in self._live.outlook)
        outlooks = [outlook for outlook in known if outlook.quantity == quantity]
        if not outlooks:
            return ()
        newest = max(outlooks, key=lambda outlook: outlook.issued)
        return tuple(Ahead(h.horizon_s, h.value, h.lower, h.upper) for h in newest.horizons)


def _dust(state: RoomState) -> float:
    return state.pm25.value if state.pm25 and math.isfinite(state.pm25.value) else 0.0


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
