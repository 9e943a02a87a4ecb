"""Sites and their rooms as answers, from `Live`."""

from collections.abc import Iterable, Mapping

from edge.network import Network, Node, Room, Site
from edge.quantity import QUANTITIES
from edge.readings import SECOND
from gateway.console import spoken
from gateway.console.advice import RANKS, advise
from gateway.console.answers import (
    AlarmNow,
    Cell,
    GradeId,
    NewNode,
    NodeAnswer,
    NodeNow,
    Notice,
    OutlookNow,
    RoomNow,
    SiteLine,
    SiteNow,
    Sites,
    State,
    Step,
)
from gateway.console.device import actuator_now, device_name, node_now
from gateway.console.grade import GRADES, limits
from gateway.console.pulse import Pulse
from gateway.console.scene import Places, Scene, Stand, utc
from gateway.live import Alarm, Live, Outlook
from gateway.words import N_, Words, alarm_text

STATES: tuple[State, ...] = ("fresh", "stale", "dead", "never")
"""Best first: a room is as alive as its liveliest node."""


class Missing(Exception):
    """There is no such `kind` (site, node, quantity, page) with that id; `known` names some that exist."""

    def __init__(self, kind: str, id: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"no {kind} {id!r}")
        self.kind, self.id, self.known = kind, id, known


def notice(nodes: Iterable[Node], words: Words) -> Notice:
    """The three statements that the law wants beside these nodes' data."""
    grades = sorted({node.grade for node in nodes if node.grade})
    certified = words.gettext(
        "Certification grade: {grade}", grade=", ".join(spoken.certificate(g, words) for g in grades)
    )
    return Notice(
        instrument=words.gettext("Measured by a simple monitor (간이측정기)."),
        grade=certified if grades else words.gettext("Certification grade: none (not certified)"),
        network=words.gettext("Not data of the national air quality network."),
    )


class Board:
    """Answers questions on the present; any number of threads may ask."""

    def __init__(self, live: Live, pulse: Pulse) -> None:
        self.live = live
        self.pulse = pulse
        self._places = Places(live.network)

    @property
    def network(self) -> Network:
        """The network files in force."""
        return self.live.network

    def scene(self, words: Words) -> Scene:
        """This moment; the index is made anew when the network files changed."""
        if self._places.network is not self.live.network:
            self._places = Places(self.live.network)
        return Scene.of(self.live, self._places, words, self.pulse.stalled)

    def sites(self, words: Words) -> Sites:
        """Every site in one line, worst first."""
        scene = self.scene(words)
        lines = [_line(site, scene) for site in self.network.sites.values()]
        lines.sort(key=lambda line: (-_rank(line), -line.alarms - line.silent, line.name))
        tz = next((site.tz for site in self.network.sites.values()), "Asia/Seoul")
        clock = spoken.clock(scene.moment, scene.moment, tz, words)
        law = notice(self.network.nodes.values(), words)
        return Sites(now=scene.moment, tz=tz, clock=clock, stalled=scene.stalled, sites=lines, notice=law)

    def site(self, id: str, words: Words) -> SiteNow:
        """One site. Raises `Missing`."""
        return site_now(self._known(id), self.scene(words))

    def node(self, id: str, words: Words) -> NodeAnswer:
        """One node, with what it carries. Raises `Missing`."""
        scene, node = self.scene(words), self.network.nodes.get(id)
        place = self.network.placed(id, scene.now)
        if node is None or place is None:
            raise Missing("node", id, tuple(self.network.nodes))
        site = self.network.sites[place.site]
        fitted = [entry for entry in node.fitted if entry.since <= scene.now]
        return NodeAnswer(
            node=node_now(Stand(node, place), site, limits(site.rooms.get(place.room)), scene),
            sensors=list(fitted[-1].sensors) if fitted else [],
            info=dict(self.live.info.get(id, {})),
            certificate=node.grade,
            notice=notice([node], words),
        )

    def _known(self, id: str) -> Site:
        if id not in self.network.sites:
            raise Missing("site", id, tuple(self.network.sites))
        return self.network.sites[id]


def site_now(site: Site, scene: Scene) -> SiteNow:
    """A site: rooms worst first, outdoor air, alarms, what is silent, the advice."""
    stands = scene.places.stands(site.id, scene.now)
    rooms = sorted((room_now(room, site, stands, scene) for room in site.rooms.values()), key=_order)
    outside = room_now(None, site, stands, scene)
    outdoor = outside if outside.nodes else None
    alarms = [alarm for alarm in scene.alarms if _concerns(alarm, site, scene)]
    told = {alarm.about for alarm in alarms}
    everywhere = [node for room in (*rooms, outside) for node in room.nodes]
    return SiteNow(
        id=site.id,
        name=scene.name(site),
        tz=site.tz,
        now=scene.moment,
        clock=spoken.clock(scene.moment, scene.moment, site.tz, scene.words),
        stalled=scene.stalled,
        advice=advise(rooms, outdoor, scene.words),
        outdoor=outdoor,
        rooms=rooms,
        alarms=[_alarm(alarm, site, scene) for alarm in alarms],
        silent=[node for node in everywhere if node.id not in told and node.state != "fresh"],
        new_nodes=[_new(id, number, scene.words) for id, number in sorted(scene.quarantine.items())],
        refused=scene.refused,
        notice=notice((stand.node for stand in stands), scene.words),
    )


