"""Actuators of other dialects at our broker: what they are told, and what they say as our own reports."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from edge.dialect import DIALECTS, Device, Heard, Said, Unheard, device
from edge.network import Actuator, Network
from edge.report import Report, State, Status
from edge.wire import Address, Letter
from gateway.live import Live
from gateway.receive import Message

log = structlog.get_logger()
MAX_BYTES = 16_384
"""Discovery messages are long."""
OFTEN = 5
"""Ticks after which a device that a person has set is asked again."""


class Foreign:
    """The network's actuators that speak another dialect; what they have announced about themselves lives as
    long as the gateway (they announce it retained)."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._configs: dict[str, Mapping[str, object]] = {}
        self._levels: dict[str, int] = {}
        self._asked: set[str] = set()
        self._ticks = 0
        self._of: Network | None = None
        self._at: dict[str, Actuator] = {}

    def device_of(self, actuator: Actuator) -> Device:
        """The actuator as its dialect sees it."""
        return device(actuator, self._configs.get(actuator.id))

    def actuators(self) -> list[Actuator]:
        """Those of the network files in force."""
        return [one for one in self._live.network.actuators.values() if one.dialect in DIALECTS]

    def tick(self, listen: Callable[[Sequence[str]], None], publish: Callable[[str, bytes], bool]) -> None:
        """Listen to all topics on which they speak, and ask each for its state once, and while a person has
        set it: whether it draws the power of its level is looked at then."""
        listen(tuple(self._known()))
        self._ticks += 1
        for one in self.actuators():
            if self._ticks % OFTEN == 0 and one.id in self._live.overrides:
                self._asked.discard(one.id)
            if one.id not in self._asked and all(publish(*said) for said in self._asking(one)):
                self._asked.add(one.id)

    def _asking(self, actuator: Actuator) -> list[tuple[str, bytes]]:
        asked = DIALECTS[actuator.dialect].ask(self.device_of(actuator))
        return [(said.topic, said.payload) for said in asked]

    def _topics(self, actuator: Actuator) -> tuple[str, ...]:
        return DIALECTS[actuator.dialect].topics(self.device_of(actuator))

    def _known(self) -> Mapping[str, Actuator]:
        if self._of is not self._live.network:
            self._at = {topic: one for one in self.actuators() for topic in self._topics(one)}
            self._of = self._live.network
        return self._at

    def say(self, actuator: Actuator, level: int, ttl: int) -> tuple[Said, ...]:
        """The messages for a level that ends after `ttl` [s] where the device has a timer."""
        return DIALECTS[actuator.dialect].say(self.device_of(actuator), level, ttl)

    def hear(self, message: Message) -> list[tuple[Address, Report]] | Letter | None:
        """A message as reports of ours, a letter where it isn't understood; None for no topic of theirs."""
        actuator = self._known().get(message.topic)
        if actuator is None:
            return None
        if len(message.payload) > MAX_BYTES:
            return Letter(message.topic, message.payload, f"more than {MAX_BYTES} bytes")
        try:
            dialect = DIALECTS[actuator.dialect]
            heard = dialect.hear(self.device_of(actuator), message.topic, message.payload) or Heard()
        except Unheard as error:
            return Letter(message.topic, message.payload, f"{actuator.dialect}: {error}")
        return self._reports(actuator, heard)

    def _reports(self, actuator: Actuator, heard: Heard) -> list[tuple[Address, Report]]:
        reports: list[tuple[Address, Report]] = []
        if heard.config is not None:
            self._announced(actuator, heard.config)
        if heard.level is not None:
            self._levels[actuator.id] = heard.level
        level = self._levels.get(actuator.id)
        if level is not None and (heard.level, heard.power) != (None, None):
            state = State(level, power=heard.power)
            reports.append((Address(actuator.site, actuator.id, "state"), state))
        if heard.online is not None:
            reports.append((Address(actuator.site, actuator.id, "status"), Status(heard.online)))
        return reports

    def _announced(self, actuator: Actuator, config: Mapping[str, object]) -> None:
        if self._configs.get(actuator.id) != config:
            log.info("device announced", actuator=actuator.id, dialect=actuator.dialect)
            self._configs = {**self._configs, actuator.id: config}
            self._of = None
