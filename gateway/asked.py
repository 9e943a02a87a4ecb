"""What a home automation asks on the broker becomes a person's override."""

import structlog

from edge.network import Actuator
from edge.readings import SECOND
from edge.report import Ask
from gateway.live import Acting, Live
from gateway.metrics import Metrics
from gateway.override import Overrides

log = structlog.get_logger()

OLDEST = 120
"""Seconds after which an asking is void: a broker may have kept it."""


class Asked:
    """Takes asks in where the network files name Home Assistant; each is counted with its answer."""

    def __init__(self, live: Live, overrides: Overrides, metrics: Metrics) -> None:
        self._live, self._overrides, self._metrics = live, overrides, metrics

    def __call__(self, device: str, ask: Ask, at: int) -> None:
        """Take one in at [ns UTC]."""
        answer = self._answer(device, ask, at)
        self._metrics.count("asks", answer=answer)
        log.info("asked", actuator=device, answer=answer)

    def _answer(self, device: str, ask: Ask, at: int) -> str:
        actuator = self._live.network.actuators.get(device)
        if not self._live.network.homeassistant or actuator is None:
            return "unknown"
        if abs(at // SECOND - ask.at) > OLDEST:
            return "old"
        if ask.mode == "auto":
            self._overrides.drop(device, ask.who)
            return "taken"
        level = self._level(actuator, ask)
        if level is None or level >= len(actuator.levels):
            return "level"
        self._overrides.put(device, level, ask.minutes, ask.who, ask.why)
        return "taken"

    def _level(self, actuator: Actuator, ask: Ask) -> int | None:
        """The level that is meant: as asked, off; for `on` and `hand` the one it has, else the safe one."""
        if ask.level is not None:
            return ask.level
        if ask.on is False:
            return 0
        now = self._live.acting.get(actuator.id, Acting()).level or 0
        if ask.mode == "hand":
            return now
        return (now or max(actuator.safe_occupied, 1)) if ask.on else None
