"""All devices of a roll-out: stage after stage, a bounded number at once, halted when too many fail."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.ota.delivery import Delivery, Parcel
from gateway.ota.record import ENDS, Record, State
from gateway.publish import Publisher
from gateway.receive import Broker

log = structlog.get_logger()

LEAVES = ("info", "reply", "obs", "state")
SAVE_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How bold a roll-out is: a stage halts it where more than `tolerance` of its devices fail; a trial may
    last `minutes`; a device is away after `patience` [s]; `at_once` are sent to at a time."""

    tolerance: float = 0.1
    minutes: float = 15.0
    patience: float = 60.0
    at_once: int = 20


class RollOut:
    """Runs until every device of every stage has come to an end, or until it halts."""

    def __init__(
        self, record: Record, plan: Plan, root: str, parcel: Callable[[str], Parcel], path: Path
    ) -> None:
        self.record, self._plan, self._root, self._parcel, self._path = record, plan, root, parcel, path
        self._news: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._deliveries: dict[str, Delivery] = {}
        self._infos: dict[str, bytes] = {}
        self._forgiven = {device.id for device in record.devices.values() if device.state == State.FAILED}
        self._saved = 0.0
        self._publisher: Publisher | None = None

    def run(self, broker: Broker, shown: Callable[[Record], None] = lambda record: None) -> None:
        """Roll out; `shown` sees the record some times a second. Raises `PublishError`."""
        with self._connected(broker):
            self._watch_trials()
            for stage in range(self.record.stages):
                if not self._stage(stage, shown):
                    break
        self._save()
        shown(self.record)

    @contextmanager
    def _connected(self, broker: Broker) -> Iterator[None]:
        devices = self.record.devices.values()
        topics = [f"{self._root}/{d.site}/{d.id}/{leaf}" for d in devices for leaf in LEAVES]
        self._save()
        self._publisher = Publisher(broker, f"gongi-ota-{time.time_ns()}", topics, told=self._told)
        self._publisher.start()
        try:
            yield
        finally:
            self._save()
            self._publisher.stop()

    def _told(self, topic: str, payload: bytes) -> None:
        self._news.put((topic, payload))

    def _watch_trials(self) -> None:
        """Trials that an earlier run began go on by themselves."""
        for device in self.record.devices.values():
            if device.state == State.TRIAL:
                self._begin(device.id)

    def _stage(self, stage: int, shown: Callable[[Record], None]) -> bool:
        """Bring one stage to its end; False where the roll-out halts."""
        devices = self.record.of_stage(stage)
        while any(device.state not in ENDS for device in devices):
            self._start_more(stage)
            self._turn()
            shown(self.record)
            if self._too_many(stage):
                return False
        return not self._nobody(stage)

    def _start_more(self, stage: int) -> None:
        sending = sum(device.state == State.SENDING for device in self.record.devices.values())
        for device in self.record.of_stage(stage):
            if device.state == State.WAITING and sending < self._plan.at_once:
                self._begin(device.id)
                sending += 1

    def _begin(self, name: str) -> None:
        device = self.record.devices[name]
        base = f"{self._root}/{device.site}/{name}/"

        def send(leaf: str, content: bytes) -> None:
            assert self._publisher is not None
            self._publisher.publish(base + leaf, content, qos=0)

        delivery = Delivery(device, lambda: self._parcel(name), send, self._plan.patience, self._plan.minutes)
        self._deliveries[name] = delivery
        now = time.monotonic()
        delivery.begin(now)
        delivery.hear("info", self._infos.get(name, b""), now)

    def _turn(self) -> None:
        now = time.monotonic()
        try:
            self._hear(*self._news.get(timeout=0.1), now)
            while True:
                self._hear(*self._news.get_nowait(), now)
        except queue.Empty:
            pass
        for delivery in self._deliveries.values():
            delivery.tick(now)
        if now - self._saved > SAVE_S:
            self._save()

    def _hear(self, topic: str, payload: bytes, now: float) -> None:
        *_, name, leaf = topic.split("/")
        if leaf == "info":
            self._infos[name] = payload
        if name in self._deliveries:
            self._deliveries[name].hear(leaf, payload, now)

    def _too_many(self, stage: int) -> bool:
        devices = self.record.of_stage(stage)
        failed = [d for d in devices if d.state == State.FAILED and d.id not in self._forgiven]
        if len(failed) <= self._plan.tolerance * len(devices):
            return False
        words = ", ".join(f"{device.id}: {device.word}" for device in failed[:5])
        return self._halt(f"{len(failed)} of {len(devices)} failed in stage {stage + 1} ({words})")

    def _nobody(self, stage: int) -> bool:
        """A stage in which nobody was there has shown nothing."""
        devices = self.record.of_stage(stage)
        if not devices or any(device.state != State.AWAY for device in devices):
            return False
        return self._halt(f"nobody answered in stage {stage + 1}")

    def _halt(self, why: str) -> bool:
        self.record.halted = why
        log.error("roll-out halts", release=self.record.release, reason=why)
        self._save()
        return True

    def _save(self) -> None:
        self._saved = time.monotonic()
        self.record.save(self._path)
