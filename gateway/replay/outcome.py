"""What became of a replay, as the gateway's own ledger and counters say."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from edge.identity import Intervals
from gateway.replay.cut import Spool

TIMEOUT_S = 5.0
QUIET_S = 3.0
ASK_EVERY_S = 1.0
COUNTED = ("doubles", "conflicts", "letters", "quarantined", "flagged")
"""Counters of the gateway whose growth during a replay is reported."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Batches and samples of the replay that the gateway has stored, batches that it named lost, those
    in neither, and how its counters stand."""

    stored_batches: int
    stored_samples: int
    lost_batches: int
    missing_batches: int
    counters: Mapping[str, float] = field(default_factory=dict)


def outcome(url: str, spools: tuple[Spool, ...]) -> Outcome | None:
    """How far the gateway at `url` is with these spools; None where it can't be asked now."""
    try:
        ledger = json.loads(_get(f"{url.rstrip('/')}/api/v1/ledger"))
        counters = _counters(_get(f"{url.rstrip('/')}/metrics").decode())
    except (OSError, URLError, ValueError):
        return None
    rows = {(row["node"], row["log"]): row for row in _rows(ledger)}
    parts = [_part(spool, rows.get((spool.node.id, spool.log), {})) for spool in spools]
    batches, samples, lost, missing = (sum(part[place] for part in parts) for place in range(4))
    return Outcome(batches, samples, lost, missing, counters)


class Asked:
    """Asks the gateway now and then whether it has everything, or has named lost what it lacks, and whether
    its counters stand still: what it had before arrives as doubles."""

    def __init__(self, gateway: str, spools: tuple[Spool, ...]) -> None:
        self._gateway, self._spools, self._next = gateway, spools, 0.0
        self.last: Outcome | None = None

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return False
        before, self.last = self.last, outcome(self._gateway, self._spools) or self.last
        self._next = time.monotonic() + ASK_EVERY_S
        return self.last is not None and not self.last.missing_batches and self.last == before


class Quiet:
    """Whether nobody has asked for anything for a while."""

    def __init__(self, resent: Callable[[], int]) -> None:
        self._resent, self._seen, self._since = resent, resent(), time.monotonic()

    def __call__(self) -> bool:
        if self._resent() != self._seen:
            self._seen, self._since = self._resent(), time.monotonic()
        return time.monotonic() - self._since > QUIET_S


def _get(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url} is no http address")
    with urlopen(url, timeout=TIMEOUT_S) as answer:
        return bytes(answer.read())


def _rows(ledger: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of the ledger, wherever the answer puts them."""
    if isinstance(ledger, Mapping) and {"node", "log", "stored"} <= ledger.keys():
        yield ledger
    elif isinstance(ledger, Mapping | list):
        for inner in ledger.values() if isinstance(ledger, Mapping) else ledger:
            yield from _rows(inner)


def _part(spool: Spool, row: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Stored batches, stored samples, lost batches, missing batches."""
    stored = Intervals((low, high) for low, high in row.get("stored", ()))
    lost = Intervals((span["from"], span["to"]) for span in row.get("lost", ()))
    held = [batch.samples for seq, batch in enumerate(spool.batches, 1) if seq in stored]
    gone = sum(seq in lost and seq not in stored for seq in range(1, len(spool.batches) + 1))
    return len(held), sum(held), gone, len(spool.batches) - len(held) - gone


def _counters(text: str) -> dict[str, float]:
    """The reported counters, each summed over its labels."""
    sums: dict[str, float] = {}
    for name, value in re.findall(r"^gongi_(\w+?)_total(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE):
        if name in COUNTED:
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums
