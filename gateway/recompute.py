"""Recomputation: the history from raw under the network files in force, as revisions, piece by piece.

It may run beside a gateway: a piece into which other rows came while it was judged is judged again.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND
from gateway import versions
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.revision import AHEAD_NS, REACH_NS, Advance, Revision, Stretch, revisions

SNAPSHOT = "recompute"
"""The snapshot that says how far an unfinished recomputation has come."""


class Overtaken(Problem):
    """Other network files came into force meanwhile."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be recomputed: [since, until) ns of these nodes."""

    since: int
    until: int
    nodes: tuple[str, ...]

    def key(self, network: Network) -> dict[str, object]:
        """What makes an unfinished recomputation this one."""
        return {"since": self.since, "until": self.until, "nodes": list(self.nodes), "network": network.hash}


@dataclass(slots=True)
class Done:
    """What a recomputation has come to: rows rewritten by node, blocks appended, points deleted in InfluxDB,
    pieces judged again, and from where [ns] it was taken up (None: from its beginning)."""

    rows: Counter[str] = field(default_factory=Counter)
    blocks: int = 0
    gone: int = 0
    again: int = 0
    resumed: int | None = None

    def add(self, one: Revision) -> None:
        """Count a revision."""
        self.rows.update(one.counts)
        self.gone += len(one.gone)
        self.blocks += bool(len(one.rows))


def recompute(
    journal: Journal,
    history: History,
    network: Network,
    task: Task,
    clock: Callable[[], int],
    advance: Advance = lambda done, all: None,
) -> Done:
    """Judge and calibrate the task's samples from their raw values; what differs is appended as revisions.

    Each piece is committed by itself, and a second run finds nothing to do: killed at any instant, the same
    task goes on where it was. `clock` gives the commit's time [ns UTC]. Raises `Overtaken`.
    """
    done = Done(resumed=_resumed(journal, network, task))
    begin = task.since if done.resumed is None else done.resumed
    while begin < task.until:
        concerned = [Stretch(node, begin, task.until) for node in task.nodes]
        for revision, mark in _watched(journal, history, network, concerned, begin, task, advance):
            if not _commit(journal, network, revision, mark, clock()):
                done.again += 1
                break
            done.add(revision)
            begin = max(begin, revision.until)
            journal.snap(SNAPSHOT, 0, json.dumps({**task.key(network), "done": begin}).encode())
        else:
            begin = task.until
    journal.snap(SNAPSHOT, 0, b"{}")
    return done


def _resumed(journal: Journal, network: Network, task: Task) -> int | None:
    kept = journal.snapshot(SNAPSHOT)
    said = json.loads(kept[1]) if kept else {}
    place = said.pop("done", None)
    return int(place) if place is not None and said == task.key(network) else None


def _watched(
    journal: Journal,
    history: History,
    network: Network,
    concerned: list[Stretch],
    begin: int,
    task: Task,
    advance: Advance,
) -> Iterator[tuple[Revision, int]]:
    """The revisions from `begin` on, each with the newest block at the time when its rows were read."""
    mark = journal.newest()

    def whole(part: int, all: int) -> None:
        nonlocal mark
        mark = journal.newest()
        advance(min(begin - REACH_NS + part, task.until) - task.since, task.until - task.since)

    for revision in revisions(history, network, network, concerned, whole):
        yield revision, mark


def _commit(journal: Journal, network: Network, one: Revision, mark: int, at: int) -> bool:
    """Append a piece, unless a block came into it after `mark`."""
    if not len(one.rows):
        return True
    times = one.rows.time
    with journal.together(at) as append:
        if versions.newest(journal) != network.hash:
            advice = "run it again: it then goes by the new files"
            raise Overtaken("other network files came into force", str(journal.path), advice)
        first, last = int(times.min()) - REACH_NS, int(times.max()) + AHEAD_NS
        if max(journal.touching(first, last + 1), default=0) > mark:
            return False
        append(readings_draft(one.rows, at, one.header, "revision"))
    return True


def task(journal: Journal, network: Network, since: int, until: int | None, nodes: Collection[str]) -> Task:
    """The task within what is stored; no nodes: all of them. Raises `Problem` for one that nobody knows."""
    if strange := sorted(set(nodes) - set(network.nodes)):
        known = ", ".join(list(network.nodes)[:12])
        raise Problem(f"no node is called {', '.join(strange)}", "--nodes", f"some that are: {known}")
    first, last = journal.extent() or (0, -SECOND)
    end = last + 1 if until is None else min(until, last + 1)
    return Task(max(since, first), end, tuple(sorted(nodes or network.nodes)))
