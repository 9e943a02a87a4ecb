"""Late rows: placed once their boot's clock is known, and judged as one pass over the sorted data would."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge.place import place
from edge.readings import Array, Readings
from gateway.block import Draft
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.ledger import Ledger
from gateway.line import SPREAD
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.revision import AHEAD_NS, REACH_NS, WINDOW_NS, Judge, differing, fallen, judge_again
from gateway.stages import Calibrate, Check

QUIET = 1.0
"""Seconds without news for a node after which its late rows are judged; a backlog comes in many blocks."""
LONGEST = 30.0
"""Seconds that late rows wait at most."""


@dataclass(slots=True)
class _Wait:
    """When [monotonic s] a node's late rows were first and last added to."""

    since: float
    changed: float
    span: tuple[int, int]

    def due(self, now: float) -> bool:
        """Whether nothing has come for a while, or enough has been waited."""
        return now - self.changed >= QUIET or now - self.since >= LONGEST


class Catchup:
    """Appends revision blocks; nothing stored is changed in place."""

    def __init__(
        self,
        journal: Journal,
        history: History,
        ledger: Ledger,
        live: Live,
        check: Check,
        calibrate: Calibrate,
        metrics: Metrics,
    ) -> None:
        self._journal, self._history, self._ledger = journal, history, ledger
        self._live, self._check, self._calibrate, self._metrics = live, check, calibrate, metrics
        self._waits: dict[str, _Wait] = {}
        self._placed: tuple[list[int], int] = ([], -1)

    def tick(self, now: float) -> None:
        """Place what can be placed, then judge nodes whose late rows have settled, at `now` [monotonic s]."""
        self._place()
        late = self._journal.late()
        for node, span in late.items():
            wait = self._waits.setdefault(node, _Wait(now, now, span))
            if wait.span != span:
                wait.changed, wait.span = now, span
        due = [node for node, wait in self._waits.items() if wait.due(now) and node in late]
        self._judge({node: late[node] for node in due})
        for node in due:
            del self._waits[node]

    def settle(self) -> None:
        """Place and judge everything now."""
        self._place()
        self._judge(self._journal.late())

    def _place(self) -> None:
        blocks, told = self._journal.untimed(), self._ledger.boots.told
        if not blocks or self._placed == (blocks, told):
            return
        self._placed = blocks, told
        rows, _ = self._history.blocks(blocks, self._journal.heads("revision", -1))
        rows = place(rows.take(~rows.timed()), self._ledger.boots)
        news = rows.take(rows.timed())
        if not len(news):
            return
        late = [(node, int(times.min()), int(times.max())) for node, times in _times(news)]
        # Still untimed rows move along, so that the old blocks are free to go.
        drafts = [*readings_draft(rows, self._live.now, b"", "revision"), _placed(late)]
        self._journal.commit(self._live.now, drafts, late=late, retimed=blocks)
        self._ledger.placed(_newest(late))
        self._metrics.count("placed", len(news))

    def _judge(self, late: Mapping[str, tuple[int, int]]) -> None:
        if not late:
            return
        first = min(span[0] for span in late.values())
        last = max(span[1] for span in late.values())
        stored = self._history.read(first - REACH_NS, last + REACH_NS + 1, set(late))
        rows = place(stored, self._ledger.boots)
        moved = rows.time != stored.time
        judged, judge = judge_again(rows, Judge.new(), self._live.network)
        reached = (rows.time >= first - AHEAD_NS) & (rows.time <= last + WINDOW_NS)
        fell = moved | fallen(rows, judged) & reached
        revised = judged.take(moved | differing(rows, judged) & reached)
        self._append(revised, stored.take(fell), list(late))
        self._check.state = self._check.state.adopt(judge.state)
        self._calibrate.memory = self._calibrate.memory.adopt(judge.memory)
        self._metrics.count("revised", len(revised))

    def _append(self, rows: Readings, left: Readings, settled: Sequence[str]) -> None:
        """Append a pass's rows; `left` are those that stood elsewhere, as they stood there."""
        at = self._live.now
        drafts = readings_draft(rows, at, _erasing(left), "revision", left)
        self._journal.commit(at, drafts, settled=settled)


def _erasing(left: Readings) -> bytes:
    """The header that has the points of rows that stand elsewhere now deleted from InfluxDB."""
    if not len(left):
        return b""
    places = zip(left.node.tolist(), (left.time + left.seq % SPREAD).tolist(), strict=True)
    return msgspec.json.encode({"gone": [[left.nodes[node], at] for node, at in places]})


def _placed(late: Iterable[tuple[str, int, int]]) -> Draft:
    return Draft("placed", b"", msgspec.json.encode(_newest(late)))


def _newest(late: Iterable[tuple[str, int, int]]) -> dict[str, int]:
    """The newest time [ns] of each node's rows that were placed."""
    return {node: last for node, _, last in late}


def _times(rows: Readings) -> Iterable[tuple[str, Array]]:
    return (
        (node, rows.time[rows.node == code])
        for code, node in enumerate(rows.nodes)
        if (rows.node == code).any()
    )
