"""Home Assistant's MQTT discovery: a device announces its own topics, retained, as ESPHome and others do.

The address is the discovery topic without prefix and `/config`: `fan/ID`, `switch/NODE/ID`. Of templates only
the plain `{{ value }}` and `{{ value_json.key }}` are understood; another one is refused with its text.
"""

import re

from edge.dialect.speech import Config, Device, Dialect, Heard, Said, Unheard, level_of, object_of, text_of

PREFIX = "homeassistant"
SHORT = {
    "cmd_t": "command_topic",
    "stat_t": "state_topic",
    "pct_cmd_t": "percentage_command_topic",
    "pct_stat_t": "percentage_state_topic",
    "avty_t": "availability_topic",
    "avty": "availability",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "stat_val_tpl": "state_value_template",
    "val_tpl": "value_template",
    "pct_val_tpl": "percentage_value_template",
    "spd_rng_min": "speed_range_min",
    "spd_rng_max": "speed_range_max",
    "t": "topic",
}
TEMPLATE = re.compile(r"\{\{\s*value(?:_json\.([A-Za-z0-9_]+))?\s*\}\}")
TOLD = ("state_topic", "percentage_state_topic", "availability_topic")


def discovery(device: Device) -> str:
    """The topic on which the device announces itself."""
    return f"{PREFIX}/{device.address}/config"


def topics(device: Device) -> tuple[str, ...]:
    """Its discovery, and what that names."""
    named = dict.fromkeys(str(device.config[key]) for key in TOLD if key in device.config)
    return discovery(device), *named


def say(device: Device, level: int, ttl: int) -> tuple[Said, ...]:
    """A level; nothing before the device has announced itself."""
    config = device.config
    if "command_topic" not in config:
        return ()
    power = str(config.get("payload_on", "ON") if level else config.get("payload_off", "OFF"))
    switched = Said(str(config["command_topic"]), power.encode())
    if not level or device.switch or "percentage_command_topic" not in config:
        return (switched,)
    speed = Said(str(config["percentage_command_topic"]), _speeds(device)[level].encode())
    return switched, speed


def ask(device: Device) -> tuple[Said, ...]:
    """Its state is retained; nothing asks for it."""
    return ()


def hear(device: Device, topic: str, payload: bytes) -> Heard | None:
    """Its discovery, or a message on one of the topics that it names."""
    if topic == discovery(device):
        return Heard(config=announced(payload) if payload else {})
    key = next((key for key in TOLD if device.config.get(key) == topic), None)
    return None if key is None else _HEARD[key](device, payload)


def announced(payload: bytes) -> Config:
    """A discovery message with its names written out; raises `Unheard` for templates beyond us."""
    said = {SHORT.get(str(key), str(key)): value for key, value in object_of(payload).items()}
    listed = said.pop("availability", None)
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        said |= {SHORT.get(str(key), str(key)): value for key, value in listed[0].items()}
        said["availability_topic"] = said.pop("topic", "")
    base = said.get("~")
    if isinstance(base, str):
        said = {
            key: value.replace("~", base) if isinstance(value, str) else value for key, value in said.items()
        }
    for key, value in said.items():
        if key.endswith("template") and not TEMPLATE.fullmatch(str(value).strip()):
            raise Unheard(f"{key} is beyond us: {str(value)[:60]}")
    return said


def _state(device: Device, payload: bytes) -> Heard | None:
    word = _plain(device, payload, "state_value_template", "value_template")
    if word == str(device.config.get("payload_off", "OFF")):
        return Heard(0)
    if word != str(device.config.get("payload_on", "ON")):
        raise Unheard(f'its state is "{word[:40]}"')
    return Heard(1) if device.switch else None  # a fan's speed says more


def _speed(device: Device, payload: bytes) -> Heard | None:
    word = _plain(device, payload, "percentage_value_template")
    return Heard(0) if word == "0" else Heard(level_of(Device("", _speeds(device)), word))


def _online(device: Device, payload: bytes) -> Heard:
    word = text_of(payload)
    known = {
        str(device.config.get("payload_available", "online")): True,
        str(device.config.get("payload_not_available", "offline")): False,
    }
    return Heard(online=known.get(word))


def _plain(device: Device, payload: bytes, *templates: str) -> str:
    template = next((str(device.config[name]) for name in templates if name in device.config), "{{ value }}")
    found = TEMPLATE.fullmatch(template.strip())
    key = found.group(1) if found else None
    return text_of(payload) if key is None else str(object_of(payload).get(key))


def _speeds(device: Device) -> tuple[str, ...]:
    """What each level is called: its own word, or its share of the device's range of speeds."""
    low, high = (
        int(device.config.get(f"speed_range_{end}", default)) for end, default in (("min", 1), ("max", 100))
    )
    steps = len(device.words) - 1
    own = (str(low - 1 + -(-level * (high - low + 1) // steps)) for level in range(1, steps + 1))
    return device.words[0], *(word or speed for word, speed in zip(device.words[1:], own, strict=True))


_HEARD = {"state_topic": _state, "percentage_state_topic": _speed, "availability_topic": _online}
HOMEASSISTANT = Dialect("homeassistant", "none", lambda _: False, topics, say, ask, hear)
