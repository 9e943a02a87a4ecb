"""Nodes and actuators of a scene, as answers."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Literal

from edge import wire
from edge.index.korea import rank
from edge.network import Actuator, Node, Placement, Site
from edge.quantity import QUANTITIES
from edge.readings import SECOND, Flag
from edge.room import Balance
from edge.verdict import Test
from gateway.console import spoken
from gateway.console.answers import (
    ActuatorAnswer,
    ActuatorNow,
    Aside,
    Cell,
    LevelAnswer,
    NodeNow,
    OverrideNow,
    RawValue,
    SitingNow,
    State,
)
from gateway.console.grade import GRADES
from gateway.console.scene import Scene, Stand, utc
from gateway.live import Acting, Latest, Override, Stranger, Value
from gateway.words import N_, TESTS, Words

STALE = 3
"""Intervals after which a value is old."""

DEAD = 10
"""Intervals after which a node is held for dead; an offline status says so at once when it is stale."""

USABLE = (Flag.GOOD, Flag.SUSPECT)

Limits = Mapping[str, tuple[float | None, float | None]]


def interval(node: Node) -> int:
    """Time between a node's batches [s]."""
    return max(node.batch_s, node.sample_s)


def state(node: Node, latest: Latest | None, online: bool | None, now: int) -> State:
    """How alive a node is, by its newest sample first and its status second."""
    if latest is None:
        return "never"
    intervals = (now - latest.time) / SECOND / interval(node)
    if intervals <= STALE:
        return "fresh"
    return "dead" if intervals > DEAD or online is False else "stale"


_SILENT = {
    "stale": N_("Old value: last heard at {time}, {ago}"),
    "dead": N_("No answer since {time}, {ago}"),
}


def _said(state: State, latest: Latest | None, scene: Scene, tz: str) -> str:
    if latest is None:
        return scene.words.gettext("Not heard yet")
    age = spoken.ago((scene.now - latest.time) / SECOND, scene.words)
    if state == "fresh":
        return age
    time = spoken.clock(utc(latest.time), scene.moment, tz, scene.words)
    return scene.words.gettext(_SILENT[state], time=time, ago=age)


def device_name(id: str, site: Site, scene: Scene) -> str:
    """A device of a site as a person finds it: its room, then its id; what isn't there is its id."""
    place = scene.places.network.placed(id, scene.now)
    actuator = scene.places.network.actuators.get(id)
    id_of_room = place.room if place and place.site == site.id else actuator.room if actuator else None
    if id_of_room is None:
        return id
    room = site.rooms.get(id_of_room)
    where = scene.name(room) if room else scene.words.gettext("Outdoors")
    what = spoken.kind(actuator.kind, scene.words) if actuator else scene.words.gettext("monitor")
    return scene.words.gettext("{where}, {what} {id}", where=where, what=what, id=id)