def room_now(room: Room | None, site: Site, stands: Iterable[Stand], scene: Scene) -> RoomNow:
    """A room, or the outdoor air for None."""
    id, bounds = room.id if room else "", limits(room)
    nodes = [node_now(stand, site, bounds, scene) for stand in stands if stand.at.room == id]
    values, speaker = _speaking(nodes)
    grade = max((cell.grade for cell in values.values() if cell.grade), key=RANKS.__getitem__, default=None)
    alive: State = min((node.state for node in nodes), key=STATES.index, default="never")
    return RoomNow(
        id=id,
        name=scene.name(room) if room else scene.words.gettext("Outdoors"),
        state=alive,
        grade=grade,
        word=_word(grade, alive, nodes, scene.words),
        said=next((n.said for n in nodes if n.id == speaker), scene.words.gettext("No monitor in this room")),
        node=speaker,
        values=values,
        limits=bounds,
        outlook=_outlook(nodes, speaker, scene),
        actuators=[actuator_now(a, site, scene) for a in scene.places.actuators(site.id, id)] if room else [],
        nodes=nodes,
    )


def _speaking(nodes: list[NodeNow]) -> tuple[dict[str, Cell], str]:
    """The cells that speak for a room, and the node whose particles do: usable before unusable, then high
    before low, then the newest; every quantity for itself."""
    chosen: dict[str, tuple[Cell, NodeNow]] = {}
    for node in nodes:
        for name, cell in node.values.items():
            if name not in chosen or _weight(cell, node) > _weight(*chosen[name]):
                chosen[name] = (cell, node)
    first = next((name for name in ("pm25", "pm10", *chosen) if name in chosen), None)
    speaker = chosen[first][1].id if first else (nodes[0].id if nodes else "")
    return {name: cell for name, (cell, _) in chosen.items()}, speaker


def _weight(cell: Cell, node: NodeNow) -> tuple[bool, float]:
    value = cell.value if cell.value is not None else float("-inf")
    return cell.usable, value if cell.usable else -float(node.age_s or 0)


_SILENT: Mapping[State, str] = {
    "stale": N_("Old value"),
    "dead": N_("No answer"),
    "never": N_("Not heard yet"),
    "fresh": N_("No grade"),
}


def _word(grade: GradeId | None, alive: State, nodes: list[NodeNow], words: Words) -> str:
    if grade:
        return words.gettext(GRADES[RANKS[grade]].word)
    return words.gettext(_SILENT[alive] if nodes else N_("No monitor"))


def _outlook(nodes: list[NodeNow], speaker: str, scene: Scene) -> OutlookNow | None:
    """The speaking node's outlook before any other's; what is past or comes from a silent node is none."""
    for node in sorted(nodes, key=lambda node: node.id != speaker):
        found = scene.outlook.get(node.id)
        if found and node.state == "fresh" and (steps := _steps(found, scene.now)):
            return _foretold(node.id, found, steps, scene.words)
    return None


def _steps(outlook: Outlook, now: int) -> list[Step]:
    ahead = sorted((h for h in outlook.horizons if h.target > now), key=lambda h: h.target)
    return [
        Step(horizon_s=h.horizon_s, target=utc(h.target), value=h.value, lower=h.lower, upper=h.upper)
        for h in ahead
    ]


def _foretold(node: str, outlook: Outlook, steps: list[Step], words: Words) -> OutlookNow:
    quantity = QUANTITIES[outlook.quantity]
    step = min(steps, key=lambda step: abs(step.horizon_s - 1800))
    said = words.gettext(
        "In {minutes} min: {value} {unit} (90 %: {lower} to {upper})",
        minutes=round(step.horizon_s / 60),
        value=round(step.value),
        unit=quantity.unit,
        lower=round(step.lower),
        upper=round(step.upper),
    )
    return OutlookNow(
        node=node,
        quantity=quantity.name,
        unit=quantity.unit,
        issued=utc(outlook.issued),
        model=outlook.model,
        steps=steps,
        said=said,
    )


def _order(room: RoomNow) -> tuple[int, float, str]:
    cell = room.values.get("pm25") or room.values.get("pm10")
    rank = RANKS[room.grade] if room.grade else -1
    return -rank, -(cell.value or 0.0) if cell and cell.usable else 0.0, room.name


def _when(since: int, site: Site, scene: Scene) -> str:
    time = spoken.clock(utc(since), scene.moment, site.tz, scene.words)
    age = spoken.ago((scene.now - since) / SECOND, scene.words)
    return scene.words.gettext("since {time}, {ago}", time=time, ago=age)


def _concerns(alarm: Alarm, site: Site, scene: Scene) -> bool:
    """A refused file is told by itself, with its reason."""
    told = alarm.kind == "network-refused" and scene.refused
    return alarm.site in (site.id, "") and not told


def _alarm(alarm: Alarm, site: Site, scene: Scene) -> AlarmNow:
    text = alarm_text(scene.words, alarm.kind, device_name(alarm.about, site, scene), alarm.details)
    when = _when(alarm.since, site, scene)
    return AlarmNow(kind=alarm.kind, about=alarm.about, since=utc(alarm.since), text=text, when=when)


def _new(id: str, messages: int, words: Words) -> NewNode:
    said = words.ngettext("{n} message kept aside", "{n} messages kept aside", messages)
    return NewNode(id=id, messages=messages, said=said)


def _rank(line: SiteLine) -> int:
    return RANKS[line.grade] if line.grade else -1


def _line(site: Site, scene: Scene) -> SiteLine:
    now = site_now(site, scene)
    worst = next((room for room in now.rooms if room.grade), None)
    cell = worst.values.get("pm25") or worst.values.get("pm10") if worst else None
    return SiteLine(
        id=site.id,
        name=now.name,
        grade=worst.grade if worst else None,
        word=worst.word if worst else scene.words.gettext("No value"),
        worst=worst.name if worst else "",
        shown=f"{cell.shown} {cell.unit}" if cell else "",
        silent=len(now.silent),
        alarms=len(now.alarms),
        lat=site.lat,
        lon=site.lon,
    )
