"""Who may say and hear what on the broker: least rights, by the network files and the register."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge import discovery
from edge.dialect import DIALECTS, spoken
from edge.network import Actuator, Network, Node, in_force

GATEWAY = "gateway"
WRITES = {
    "node": ("obs", "forecast", "status", "info", "reply"),
    "actuator": ("state", "status", "info", "reply"),
}
READS = {"node": ("status", "cmd"), "actuator": ("status", "cmd", "set")}


@dataclass(frozen=True, slots=True)
class Rights:
    """What one device, or the gateway, may publish and read, as MQTT topic filters."""

    device: str
    kind: str
    write: tuple[str, ...]
    read: tuple[str, ...]


def rights(network: Network, flashed: Mapping[str, Mapping[str, str]], now: int) -> tuple[Rights, ...]:
    """The rights of the gateway, of each node and actuator of the files at `now` [ns], and of flashed devices
    (their newest register entries) that aren't adopted yet. Actuators of foreign dialects have none here; the
    gateway may speak to them."""
    root = network.root
    rooms = _rooms(network, now)
    foreign = [spoken(one) for one in network.actuators.values() if one.dialect in DIALECTS]
    home = network.homeassistant
    announced, born = (discovery.ENTITIES, (discovery.BIRTH,)) if home else ((), ())
    write = (f"{root}/#", *(topic for orders, _ in foreign for topic in orders), *announced)
    read = (f"{root}/#", *(topic for _, words in foreign for topic in words), *born)
    found = [Rights(GATEWAY, "gateway", write, read), *([_home(network)] if home else [])]
    for node in network.nodes.values():
        sites = [*(place.site for place in node.placements), *_flashed_for(flashed, node)]
        found.append(_own(root, node.id, "node", sites))
    for actuator in network.actuators.values():
        if actuator.dialect == "gongi":
            sites = [actuator.site, *_flashed_for(flashed, actuator)]
            found.append(_own(root, actuator.id, "actuator", sites, rooms[actuator.site, actuator.room]))
    known = {GATEWAY, *network.nodes, *network.actuators}
    new = (entry for device, entry in flashed.items() if device not in known)
    found += [_own(root, e["node"], e["kind"], [e["site"]]) for e in new if e["kind"] in WRITES]
    return tuple(found)


def _home(network: Network) -> Rights:
    """Home Assistant's: it sees what is announced and how that is, and may ask; it commands nothing."""
    ours = [one for one in network.actuators.values() if one.dialect == "gongi"]
    asks = (f"{network.root}/{one.site}/{one.id}/ask" for one in ours)
    seen = (f"{network.root}/+/+/{leaf}" for leaf in ("now", "state", "status"))
    return Rights(discovery.USER, "home", (*asks, discovery.BIRTH), (*seen, f"{discovery.PREFIX}/#"))


def _flashed_for(flashed: Mapping[str, Mapping[str, str]], device: Node | Actuator) -> list[str]:
    """The site in the device's own configuration: its address until it is reconfigured."""
    return [flashed[device.id]["site"]] if device.id in flashed else []


def _rooms(network: Network, now: int) -> Mapping[tuple[str, str], list[str]]:
    """What the actuators of each room listen to when no gateway speaks."""
    rooms: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for node in network.nodes.values():
        if place := in_force(node.placements, now):
            base = f"{network.root}/{place.site}/{node.id}"
            rooms[place.site, place.room] += [f"{base}/{leaf}" for leaf in ("obs", "forecast")]
    return rooms


def _own(root: str, device: str, kind: str, sites: Iterable[str], room: Iterable[str] = ()) -> Rights:
    """A device's own topics at every site that may be its address, and the gateway's word."""
    bases = [f"{root}/{site}/{device}" for site in dict.fromkeys(sites)]
    write = tuple(f"{base}/{leaf}" for base in bases for leaf in WRITES[kind])
    read = [f"{base}/{leaf}" for base in bases for leaf in READS[kind]]
    word = [f"{root}/time", *([f"{root}/gateway/+/status"] if kind == "actuator" else [])]
    return Rights(device, kind, write, (*read, *word, *room))
