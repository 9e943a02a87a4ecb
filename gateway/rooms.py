"""Rooms identified anew from the history now and then; what is found is kept by its hash and put in force."""

import json
import os
import sys
import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import structlog

from edge.problem import Problem
from edge.room import Balance
from gateway.block import Draft
from gateway.history import History
from gateway.journal import Journal
from gateway.learning import A_DAY, DAYS, learn, share_left
from gateway.live import Known, Live
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.training import actions_of

log = structlog.get_logger()

KIND = "rooms"
"""Blocks whose header is the hash of what was identified."""


def keep(journal: Journal, found: Sequence[dict[str, Any]], at: int) -> str:
    """Keep what was identified, and the block that puts it in force; its hash. A room of which too little is
    known now stays as it was known before."""
    known = {(one["site"], one["room"]): one for one in kept(journal) if one["enough"]}
    rooms = [one if one["enough"] else known.get((one["site"], one["room"]), one) for one in found]
    body = json.dumps(rooms, ensure_ascii=False, sort_keys=True).encode()
    digest = sha256(body).hexdigest()[:16]
    if newest(journal) != digest:
        journal.keep(digest, KIND, body)
        journal.commit(at, [Draft(KIND, b"", digest.encode())])
    return digest


def newest(journal: Journal) -> str:
    """The hash of what was identified last, empty before."""
    heads = journal.heads(KIND, 1)
    return journal.header(heads[0]).decode() if heads else ""


def kept(journal: Journal) -> list[dict[str, Any]]:
    """What was identified last."""
    body = journal.kept(newest(journal))
    found: list[dict[str, Any]] = json.loads(body) if body else []
    return found


class Rooms:
    """Identification runs in a thread; `watch` puts its result in force in the river's."""

    def __init__(
        self, journal: Journal, history: History, live: Live, alarms: Alarms, metrics: Metrics
    ) -> None:
        self._journal, self._history = journal, history
        self._live, self._alarms, self._metrics = live, alarms, metrics
        self._thread: threading.Thread | None = None
        self._found: list[dict[str, Any]] | None = None
        self._seen = ""

    def tick(self, _: float = 0.0) -> None:
        """Begin to identify, unless that is under way."""
        if self._live.now and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._identify, name="rooms", daemon=True)
            self._thread.start()

    def watch(self, _: float = 0.0) -> None:
        """Put in force what is new, be it from here or from `gongi room identify`."""
        found, self._found = self._found, None
        if found is not None:
            keep(self._journal, found, self._live.now)
        digest = newest(self._journal)
        if digest == self._seen:
            return
        self._seen = self._live.rooms = digest
        rooms = kept(self._journal)
        self._live.balances = {
            (one["site"], one["room"]): Known(Balance(**one["balance"]), one["lead_s"])
            for one in rooms
            if one["enough"]
        }
        for one in rooms:
            self._tell(one)
        log.info("rooms identified", rooms=len(self._live.balances), hash=digest)

    def _tell(self, one: dict[str, Any]) -> None:
        about = f"{one['site']}/{one['room']}"
        if one["clogged"]:
            self._alarms.raised("clogged", about, one["site"], share=str(share_left(one)))
        else:
            self._alarms.cleared("clogged", about)

    def _identify(self) -> None:
        _take_a_back_seat()
        now = self._live.now
        try:
            actions = list(actions_of(self._journal, now - (DAYS + 1) * A_DAY))
            self._found = learn(self._history, self._live.network, now, actions)
            self._metrics.count("rooms_identified", sum(one["enough"] for one in self._found))
        except Problem as error:
            log.info("no room identified", reason=str(error))
        finally:
            self._journal.close()


def _take_a_back_seat() -> None:
    # On Linux a niceness belongs to the thread that sets it: the gateway's own keep theirs.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
