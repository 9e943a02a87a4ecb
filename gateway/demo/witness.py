"""Who saw at the broker what the nodes sent, to compare with what the gateway says that it stored."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from edge.identity import Intervals

Log = tuple[str, str]
"""A node and its log."""
Seen = Mapping[Log, tuple[tuple[int, int], ...]]


class Witness:
    """Notes the sequence numbers that pass the broker, and how many came again; it knows no gateway.

    `note` runs in the connection's thread, the rest in any.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._seen: dict[Log, Intervals] = {}
        self._turn = threading.Lock()

    def note(self, topic: str, payload: bytes) -> None:
        """Take note of one message on an `obs` topic."""
        batch = json.loads(payload)
        with self._turn:
            seen = self._seen.setdefault((topic.split("/")[-2], batch["log"]), Intervals())
            self.counts["again" if batch["seq"] in seen else "batches"] += 1
            seen.add(batch["seq"], batch["seq"])

    def seen(self) -> Seen:
        """What has passed until now."""
        with self._turn:
            return {log: tuple(seen) for log, seen in self._seen.items()}


def missing(seen: Seen, ledger: Iterable[Mapping[str, Any]]) -> int:
    """How many of the batches seen the rows of a ledger neither hold nor name lost."""
    rows = {(row["node"], row["log"]): row for row in ledger}
    return sum(_lacking(spans, rows.get(log, {})) for log, spans in seen.items())


def _lacking(spans: tuple[tuple[int, int], ...], row: Mapping[str, Any]) -> int:
    lost = [(span["from"], span["to"]) for span in row.get("lost", ())]
    known = Intervals([*((low, high) for low, high in row.get("stored", ())), *lost])
    gaps = [gap for low, high in spans for gap in known.missing(low, high)]
    return sum(high - low + 1 for low, high in gaps)
