"""What Home Assistant is told of a network: one retained message for each entity, so that nobody types.

Written out component by component (`homeassistant/sensor/…/config`), which every version understands.
Values come from `{root}/{site}/{node}/now`, which the gateway writes: calibrated, newest and believed ones
alone, null where there is none. A node's own batches wouldn't do: a backlog would show the past as present.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from edge.assign import MEASURES
from edge.network import Actuator, Network, Node, Placement, in_force

PREFIX = "homeassistant"
BIRTH = f"{PREFIX}/status"
"""Home Assistant says `online` here when it has started, and wants everything once more."""
ENTITIES = (f"{PREFIX}/sensor/+/+/config", f"{PREFIX}/fan/+/config")
"""The topics on which the gateway announces."""
USER = "home_assistant"
"""Home Assistant's user at the broker; no device's id has an underscore."""
LATE = 3
"""Intervals after which a value is none."""

CLASSES: Mapping[str, tuple[str, str, int]] = {
    "pm1": ("pm1", "µg/m³", 0),
    "pm25": ("pm25", "µg/m³", 0),
    "pm10": ("pm10", "µg/m³", 0),
    "co2": ("carbon_dioxide", "ppm", 0),
    "temp": ("temperature", "°C", 1),
    "rh": ("humidity", "%", 0),
    "pressure": ("atmospheric_pressure", "hPa", 0),
}
"""Quantities that Home Assistant has a class for: its name, its unit, digits shown."""

ON = '{"on":{{ (value == "ON") | lower }},"at":{{ now().timestamp() | int }}}'
LEVEL = '{"level":{{ value }},"at":{{ now().timestamp() | int }}}'
MODE = '{"mode":"{{ value }}","at":{{ now().timestamp() | int }}}'
"""What a person's wish becomes on `{root}/{site}/{actuator}/ask`; `at` lets an old one be refused."""

Config = dict[str, object]


@dataclass(frozen=True, slots=True)
class Around:
    """What stands in every announcement: the gateway's name at the broker, the program's version, how a site
    and a room are called."""

    gateway: str
    version: str
    called: Callable[[str, str], str]


def announcements(
    network: Network, now: int, seen: Mapping[str, Collection[str]], around: Around
) -> dict[str, bytes]:
    """Payloads by topic for the nodes that stand somewhere at `now` [ns] and the actuators of our own
    dialect; `seen`: quantities that a node has sent beside those of its sensors."""
    found: dict[str, Config] = {}
    for node in network.nodes.values():
        if place := in_force(node.placements, now):
            fitted = in_force(node.fitted, now)
            types = [kind for kind, _ in fitted.sensors] if fitted else []
            found.update(_node(network, node, place, types, seen.get(node.id, ()), around))
    for one in network.actuators.values():
        if one.dialect == "gongi":
            found[f"{PREFIX}/fan/gongi-{one.id}/config"] = _fan(network, one, around)
    said = {"origin": {"name": "Gongi", "sw_version": around.version}}
    return {topic: json.dumps({**one, **said}, ensure_ascii=False).encode() for topic, one in found.items()}


def _node(
    network: Network, node: Node, place: Placement, types: list[str], seen: Collection[str], around: Around
) -> Iterator[tuple[str, Config]]:
    base = f"{network.root}/{place.site}/{node.id}"
    device = _device(node.id, place.site, place.room, ", ".join(types) or "monitor", around)
    known = {name for kind in types for name in MEASURES.get(kind, ())} | set(seen)
    for name in (name for name in CLASSES if name in known):
        kind, unit, digits = CLASSES[name]
        yield (
            f"{PREFIX}/sensor/gongi-{node.id}/{name}/config",
            {
                "unique_id": f"gongi-{node.id}-{name}",
                "device_class": kind,
                "state_class": "measurement",
                "unit_of_measurement": unit,
                "suggested_display_precision": digits,
                "state_topic": f"{base}/now",
                "value_template": f"{{{{ value_json.{name} }}}}",
                "json_attributes_topic": f"{base}/now",
                "json_attributes_template": "{{ {'notice': value_json.notice} | tojson }}",
                "expire_after": LATE * max(node.batch_s, node.sample_s),
                **_available(network, base, around),
                "device": device,
            },
        )


def _fan(network: Network, actuator: Actuator, around: Around) -> Config:
    base, top = f"{network.root}/{actuator.site}/{actuator.id}", len(actuator.levels) - 1
    speeds: Config = {
        "percentage_state_topic": f"{base}/state",
        "percentage_value_template": "{{ value_json.level }}",
        "percentage_command_topic": f"{base}/ask",
        "percentage_command_template": LEVEL,
        "speed_range_min": 1,
        "speed_range_max": top,
    }
    return {
        "unique_id": f"gongi-{actuator.id}",
        "name": None,
        "state_topic": f"{base}/state",
        "state_value_template": "{{ 'ON' if value_json.level > 0 else 'OFF' }}",
        "command_topic": f"{base}/ask",
        "command_template": ON,
        **(speeds if top > 1 else {}),
        "preset_modes": ["auto", "hand"],
        "preset_mode_state_topic": f"{base}/now",
        "preset_mode_value_template": "{{ value_json.mode }}",
        "preset_mode_command_topic": f"{base}/ask",
        "preset_mode_command_template": MODE,
        "json_attributes_topic": f"{base}/now",
        **_available(network, base, around),
        "device": _device(actuator.id, actuator.site, actuator.room, actuator.kind, around),
    }


def _available(network: Network, base: str, around: Around) -> Config:
    """There while the device is and the gateway is, which speaks for it and to it."""
    topics = (f"{network.root}/gateway/{around.gateway}/status", f"{base}/status")
    return {"availability": [{"topic": topic} for topic in topics], "availability_mode": "all"}


def _device(id: str, site: str, room: str, model: str, around: Around) -> Config:
    return {
        "identifiers": [f"gongi-{id}"],
        "name": f"{around.called(site, room)} {id}",
        "manufacturer": "Gongi",
        "model": model,
        "suggested_area": around.called(site, room),
    }
