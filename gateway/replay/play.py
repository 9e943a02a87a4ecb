"""Playing spools: batches in the order of their times, simulated time beside them, commands answered."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import structlog

from gateway.publish import Publisher
from gateway.receive import Broker
from gateway.replay.cut import Batch, Spool

log = structlog.get_logger()

OWN_CONNECTIONS = 64
"""A replay of more nodes speaks for all of them over one connection, which then has no last will."""

LOOK_AHEAD = 512
"""At full speed the time is said so many batches ahead, and again half of that later: it has a connection of
its own, and no batch may come before its own time."""

TIME_EVERY = (10.0, 0.1, 1.0)
"""Seconds between announcements of the time: simulated, at least real, at most real."""

INFO_EVERY = (600.0, 5.0)
"""Seconds between `info`: simulated and real, both."""


@dataclass
class _Voice:
    """One node's part in the play: `cursor` is its next sequence to send."""

    spool: Spool
    line: Publisher
    cursor: int = 1
    told_real: float = 0.0
    told_time: float = 0.0


@dataclass
class Player:
    """Plays spools through a broker, `speed` times as fast as they were recorded (infinity: as fast as they
    are acknowledged); `progress` is told of every batch sent."""

    spools: tuple[Spool, ...]
    root: str
    config: str
    broker: Broker
    speed: float = math.inf
    progress: Callable[[Batch], None] = lambda batch: None
    resent: int = 0
    _clock: Publisher = field(init=False, repr=False)
    _voices: dict[str, _Voice] = field(default_factory=dict)
    _heard: SimpleQueue[tuple[str, str, bytes]] = field(default_factory=SimpleQueue)
    _now: float = 0.0
    _said_real: float = 0.0
    _said_time: float = -math.inf

    def start(self) -> None:
        """Connect every node; raises `PublishError`."""
        token = uuid4().hex[:8]
        shared = None if len(self.spools) <= OWN_CONNECTIONS else self._line(f"gongi-replay-{token}", None)
        for spool in self.spools:
            line = shared or self._line(f"{spool.node.id}-{token}", spool)
            self._voices[spool.node.id] = _Voice(spool, line)
        self._clock = Publisher(self.broker, f"gongi-time-{token}")
        for line in self._lines():
            line.start()
        self._now = min(spool.batches[0].first for spool in self.spools)

    def _line(self, client: str, spool: Spool | None) -> Publisher:
        topics = [self._topic(one, "cmd") for one in ((spool,) if spool else self.spools)]
        will = self._topic(spool, "status") if spool else None
        name = spool.node.id if spool else ""
        return Publisher(
            self.broker,
            client,
            topics,
            will,
            told=lambda topic, payload: self._heard.put(("cmd", topic, payload)),
            joined=lambda: self._heard.put(("joined", name, b"")),
        )

    def _topic(self, spool: Spool, kind: str) -> str:
        return f"{self.root}/{spool.site}/{spool.node.id}/{kind}"

    # -- the play ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Send every batch; returns when the broker has all of them."""
        order = sorted(
            (
                (batch.newest, number, seq)
                for number, spool in enumerate(self.spools)
                for seq, batch in _numbered(spool)
            )
        )
        voices = [self._voices[spool.node.id] for spool in self.spools]
        began, first, last = time.monotonic(), self._now, len(order) - 1
        for place, (newest, number, _) in enumerate(order):
            if math.isinf(self.speed):
                self._run_ahead(
                    order[min(place + LOOK_AHEAD // 2, last)][0], order[min(place + LOOK_AHEAD, last)][0]
                )
                self._heed(0.0)
            while self._now < newest:
                self._now = first + (time.monotonic() - began) * self.speed
                self._heed(min(0.1, max(0.0, (newest - self._now) / self.speed)))
            self._send(voices[number])
        self._finish()

    def _run_ahead(self, needed: int, ahead: int) -> None:
        if self._said_time < needed:
            self._now = max(self._now, ahead)
            self._say_time(now=True)

    def _send(self, voice: _Voice) -> None:
        batch = voice.spool.batches[voice.cursor - 1]
        voice.line.publish(self._topic(voice.spool, "obs"), batch.payload)
        voice.cursor += 1
        self.progress(batch)
        real = time.monotonic()
        if self._now - voice.told_time >= INFO_EVERY[0] and real - voice.told_real >= INFO_EVERY[1]:
            self._tell(voice)

    def _finish(self) -> None:
        for voice in self._voices.values():
            while not voice.line.drain(1.0):
                self._heed(0.0)
            self._tell(voice)

    def answer(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Go on with the time and answer commands until `enough()`; False where it isn't within `seconds`."""
        end, speed = time.monotonic() + seconds, 1.0 if math.isinf(self.speed) else self.speed
        done = enough()
        while not done and time.monotonic() < end:
            before = time.monotonic()
            self._heed(0.2)
            for voice in self._voices.values():
                # A broker whose queue ran over dropped `info` too: nobody knows then of the last batches.
                if before - voice.told_real >= INFO_EVERY[1]:
                    self._tell(voice)
            self._now += (time.monotonic() - before) * speed
            done = enough()
        return done

    def stop(self) -> None:
        """Say `offline` for every node and leave; a second time it does nothing."""
        if not self._voices:
            return
        for voice in self._voices.values():
            voice.line.publish(self._topic(voice.spool, "status"), b"offline", retain=True)
        for line in self._lines():
            line.drain(5.0)
            line.stop()
        self._voices.clear()

    def _lines(self) -> list[Publisher]:
        """Every connection once."""
        return list(
            {id(line): line for line in (self._clock, *(v.line for v in self._voices.values()))}.values()
        )

    # -- what is said beside the batches ----------------------------------------------------------------

    def _heed(self, seconds: float) -> None:
        """Say the time when it is due and answer what came, waiting at most `seconds` for something."""
        self._say_time()
        try:
            kind, about, payload = self._heard.get(timeout=seconds) if seconds else self._heard.get_nowait()
        except Empty:
            return
        if kind == "joined":
            for voice in (v for v in self._voices.values() if about in ("", v.spool.node.id)):
                voice.line.publish(self._topic(voice.spool, "status"), b"online", retain=True)
                self._tell(voice)
        else:
            self._obey(about, payload)

    def _say_time(self, now: bool = False) -> None:
        real = time.monotonic() - self._said_real
        simulated, least, most = TIME_EVERY
        if now or real >= most or (real >= least and self._now - self._said_time >= simulated):
            self._said_real, self._said_time = time.monotonic(), self._now
            # What batches wait for may not be lost with a broker.
            self._clock.publish(f"{self.root}/time", str(int(self._now)).encode(), qos=int(now))

    def _tell(self, voice: _Voice) -> None:
        voice.told_real, voice.told_time = time.monotonic(), self._now
        payload = json.dumps(_info(voice, self.config, int(self._now))).encode()
        voice.line.publish(self._topic(voice.spool, "info"), payload, retain=True)

    # -- commands ---------------------------------------------------------------------------------------

    def _obey(self, topic: str, payload: bytes) -> None:
        node = topic.rsplit("/", 2)[1]
        try:
            command = json.loads(payload)
        except ValueError:
            log.warning("command isn't JSON", topic=topic)
            return
        if node in self._voices and isinstance(command, dict):
            voice = self._voices[node]
            answer = _COMMANDS.get(str(command.get("op")), Player._unknown)(self, voice, command)
            reply = {"op": command.get("op"), "id": command.get("id"), **answer}
            voice.line.publish(self._topic(voice.spool, "reply"), json.dumps(reply).encode())

    def _resend(self, voice: _Voice, command: Mapping[str, Any]) -> dict[str, Any]:
        if command.get("log") != voice.spool.log:
            return {"error": "log", "log": voice.spool.log}
        first, last = command.get("from"), command.get("to")
        if not (isinstance(first, int) and isinstance(last, int)):
            return {"error": "from and to are sequence numbers"}
        held = range(max(first, 1), min(last, voice.cursor - 1) + 1)
        for seq in held:
            voice.line.publish(self._topic(voice.spool, "obs"), voice.spool.batches[seq - 1].payload)
        self.resent += len(held)
        return {"log": voice.spool.log, "from": first, "to": last, "sent": len(held), "gone": []}

    def _confirm(self, voice: _Voice, command: Mapping[str, Any]) -> dict[str, Any]:
        return {"ok": True}

    def _unknown(self, voice: _Voice, command: Mapping[str, Any]) -> dict[str, Any]:
        return {"error": "unknown op"}


_COMMANDS = {"resend": Player._resend, "identify": Player._confirm, "reboot": Player._confirm}


def _numbered(spool: Spool) -> enumerate[Batch]:
    return enumerate(spool.batches, 1)


def _info(voice: _Voice, config: str, now: int) -> dict[str, Any]:
    spool = voice.spool
    sensors = spool.node.fitted[-1].sensors if spool.node.fitted else ()
    return {
        "app": "replay",
        "mpy": "",
        "kind": "node",
        "chip": "replay",
        "sensors": [{"type": kind, "serial": serial} for kind, serial in sensors],
        "config": config,
        "log": spool.log,
        "first": 1,
        "next": voice.cursor,
        "cursor": voice.cursor,
        "boot": 1,
        "cause": "replay",
        "rssi": None,
        "supply": None,
        "up": max(0, now - spool.batches[0].first),
        "dropped": 0,
    }
