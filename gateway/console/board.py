"""Sites and their rooms as answers, from `Live`."""

from collections.abc import Iterable
from time import perf_counter

from edge.index.school import limits
from edge.network import Network, Site
from edge.readings import SECOND
from gateway.console import spoken
from gateway.console.advice import RANKS, advise
from gateway.console.answers import (
    ActuatorAnswer,
    Actuators,
    AlarmNow,
    NewNode,
    NodeAnswer,
    Notice,
    SiteLine,
    SiteNow,
    Sites,
)
from gateway.console.device import actuator_answer, aside, device_name, node_now
from gateway.console.official import official_now
from gateway.console.pulse import Pulse
from gateway.console.room import room_now, worst_first
from gateway.console.scene import Places, Scene, Stand, utc
from gateway.live import Alarm, Live
from gateway.notice import statements
from gateway.words import Words, alarm_text


class Missing(Exception):
    """There is no such `kind` (site, node, quantity, page) with that id; `known` names some that exist."""

    def __init__(self, kind: str, id: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"no {kind} {id!r}")
        self.kind, self.id, self.known = kind, id, known


def notice(grades: Iterable[str], words: Words) -> Notice:
    """The three statements that the law wants beside data of nodes with these grades."""
    instrument, grade, network = statements(grades, words)
    return Notice(instrument=instrument, grade=grade, network=network)


SHARED = 20
"""A list of all sites is made anew after so many times what it took: a twentieth of a core at most."""
MOST_STRANGERS = 50
"""New monitors that a page lists by name: anybody can invent more."""


class Board:
    """Answers questions on the present; any number of threads may ask."""

    def __init__(self, live: Live, pulse: Pulse) -> None:
        self.live = live
        self.pulse = pulse
        self._places = Places(live.network)
        self._lists: dict[str, tuple[float, Sites]] = {}

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
        """Every site in one line, worst first; readers share an answer for `SHARED` times what it cost."""
        kept = self._lists.get(words.lang)
        if kept and perf_counter() < kept[0]:
            return kept[1]
        begun = perf_counter()
        answer = sites_now(self.network, self.scene(words))
        done = perf_counter()
        self._lists[words.lang] = (done + SHARED * (done - begun), answer)
        return answer

    def site(self, id: str, words: Words) -> SiteNow:
        """One site. Raises `Missing`."""
        return site_now(self._known(id), self.scene(words))

    def node(self, id: str, words: Words) -> NodeAnswer:
        """One node, with what it carries. Raises `Missing`."""
        scene, node = self.scene(words), self.network.nodes.get(id)
        place = self.network.placed(id, scene.now)
        if node is None and id in scene.quarantine:
            return self._stranger(id, scene)
        if node is None or place is None:
            raise Missing("node", id, tuple(self.network.nodes))
        site = self.network.sites[place.site]
        fitted = [entry for entry in node.fitted if entry.since <= scene.now]
        return NodeAnswer(
            node=node_now(Stand(node, place), site, limits(site.rooms.get(place.room)), scene),
            sensors=list(fitted[-1].sensors) if fitted else [],
            info=dict(self.live.info.get(id, {})),
            certificate=self.network.grade(id, scene.now),
            notice=notice([self.network.grade(id, scene.now)], words),
        )

    def actuators(self, words: Words) -> Actuators:
        """All actuators, in the files' order."""
        scene, network = self.scene(words), self.network
        found = [actuator_answer(one, network.sites[one.site], scene) for one in network.actuators.values()]
        return Actuators(actuators=found)

    def actuator(self, id: str, words: Words) -> ActuatorAnswer:
        """One actuator. Raises `Missing`."""
        scene, network = self.scene(words), self.network
        one = network.actuators.get(id)
        if one is None:
            raise Missing("actuator", id, tuple(network.actuators))
        return actuator_answer(one, network.sites[one.site], scene)

    def _stranger(self, id: str, scene: Scene) -> NodeAnswer:
        """A node that no network file names yet."""
        found = aside(scene.quarantine[id], self.live.strangers.get(id))
        info, said = dict(self.live.info.get(id, {})), notice((), scene.words)
        return NodeAnswer(node=None, aside=found, sensors=[], info=info, certificate="", notice=said)

    def _known(self, id: str) -> Site:
        if id not in self.network.sites:
            raise Missing("site", id, tuple(self.network.sites))
        return self.network.sites[id]


def sites_now(network: Network, scene: Scene) -> Sites:
    """All sites, worst first."""
    lines = [_line(site, scene) for site in network.sites.values()]
    lines.sort(key=lambda line: (-_rank(line), -line.alarms - line.silent, line.name))
    tz = next((site.tz for site in network.sites.values()), "Asia/Seoul")
    return Sites(
        now=scene.moment,
        tz=tz,
        clock=spoken.clock(scene.moment, scene.moment, tz, scene.words),
        stalled=scene.stalled,
        sites=lines,
        notice=notice((network.grade(node, scene.now) for node in network.nodes), scene.words),
    )


def site_now(site: Site, scene: Scene) -> SiteNow:
    """A site: rooms worst first, outdoor air, alarms, what is silent, the advice."""
    stands = scene.places.stands(site.id, scene.now)
    rooms = sorted((room_now(room, site, stands, scene) for room in site.rooms.values()), key=worst_first)
    outside = room_now(None, site, stands, scene)
    outdoor = outside if outside.nodes else None
    alarms = [alarm for alarm in scene.alarms if _concerns(alarm, site, scene)]
    told = {alarm.about for alarm in alarms}
    everywhere = [node for room in (*rooms, outside) for node in room.nodes]
    strangers = sorted(scene.quarantine.items())
    return SiteNow(
        id=site.id,
        name=scene.name(site),
        tz=site.tz,
        now=scene.moment,
        clock=spoken.clock(scene.moment, scene.moment, site.tz, scene.words),
        stalled=scene.stalled,
        advice=advise(rooms, outdoor, scene.words),
        outdoor=outdoor,
        official=official_now(site, stands, scene),
        rooms=rooms,
        alarms=[_alarm(alarm, site, scene) for alarm in alarms],
        silent=[node for node in everywhere if node.id not in told and node.state != "fresh"],
        new_nodes=[_new(id, number, scene.words) for id, number in strangers[:MOST_STRANGERS]],
        more_new_nodes=max(0, len(strangers) - MOST_STRANGERS),
        refused=scene.refused,
        notice=notice((stand.at.grade or stand.node.grade for stand in stands), scene.words),
    )


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