def node_now(stand: Stand, site: Site, limits: Limits, scene: Scene) -> NodeNow:
    """A node with its newest values."""
    node, latest = stand.node, scene.latest.get(stand.node.id)
    online = scene.online.get(node.id)
    alive = state(node, latest, online, scene.now)
    values = latest.values if latest else {}
    day = scene.moment.astimezone(site.zone)
    cells = {
        name: cell(name, value, alive == "fresh", limits, day, scene.words)
        for name, value in values.items()
        if value.flag != Flag.ABSENT
    }
    return NodeNow(
        id=node.id,
        name=device_name(node.id, site, scene),
        site=stand.at.site,
        room=stand.at.room,
        placement=stand.at.placement,
        siting=siting_now(stand.at, scene.words),
        certificate=stand.at.grade or node.grade,
        state=alive,
        online=online,
        time=utc(latest.time) if latest else None,
        age_s=max((scene.now - latest.time) // SECOND, 0) if latest else None,
        interval_s=interval(node),
        said=_said(alive, latest, scene, site.tz),
        cal=latest.cal if latest else "",
        values=cells,
    )


def siting_now(place: Placement, words: Words) -> SitingNow:
    """How a node stands, in figures and in words."""
    return SitingNow(
        kind=place.siting,
        height_m=place.height,
        road_m=place.road_m,
        exhaust_m=place.exhaust_m,
        shelter=place.shelter,
        said=spoken.siting(place, words),
    )


def aside(messages: int, stranger: Stranger | None) -> Aside:
    """What is kept aside of an unknown node, with the values of its newest sample."""
    if stranger is None:
        return Aside(messages=messages, heard=None, values={})
    readings = wire.decode([""], [stranger.topic], [stranger.payload], None).readings
    last = readings.columns.items() if len(readings) else ()
    values = {
        name: raw_value(name, float(column.raw[-1]))
        for name, column in last
        if column.flag[-1] != Flag.ABSENT
    }
    return Aside(messages=messages, heard=utc(stranger.at), values=values)


def raw_value(name: str, raw: float) -> RawValue:
    """A value as its sensor said it, and whether the sensor can mean it."""
    quantity = QUANTITIES[name]
    return RawValue(raw=finite(raw), unit=quantity.unit, plausible=quantity.low <= raw <= quantity.high)


def finite(value: float) -> float | None:
    """The value, or None where there is none."""
    return value if isfinite(value) else None


def cell(name: str, value: Value, fresh: bool, limits: Limits, day: datetime, words: Words) -> Cell:
    """One value, graded and held against its limits."""
    quantity = QUANTITIES.get(name)
    usable = fresh and value.flag in USABLE and isfinite(value.value)
    place = rank(name, value.value, day.date()) if usable else None
    beyond = _beyond(value.value, limits.get(name, (None, None))) if usable else None
    return Cell(
        quantity=name,
        label=spoken.label(name, words),
        unit=quantity.unit if quantity else "",
        raw=finite(value.raw),
        value=finite(value.value),
        u=finite(value.u),
        flag=value.flag,
        why=[] if value.flag == Flag.GOOD else why(value.tests, words),
        usable=usable,
        grade=None if place is None else GRADES[place].id,
        beyond=beyond,
        shown=spoken.number(value.value, quantity.resolution if quantity else 0.1),
        word=_word(place, beyond, value.flag, words),
    )


def why(tests: int, words: Words) -> list[str]:
    """What each test that spoke says, in plain words."""
    names = ((one.name or "").lower() for one in Test(tests))
    return [words.gettext(TESTS[name]) for name in names if name in TESTS]


def _beyond(value: float, limit: tuple[float | None, float | None]) -> Literal["low", "high"] | None:
    low, high = limit
    if high is not None and value > high:
        return "high"
    return "low" if low is not None and value < low else None


_BEYOND = {"high": N_("Above the limit"), "low": N_("Below the limit")}

_FLAGS = {
    Flag.UNKNOWN: N_("not checked yet"),
    Flag.FAIL: N_("not believable: sensor to be checked"),
    Flag.MISSING: N_("no value"),
}


def _word(place: int | None, beyond: str | None, flag: int, words: Words) -> str:
    message = _FLAGS.get(Flag(flag)) or (
        GRADES[place].word if place is not None else _BEYOND.get(beyond or "")
    )
    return words.gettext(message) if message else ""


def actuator_now(actuator: Actuator, site: Site, scene: Scene) -> ActuatorNow:
    """An actuator with its level, why, and whether it confirmed."""
    acting, words = scene.acting.get(actuator.id, Acting()), scene.words
    return ActuatorNow(
        id=actuator.id,
        kind=actuator.kind,
        room=actuator.room,
        label=spoken.kind(actuator.kind, words),
        level=acting.level,
        levels=len(actuator.levels),
        cause=acting.cause,
        filter_h=acting.filter_h,
        online=acting.online,
        told=acting.told,
        told_at=utc(acting.told_at) if acting.told_at else None,
        reason=acting.reason,
        acknowledged=acting.acknowledged,
        level_word=spoken.level(acting.level, len(actuator.levels), words),
        why=_why(acting, len(actuator.levels), words),
        answer_word=_confirmed(acting, scene, site.tz),
        power=acting.power,
        power_at=utc(acting.power_at) if acting.power_at else None,
        override=_override(scene.overrides.get(actuator.id), site, scene),
    )


def actuator_answer(actuator: Actuator, site: Site, scene: Scene) -> ActuatorAnswer:
    """An actuator with what the network files say of it."""
    levels = [LevelAnswer(cadr=one.cadr, flow=one.flow, power=one.power) for one in actuator.levels]
    room = site.rooms[actuator.room]
    known = scene.balances.get((site.id, room.id))
    balance = known.balance if known else Balance.of(room)
    return ActuatorAnswer(
        site=site.id,
        dialect=actuator.dialect,
        volume=room.volume,
        inward=balance.inward,
        loss=balance.loss,
        levels=levels,
        now=actuator_now(actuator, site, scene),
    )


def _override(one: Override | None, site: Site, scene: Scene) -> OverrideNow | None:
    if one is None:
        return None
    words = scene.words
    until = spoken.clock(utc(one.until), scene.moment, site.tz, words)
    message = N_("set by {who} until {time}") if one.who else N_("set by hand until {time}")
    said = words.gettext(message, who=one.who, time=until)
    return OverrideNow(
        level=one.level,
        who=one.who,
        why=one.why,
        since=utc(one.since),
        until=utc(one.until),
        said=f"{said}: {one.why}" if one.why else said,
    )


def _why(acting: Acting, levels: int, words: Words) -> str:
    """Why it has its level; where that isn't the level it was told, what it was told and why."""
    if acting.cause not in ("", "command") or not acting.reason:
        return spoken.cause(acting.cause, words)
    why = spoken.reason(acting.reason, words)
    if acting.told == acting.level:
        return why
    return words.gettext("told: {level}, {why}", level=spoken.level(acting.told, levels, words), why=why)


def _confirmed(acting: Acting, scene: Scene, tz: str) -> str:
    if not acting.online:
        return scene.words.gettext("not connected")
    if acting.told is None:
        return ""
    time = spoken.clock(utc(acting.told_at), scene.moment, tz, scene.words)
    message = N_("confirmed ({time})") if acting.acknowledged else N_("not confirmed yet ({time})")
    return scene.words.gettext(message, time=time)
