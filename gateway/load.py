"""What one step writes to InfluxDB, and what becomes of what it refuses."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.block import Block
from gateway.influx import Refused, Target
from gateway.line import Lines
from gateway.means_flow import Gone

LINES = 5000
"""Lines of one request."""

Stopped = Callable[[], bool]
"""Whether to stop before the next request."""


class Stopping(Exception):
    """The cursor is being stopped; what is written so far is written again after the next start."""


@dataclass(slots=True)
class Load:
    """What one step writes: the points to delete first, lines with the block that each is of, and what is
    to be kept of it, (block, line, reason), and counted once it is done."""

    gone: list[Gone] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    last: int = 0
    blocks: int = 0

    def take(self, block: Block, made: Lines, gone: Sequence[Gone]) -> None:
        """Add a block's content."""
        self.gone += gone
        self.lines += made.lines
        self.owners += [block.id] * len(made.lines)
        self.counts.update({f"influx_left_out_{why}": rows for why, rows in made.left_out.items()})
        self.last, self.blocks = block.id, self.blocks + 1

    def refuse(self, low: int, high: int, reason: str) -> None:
        """Keep lines `low`..`high` - 1 as rejected."""
        self.rejects += [(self.owners[at], self.lines[at], reason) for at in range(low, high)]
        self.counts["influx_rejected"] += high - low


def put(target: Target, load: Load, stopped: Stopped) -> None:
    """Delete what has to go, then write the lines; raises `Kept` or `Stopping`: all is to be done again."""
    for gone in load.gone:
        _erase(target, load, gone, stopped)
    for low in range(0, len(load.lines), LINES):
        _write(target, load, low, min(low + LINES, len(load.lines)), stopped)


def _erase(target: Target, load: Load, gone: Gone, stopped: Stopped) -> None:
    _go_on(stopped)
    try:
        target.erase(*gone)
        load.counts["influx_erased"] += 1
    except Refused as refused:
        load.rejects.append((load.last, f"delete {gone}", refused.reason))
        load.counts["influx_not_erased"] += 1


def _write(target: Target, load: Load, low: int, high: int, stopped: Stopped) -> None:
    """Write lines `low`..`high` - 1; of what InfluxDB refuses, halve until the bad lines stand alone.

    Halves may be written that are in already: writing twice is writing once.
    """
    _go_on(stopped)
    try:
        target.write(load.lines[low:high])
    except Refused as refused:
        if high - low == 1 or refused.dropped >= high - low:
            load.refuse(low, high, refused.reason)
        else:
            middle = (low + high) // 2
            _write(target, load, low, middle, stopped)
            _write(target, load, middle, high, stopped)


def _go_on(stopped: Stopped) -> None:
    if stopped():
        raise Stopping
