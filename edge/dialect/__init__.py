"""How actuators that aren't ours are spoken to: one table, one row a dialect."""

from collections.abc import Mapping

from edge.dialect.homeassistant import HOMEASSISTANT
from edge.dialect.speech import Config, Device, Dialect, Heard, Said, Unheard
from edge.dialect.tasmota import TASMOTA
from edge.dialect.zigbee2mqtt import ZIGBEE2MQTT
from edge.network import Actuator

__all__ = ["DIALECTS", "Device", "Dialect", "Heard", "Said", "Unheard", "device", "own_timer", "spoken"]

DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (TASMOTA, ZIGBEE2MQTT, HOMEASSISTANT)}
"""By the name that the network files use; `gongi`, our own, is the wire itself."""


def device(actuator: Actuator, config: Config | None = None) -> Device:
    """An actuator as its dialect sees it, with what it has announced about itself."""
    words = tuple(level.say for level in actuator.levels)
    return Device(actuator.address or actuator.id, words, actuator.timer, config or {})


def spoken(actuator: Actuator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics on which an actuator hears us and on which it speaks, as far as the files tell."""
    dialect, one = DIALECTS[actuator.dialect], device(actuator)
    levels = [said for level in range(len(one.words)) for said in dialect.say(one, level, 1)]
    return tuple(dict.fromkeys(said.topic for said in (*levels, *dialect.ask(one)))), dialect.topics(one)


def own_timer(dialect: str, levels: int) -> bool:
    """Whether a device of so many levels ends a command by a timer of its own, as its dialect knows."""
    return dialect not in DIALECTS or DIALECTS[dialect].timer(levels)
