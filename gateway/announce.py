"""The network at Home Assistant: announced, shown, and taken away again."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from math import isfinite

import msgspec

from edge.discovery import BIRTH, LATE, Around, announcements
from edge.network import Network, Node
from edge.readings import SECOND, Flag
from gateway.journal import Journal
from gateway.live import Acting, Latest, Live, Value
from gateway.notice import statements
from gateway.words import DEFAULT, words

NAME = "homeassistant"
"""The snapshot that holds the topics on which something is announced."""
PACE = 500
"""Retained messages a tick."""
LOOK, AGAIN = 60, 3600
"""Seconds between two looks for what is to be announced, and between two announcements of all: a broker may
have lost what it kept."""
USABLE = (Flag.GOOD, Flag.SUSPECT)

Publish = Callable[[str, bytes, int, bool], bool]
"""Topic, payload, QoS, retain; False where there is no connection."""


class Announce:
    """Keeps Home Assistant told while the network files say `homeassistant = true`."""

    def __init__(self, live: Live, journal: Journal, publish: Publish, gateway: str) -> None:
        self._live, self._journal, self._publish, self._gateway = live, journal, publish, gateway
        self._kept: set[str] | None = None
        self._said: dict[str, bytes] = {}
        self._wanted: dict[str, bytes] = {}
        self._shown: dict[str, object] = {}
        self._network: Network | None = None
        self._births, self._looked, self._all = -1, 0.0, 0.0

    def topics(self) -> tuple[str, ...]:
        """Where a Home Assistant says that it has started."""
        return (BIRTH,) if self._live.network.homeassistant else ()

    def tick(self, now: float) -> None:
        """Announce what is new and show what has changed; `now` [s of the machine]."""
        if self._kept is None:
            _, body = self._journal.snapshot(NAME) or (0, b"[]")
            self._kept = msgspec.json.decode(body, type=set[str])
        if not self._live.now:
            return
        if self._births != self._live.births or now - self._all >= AGAIN:
            self._births, self._all = self._live.births, now
            self._said, self._shown, self._network = {}, {}, None
        if self._network is not self._live.network or now - self._looked >= LOOK:
            self._network, self._looked = self._live.network, now
            self._look(self._network, self._kept)
        self._announce(self._kept)
        if self._live.network.homeassistant:
            self._show()

    def _look(self, network: Network, kept: set[str]) -> None:
        latest = dict(self._live.latest)
        seen = {node: list(one.values) for node, one in latest.items()}
        around = Around(self._gateway, version("gongi"), lambda site, room: called(network, site, room))
        entities = announcements(network, self._live.now, seen, around) if network.homeassistant else {}
        # An empty payload takes away what was announced by us before, in another life too.
        gone = dict.fromkeys(kept - entities.keys(), b"")
        self._wanted = {**entities, **gone}
        if entities.keys() - kept:
            kept.update(entities)
            self._keep(kept)

    def _announce(self, kept: set[str]) -> None:
        news = [topic for topic, payload in self._wanted.items() if self._said.get(topic) != payload]
        for topic in news[:PACE]:
            if not self._publish(topic, self._wanted[topic], 1, True):
                return
            self._said[topic] = self._wanted[topic]
        gone = {topic for topic, payload in self._wanted.items() if not payload}
        if gone and not news:
            kept -= gone
            self._wanted = {topic: one for topic, one in self._wanted.items() if one}
            self._keep(kept)

    def _keep(self, kept: set[str]) -> None:
        self._journal.snap(NAME, 0, msgspec.json.encode(sorted(kept)))

    # -- what is so now ---------------------------------------------------------------------------------

    def _show(self) -> None:
        for topic, mark, said in (*self._values(), *self._modes()):
            if self._shown.get(topic) != mark and self._publish(topic, msgspec.json.encode(said), 0, False):
                self._shown[topic] = mark

    def _values(self) -> Iterator[tuple[str, object, Mapping[str, object]]]:
        """Of each node with a fresh sample that hasn't been shown: believed values, null for others."""
        network, now = self._live.network, self._live.now
        for node in network.nodes.values():
            latest, place = self._live.latest.get(node.id), network.placed(node.id, now)
            if place is None or latest is None or not _fresh(node, latest, now):
                continue
            topic = f"{network.root}/{place.site}/{node.id}/now"
            if self._shown.get(topic) == latest.time:
                continue
            values = {name: _believed(value) for name, value in latest.values.items()}
            law = " ".join(statements([network.grade(node.id, now)], words(DEFAULT)))
            said = {**values, "time": latest.time // SECOND, "notice": law}
            yield topic, latest.time, said

    def _modes(self) -> Iterator[tuple[str, object, Mapping[str, object]]]:
        """Of each actuator of ours: whether the gateway decides or a person, and why."""
        network = self._live.network
        for one in (one for one in network.actuators.values() if one.dialect == "gongi"):
            asked = self._live.overrides.get(one.id)
            acting = self._live.acting.get(one.id, Acting())
            said: dict[str, object] = {"mode": "hand" if asked else "auto", "reason": acting.reason}
            if asked:
                said |= {"who": asked.who, "why": asked.why, "until": asked.until // SECOND}
            yield f"{network.root}/{one.site}/{one.id}/now", said, said


def _fresh(node: Node, latest: Latest, now: int) -> bool:
    return now - latest.time <= LATE * max(node.batch_s, node.sample_s) * SECOND


def _believed(value: Value) -> float | None:
    return round(value.value, 1) if value.flag in USABLE and isfinite(value.value) else None


def called(network: Network, site: str, room: str) -> str:
    """A room, or a site's outdoor air, as a person calls it."""
    here = network.sites[site]
    found = here.rooms.get(room)
    where = found.ko if found else words(DEFAULT).gettext("Outdoors")
    return f"{here.ko} {where}"
