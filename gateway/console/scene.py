"""One look at `Live`: its tables copied once, the network indexed by site, the words of one language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.decision import Decision
from edge.network import Actuator, Network, Node, Placement, Room, Site, in_force
from gateway.live import Acting, Alarm, Known, Latest, Live, Official, Outlook, Override
from gateway.words import Words

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(time: int) -> datetime:
    """A time [ns since 1970, UTC] as a datetime, to the microsecond."""
    return EPOCH + timedelta(microseconds=time // 1000)


@dataclass(frozen=True, slots=True)
class Stand:
    """A node and where it stands now."""

    node: Node
    at: Placement


class Places:
    """Which nodes and actuators ever belonged to a site; made once for each version of the network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._nodes: dict[str, dict[str, Node]] = {}
        self._actuators: dict[str, list[Actuator]] = {}
        for node in network.nodes.values():
            for placement in node.placements:
                self._nodes.setdefault(placement.site, {})[node.id] = node
        for actuator in network.actuators.values():
            self._actuators.setdefault(actuator.site, []).append(actuator)

    def stands(self, site: str, time: int) -> list[Stand]:
        """The nodes that stand in a site at `time` [ns]."""
        nodes = self._nodes.get(site, {}).values()
        places = ((node, in_force(node.placements, time)) for node in nodes)
        return [Stand(node, place) for node, place in places if place and place.site == site]

    def actuators(self, site: str, room: str) -> list[Actuator]:
        """A room's actuators, in the files' order."""
        return [actuator for actuator in self._actuators.get(site, ()) if actuator.room == room]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a reader sees of one moment; `now` [ns UTC]; `stalled`: the gateway's clock stands still."""

    places: Places
    words: Words
    now: int
    stalled: bool
    latest: Mapping[str, Latest]
    outlook: Mapping[str, Outlook]
    acting: Mapping[str, Acting]
    online: Mapping[str, bool]
    alarms: tuple[Alarm, ...]
    quarantine: Mapping[str, int]
    refused: str
    windows: Mapping[tuple[str, str], Decision]
    overrides: Mapping[str, Override]
    balances: Mapping[tuple[str, str], Known]
    official: Mapping[str, Official]

    @classmethod
    def of(cls, live: Live, places: Places, words: Words, stalled: bool) -> "Scene":
        """The scene of this moment; copying a dict is one step for the river's thread."""
        return cls(
            places,
            words,
            live.now,
            stalled,
            dict(live.latest),
            dict(live.outlook),
            dict(live.acting),
            dict(live.online),
            tuple(dict(live.alarms).values()),
            dict(live.quarantine),
            live.refused,
            dict(live.windows),
            dict(live.overrides),
            dict(live.balances),
            live.official,
        )

    @property
    def moment(self) -> datetime:
        """`now` as a datetime."""
        return utc(self.now)

    def name(self, thing: Site | Room) -> str:
        """A site's or room's name in the scene's language."""
        return (thing.ko if self.words.lang == "ko" else thing.en) or thing.id
