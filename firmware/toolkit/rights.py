"""Who may say and hear what on the broker: least rights, by the network files and the register."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.network import Actuator, Network, Node

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
    (their newest register entries) that aren't adopted yet. Actuators of foreign dialects have none here."""
    root = network.root
    found = [Rights(GATEWAY, "gateway", (f"{root}/#",), (f"{root}/#",))]
    for node in network.nodes.values():
        sites = [*(place.site for place in node.placements), *_flashed_for(flashed, node)]
        found.append(_own(root, node.id, "node", sites))
    for actuator in network.actuators.values():
        if actuator.dialect == "gongi":
            sites = [actuator.site, *_flashed_for(flashed, actuator)]
            found.append(_own(root, actuator.id, "actuator", sites, _room(network, actuator, now)))
    known = {GATEWAY, *network.nodes, *network.actuators}
    new = (entry for device, entry in flashed.items() if device not in known)
    found += [_own(root, e["node"], e["kind"], [e["site"]]) for e in new if e["kind"] in WRITES]
    return tuple(found)


def _flashed_for(flashed: Mapping[str, Mapping[str, str]], device: Node | Actuator) -> list[str]:
    """The site in the device's own configuration: its address until it is reconfigured."""
    return [flashed[device.id]["site"]] if device.id in flashed else []


def _room(network: Network, actuator: Actuator, now: int) -> list[str]:
    """What an actuator listens to when no gateway speaks."""
    nodes = network.nodes_in(actuator.site, actuator.room, now)
    base = f"{network.root}/{actuator.site}"
    return [f"{base}/{node.id}/{leaf}" for node in nodes for leaf in ("obs", "forecast")]


def _own(root: str, device: str, kind: str, sites: Iterable[str], room: Iterable[str] = ()) -> Rights:
    """A device's own topics at every site that may be its address, and the gateway's word."""
    bases = [f"{root}/{site}/{device}" for site in dict.fromkeys(sites)]
    write = tuple(f"{base}/{leaf}" for base in bases for leaf in WRITES[kind])
    read = [f"{base}/{leaf}" for base in bases for leaf in READS[kind]]
    word = [f"{root}/time", *([f"{root}/gateway/+/status"] if kind == "actuator" else [])]
    return Rights(device, kind, write, (*read, *word, *room))
