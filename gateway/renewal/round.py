"""All devices of a renewal: a bounded number at once, through every broker at which they may be heard."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.publish import Publisher, PublishError
from gateway.receive import Broker
from gateway.renewal.course import Course, Pace, Sign
from gateway.renewal.record import Record
from gateway.renewal.steps import RENEWALS

log = structlog.get_logger()

SAVE_S = 2.0
TURN_S = 0.1
LISTEN_S = 1.0
"""A round lasts so long at least: what the brokers have retained must have arrived."""
AWAY = 0.25
"""The share of its patience that a round has for devices which aren't there at all."""
DIAL_S = 10.0
"""After so long a broker that couldn't be reached is tried again."""


@dataclass(frozen=True, slots=True)
class Terms:
    """When a round ends: nothing has moved for `patience` [s]; with `wait` when no device is left. At most
    `at_once` devices start anew at a time."""

    patience: float = 60.0
    wait: bool = False
    at_once: int = 50
    pace: Pace = field(default_factory=Pace)


class Round:
    """Brings every device as far as the record's `upto`; call `run` again to go on."""

    def __init__(self, record: Record, root: str, sign: Sign, terms: Terms, path: Path | None = None) -> None:
        self.record, self._root, self._terms, self._path = record, root, terms, path
        self._news: queue.SimpleQueue[tuple[str, bytes, bool]] = queue.SimpleQueue()
        self._ears: dict[Broker, Publisher | None] = {}
        self._dialled = self._saved = 0.0
        lane = tuple(RENEWALS).index(record.kind)
        self._courses = {
            one.id: Course(one, record.steps(one.id), root, sign, self._say, terms.pace, record.begun, lane)
            for one in record.members.values()
        }

    @contextmanager
    def hearing(self, brokers: Sequence[Broker]) -> Iterator[None]:
        """Be connected to these brokers. Raises `PublishError` where none can be reached."""
        self._ears = dict.fromkeys(brokers)
        try:
            failed = self._dial()
            if failed and not any(self._ears.values()):
                raise failed
            yield
        finally:
            self._save()
            for ear in self._ears.values():
                if ear:
                    ear.stop()

    def run(self, shown: Callable[[Record], None] = lambda record: None) -> bool:
        """Go on until every device has come so far, or until this call's patience ends; `shown` sees the
        record some times a second. True where all have; those left behind don't count."""
        begun = moved = time.monotonic()
        before = self._state()
        while True:
            self._turn()
            shown(self.record)
            now, state = time.monotonic(), self._state()
            moved, before = (now if state != before else moved), state
            if now - begun > LISTEN_S and self._over(now - moved):
                self._save()
                return not self.record.lacking(self.record.upto)

    def _state(self) -> list[tuple[int, str, bool]]:
        return [(one.done, one.word, self._courses[one.id].trying) for one in self.record.members.values()]

    def _over(self, idle: float) -> bool:
        lacking = self.record.lacking(self.record.upto)
        open_ = [one for one in lacking if not one.word]
        if not open_:
            return True
        if self._terms.wait or any(self._courses[one.id].trying for one in open_):
            return False
        patience, now = self._terms.patience, time.monotonic()
        away = all(self._courses[one.id].away(now, patience) for one in open_)
        return idle > (patience * AWAY if away else patience)

    def _turn(self) -> None:
        """Hear what came, ask for what is due, keep what is known."""
        try:
            self._hear(*self._news.get(timeout=TURN_S))
            while True:
                self._hear(*self._news.get_nowait())
        except queue.Empty:
            pass
        now, utc = time.monotonic(), int(time.time())
        if now - self._dialled > DIAL_S and not all(self._ears.values()):
            self._dial()
        room = self._terms.at_once - sum(course.busy(now) for course in self._courses.values())
        for course in self._courses.values():
            room -= course.tick(now, utc, self.record.upto, room > 0)
        if now - self._saved > SAVE_S:
            self._save()

    def _hear(self, topic: str, payload: bytes, live: bool) -> None:
        *_, site, name, leaf = topic.split("/")
        if (course := self._courses.get(name)) and leaf not in ("cmd", "set"):
            course.hear(site, leaf, payload, time.monotonic(), int(time.time()), live)

    def _say(self, end: str, payload: bytes, retain: bool) -> None:
        """To every broker: a device is at one of them, and a forgotten address was at any."""
        for ear in self._ears.values():
            if ear:
                ear.publish(f"{self._root}/{end}", payload, qos=1 if retain else 0, retain=retain)

    def _dial(self) -> PublishError | None:
        """Connect where that isn't done; the last failure."""
        failed = None
        self._dialled = time.monotonic()
        for n, (broker, ear) in enumerate(self._ears.items()):
            if ear is None:
                try:
                    self._ears[broker] = self._connected(broker, n)
                except PublishError as error:
                    failed = error
                    log.warning("broker can't be reached", host=broker.host, port=broker.port, why=error.what)
        return failed

    def _connected(self, broker: Broker, n: int) -> Publisher:
        ear = Publisher(
            broker,
            f"gongi-renewal-{time.time_ns()}-{n}",
            [f"{self._root}/+/+/+"],
            told=lambda topic, payload: self._news.put((topic, payload, True)),
            kept=lambda topic, payload: self._news.put((topic, payload, False)),
        )
        ear.start()
        return ear

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._path:
            self.record.save(self._path)
