"""Levels that persons ask for: with an end, kept in the journal, and in force again after a restart."""

from collections.abc import Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Literal

import msgspec
import structlog

from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND
from gateway.block import Draft
from gateway.journal import Journal
from gateway.live import Live, Override
from gateway.metrics import Metrics

log = structlog.get_logger()

KIND = "override"
LONGEST = 24 * 60
"""Minutes that an override may last."""
WAIT = 10.0
"""Seconds within which the river must have committed one."""

Event = Literal["set", "released", "expired", "button", "gone"]
"""Set; ended by a person, by its time, by the button at the device, by changed network files."""


class NoSuchLevel(Problem):
    """The actuator has no such level; its text names those that it has."""


class NotTaken(Problem):
    """The gateway couldn't commit it in time; it isn't in force."""


class Told(msgspec.Struct, frozen=True):
    """A journalled event."""

    at: int
    event: Event
    override: Override
    who: str = ""


class _Asked(msgspec.Struct, frozen=True):
    """What waits for the river: a level, or None to end the one in force."""

    actuator: str
    level: int | None
    minutes: float
    who: str
    why: str
    answer: Future[Override | None]


class Overrides:
    """Those in force. Any thread may `ask` and `release`; the river's thread alone ticks and writes."""

    def __init__(self, live: Live, journal: Journal, metrics: Metrics) -> None:
        self._live, self._journal, self._metrics = live, journal, metrics
        self._held: dict[str, Override] = {}
        self._asked: SimpleQueue[_Asked] = SimpleQueue()

    def recall(self) -> None:
        """Take up what was in force when the last gateway ended; those whose time has passed end at the next
        tick."""
        block, body = self._journal.snapshot(KIND) or (0, b"{}")
        self._held = msgspec.json.decode(body, type=dict[str, Override])
        while blocks := self._journal.blocks(block, (KIND,)):
            for one in blocks:
                self._replay(msgspec.json.decode(one.body or b"[]", type=list[Told]))
            block = blocks[-1].id
        self._live.overrides.update(self._held)
        self._journal.snap(KIND, self._journal.newest(), msgspec.json.encode(self._held))

    def _replay(self, told: list[Told]) -> None:
        for one in told:
            if one.event == "set":
                self._held[one.override.actuator] = one.override
            else:
                self._held.pop(one.override.actuator, None)

    # -- from any thread --------------------------------------------------------------------------------

    def ask(self, actuator: str, level: int, minutes: float, who: str = "", why: str = "") -> Override:
        """Have a level for so many minutes; returns when it is committed.

        Raises `NoSuchLevel` and `NotTaken`."""
        allowed(self._live.network, actuator, level)
        found = self._put(actuator, level, minutes, who, why).result(WAIT)
        assert found is not None
        return found

    def release(self, actuator: str, who: str = "") -> Override | None:
        """End an override early; what was in force. Raises `NotTaken`."""
        return self._put(actuator, None, 0.0, who, "").result(WAIT)

    def put(self, actuator: str, level: int, minutes: float, who: str, why: str) -> None:
        """The same as `ask` for who doesn't wait: the river itself."""
        self._put(actuator, level, minutes, who, why)

    def drop(self, actuator: str, who: str) -> None:
        """The same as `release` for who doesn't wait."""
        self._put(actuator, None, 0.0, who, "")

    def _put(
        self, actuator: str, level: int | None, minutes: float, who: str, why: str
    ) -> "Future[Override | None]":
        answer: Future[Override | None] = _Patient()
        self._asked.put(_Asked(actuator, level, min(minutes, LONGEST), who, why, answer))
        return answer

    # -- the river's thread -----------------------------------------------------------------------------

    def tick(self, now: int) -> None:
        """Put in force what was asked for, and end what is over."""
        waiting = self._waiting()
        try:
            made = [self._made(one, now) for one in waiting]
            self._put_down([*self._over(now), *(one for one in made if one)], now)
        except BaseException as error:
            for one in waiting:
                one.answer.set_exception(error)
            raise
        for one, told in zip(waiting, made, strict=True):
            one.answer.set_result(told.override if told else None)

    def _put_down(self, news: list[Told], now: int) -> None:
        if news:
            self._journal.commit(now, [Draft(KIND, msgspec.json.encode(news))])
            self._enforce(news)
            self._journal.snap(KIND, self._journal.newest(), msgspec.json.encode(self._held))

    def _waiting(self) -> list[_Asked]:
        """All that was asked, but for what its asker has given up."""
        found: list[_Asked] = []
        while True:
            try:
                found.append(self._asked.get_nowait())
            except Empty:
                return [one for one in found if one.answer.set_running_or_notify_cancel()]

    def _made(self, asked: _Asked, now: int) -> Told | None:
        if asked.level is None:
            held = self._live.overrides.get(asked.actuator)
            return Told(now, "released", held, asked.who) if held else None
        until = now + round(asked.minutes * 60 * SECOND)
        override = Override(asked.actuator, asked.level, now, until, asked.who, asked.why)
        return Told(now, "set", override)

    def _over(self, now: int) -> list[Told]:
        ended = ((one, self._end(one, now)) for one in self._held.values())
        return [Told(now, event, one) for one, event in ended if event]

    def _end(self, one: Override, now: int) -> Event | None:
        actuator = self._live.network.actuators.get(one.actuator)
        if actuator is None or one.level >= len(actuator.levels):
            return "gone"
        if now >= one.until:
            return "expired"
        return None if one.actuator in self._live.overrides else "button"

    def _enforce(self, news: list[Told]) -> None:
        self._replay(news)
        for one in news:
            actuator = one.override.actuator
            if one.event == "set":
                self._live.overrides[actuator] = one.override
            else:
                self._live.overrides.pop(actuator, None)
            self._metrics.count("overrides", event=one.event)
            log.info("override", how=one.event, actuator=actuator, level=one.override.level)


class _Patient(Future["Override | None"]):
    """Gives up what nobody has taken in time, so that it doesn't come into force behind its asker's back."""

    def result(self, timeout: float | None = None) -> Override | None:
        try:
            return super().result(timeout)
        except TimeoutError:
            if self.cancel():
                why = "the gateway is busy or its journal can't be written"
                raise NotTaken(f"not in force: {why}", "", "look at the alarms, then try again") from None
            return super().result(timeout)


def allowed(network: Network, actuator: str, level: int) -> None:
    """Raises `NoSuchLevel` for a level that the actuator doesn't have."""
    levels: Mapping[str, int] = {one.id: len(one.levels) for one in network.actuators.values()}
    if not 0 <= level < levels[actuator]:
        raise NoSuchLevel(f"{actuator} has no level {level}", "", f"its levels: 0 to {levels[actuator] - 1}")
