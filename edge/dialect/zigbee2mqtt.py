"""Zigbee2MQTT: JSON on `zigbee2mqtt/NAME`, commands on `…/set`; a plug is a `state`, a purifier a `fan_mode`.

Whether a plug obeys `on_time` depends on its own firmware, so the network files say so: `timer = true`.
"""

import json

from edge.dialect.speech import Device, Dialect, Heard, Said, Unheard, level_of, object_of, watts

BASE = "zigbee2mqtt"
ONLINE = {"online": True, "offline": False}


def topics(device: Device) -> tuple[str, ...]:
    """Its state and its availability."""
    return f"{BASE}/{device.address}", f"{BASE}/{device.address}/availability"


def say(device: Device, level: int, ttl: int) -> tuple[Said, ...]:
    """A level; of a plug with `on_time` where it has that."""
    if device.switch:
        timed = {"on_time": ttl} if level and device.timer else {}
        return (_set(device, {"state": "ON" if level else "OFF", **timed}),)
    if not level:
        return (_set(device, {"fan_state": "OFF"}),)
    return (_set(device, {"fan_mode": device.numbered.words[level]}),)


def ask(device: Device) -> tuple[Said, ...]:
    """Have its state read."""
    key = "state" if device.switch else "fan_mode"
    return (Said(f"{BASE}/{device.address}/get", json.dumps({key: ""}).encode()),)


def hear(device: Device, topic: str, payload: bytes) -> Heard | None:
    """A state with what power it draws, or the availability."""
    if topic.endswith("/availability"):
        word = payload.decode("utf-8", "replace")
        return Heard(online=ONLINE.get(word if word in ONLINE else str(object_of(payload).get("state"))))
    said = object_of(payload)
    found = Heard(_level(device, said), power=watts(said.get("power")))
    return found if found != Heard() else None


def _level(device: Device, said: object) -> int | None:
    assert isinstance(said, dict)
    if device.switch:
        state = said.get("state")
        if state not in ("ON", "OFF", None):
            raise Unheard(f'state is "{state}", neither ON nor OFF')
        return None if state is None else int(state == "ON")
    if said.get("fan_state") == "OFF" or said.get("fan_mode") == "off":
        return 0
    return None if "fan_mode" not in said else level_of(device.numbered, str(said["fan_mode"]))


def _set(device: Device, said: dict[str, object]) -> Said:
    return Said(f"{BASE}/{device.address}/set", json.dumps(said).encode())


ZIGBEE2MQTT = Dialect(
    "zigbee2mqtt", "on_time, where the plug's firmware has it", lambda _: False, topics, say, ask, hear
)
