"""Asks nodes for what is missing below their send cursor, until it is stored or named lost."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.ledger import Ledger, Lost
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms

SETTLE = 3.0
"""Seconds that a gap may be young: what is on its way needn't be asked for."""
FIRST, SLOWEST = 5.0, 300.0
"""Seconds until a request is repeated: at first, and at the slowest."""
OLD = 900.0
"""Seconds after which a person hears of a gap that nobody fills."""
MOST = 120
"""Batches asked for at once: what a node sends beside its fresh ones within a few seconds."""
AT_ONCE = 50
"""Requests in one round: a network that comes back isn't flooded."""


@dataclass(slots=True)
class _Asked:
    """When a log's first gap was seen and it may be asked again [monotonic s]; what it was asked for last,
    when, and how much of that is `left`."""

    seen: float
    next: float
    times: int = 0
    at: float = 0.0
    span: tuple[int, int] = (0, 0)
    left: int = 0

    def heed(self, gaps: list[tuple[int, int]], now: float) -> None:
        """Where all has come, ask for the next gap, at `MOST` batches in `SETTLE`; else wait on."""
        low, high = self.span
        left = sum(max(0, min(high, end) - max(low, start) + 1) for start, end in gaps)
        if self.times and left < self.left:
            due = now + SETTLE if left else self.at + SETTLE * (high - low + 1) / MOST
            self.next, self.times, self.left = min(self.next, due), 0, left


class Gaps:
    """One request at a time per log, paced, with back-off; a gap that has shrunk is asked for at once."""

    def __init__(
        self,
        ledger: Ledger,
        live: Live,
        alarms: Alarms,
        metrics: Metrics,
        publish: Callable[[str, bytes], bool],
        term: int,
    ) -> None:
        self._ledger, self._live, self._publish = ledger, live, publish
        self._alarms, self._metrics = alarms, metrics
        self._asked: dict[tuple[str, int], _Asked] = {}
        self._term, self._counter = term, 0

    def tick(self, now: float) -> None:
        """Ask for what is due at `now` [monotonic s]."""
        open_gaps = {
            key: gaps
            for key, log in self._ledger.logs.items()
            if not self._ledger.ended(*key) and (gaps := log.gaps())
        }
        for key in self._asked.keys() - open_gaps.keys():
            del self._asked[key]
            self._alarms.cleared("gap", key[0])
        requests = 0
        for key, gaps in open_gaps.items():
            asked = self._asked.setdefault(key, _Asked(now, now + SETTLE))
            asked.heed(gaps, now)
            # In turn, so that one which its node can't fill doesn't keep the others waiting.
            gap = gaps[asked.times % len(gaps)]
            if now >= asked.next and requests < AT_ONCE and self._ask(key, gap, asked, now):
                requests += 1
        self._measure(open_gaps, now)

    def all_due(self) -> None:
        """The broker has lost our session: ask without waiting."""
        for asked in self._asked.values():
            asked.next = 0.0

    def ended(self) -> list[Lost]:
        """What ended logs still lack, to be named lost."""
        return [
            Lost(node, number, low, high, "log ended")
            for (node, number), log in self._ledger.logs.items()
            if self._ledger.ended(node, number)
            for low, high in log.gaps()
        ]

    def _ask(self, key: tuple[str, int], gap: tuple[int, int], asked: _Asked, now: float) -> bool:
        node, log = key
        where = self._live.network.placed(node, self._live.now) if self._live.now else None
        if where is None:
            return False
        self._counter += 1
        low, high = gap[0], min(gap[1], gap[0] + MOST - 1)
        body = {
            "op": "resend",
            "log": f"{log:08x}",
            "from": low,
            "to": high,
            "id": f"{self._term}-g{self._counter}",
        }
        topic = f"{self._live.network.root}/{where.site}/{node}/cmd"
        if not self._publish(topic, msgspec.json.encode(body)):
            return False
        self._metrics.count("resends")
        asked.at, asked.span, asked.left = now, (low, high), high - low + 1
        asked.next = now + random.uniform(0.8, 1.2) * min(SLOWEST, FIRST * 2**asked.times)
        asked.times += 1
        return True

    def _measure(self, open_gaps: dict[tuple[str, int], list[tuple[int, int]]], now: float) -> None:
        missing = sum(high - low + 1 for gaps in open_gaps.values() for low, high in gaps)
        self._metrics.gauge("gaps", missing)
        oldest = min((asked.seen for asked in self._asked.values()), default=now)
        self._metrics.gauge("gap_age_seconds", now - oldest)
        for (node, _), asked in self._asked.items():
            if now - asked.seen > OLD:
                self._alarms.raised("gap", node)
