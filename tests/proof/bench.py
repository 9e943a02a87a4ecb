"""A gateway on the bench: all its parts in this process, without a broker, killed and started at will."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edge.readings import SECOND, Readings, concat
from gateway.clock import DataClock
from gateway.history import History
from gateway.journal import Journal
from gateway.ledger import Ledger
from gateway.network import load
from gateway.receive import Message
from gateway.serve import Gateway, Options

EVER = 1 << 62


class Bench:
    """A gateway over `data`; what it publishes is kept in `sent`."""

    def __init__(self, network: Path, data: Path, now: int) -> None:
        self._network, self._data = network, data
        self.now = now
        self.sent: list[tuple[str, bytes]] = []
        self.gateway = self._begin()

    def _begin(self) -> Gateway:
        clock = DataClock()
        clock.announce(self.now)
        gateway = Gateway(Options(self._network, self._data), clock)
        gateway.assemble(load(self._network))
        gateway.receiver.publish = self._publish  # type: ignore[method-assign]  # there is no broker
        gateway.chores = gateway._chores()
        return gateway

    def _publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        self.sent.append((topic, payload))
        return True

    def take(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """One block of messages, by topic below the site."""
        root = f"{self.gateway.live.network.root}/hana/"
        self.gateway.take([Message(root + topic, payload, 0, 0, -1) for topic, payload in messages])

    def settle(self) -> None:
        """Place and judge everything that waits."""
        self.gateway.catchup.settle()

    def archive(self) -> None:
        """Write every hour that has ended, and release what nobody needs any more."""
        self.gateway.live.now = self.now * SECOND
        self.gateway.archiving._quiet = 0.0
        while self.gateway.journal.ripe(*_ripe(self.now)):
            self.gateway.archiving.tick(0.0)

    def kill(self) -> None:
        """What SIGKILL leaves: the files as they stand, nothing said, nothing written."""
        self.gateway.journal.close()
        self.gateway.unclaim()
        self.gateway = self._begin()

    def restart(self) -> None:
        """An orderly end, with a snapshot, and a new start."""
        self.gateway._close()
        self.gateway = self._begin()

    def stored(self) -> Readings:
        """All that history has, timed and untimed."""
        return everything(self.gateway.journal, self.gateway.history)

    def rebuilt(self) -> Ledger:
        """The ledger as the next start will have it."""
        return Ledger.load(self.gateway.journal)

    def close(self) -> None:
        """End it."""
        self.gateway._close()


def everything(journal: Journal, history: History) -> Readings:
    """All samples that are stored, timed and untimed."""
    waiting, _ = history.blocks(journal.untimed(), journal.heads("revision", -1))
    return concat([history.read(-EVER, EVER), waiting.take(~waiting.timed())])


def _ripe(now: int) -> tuple[int, int]:
    hour = now // 3600
    return hour - 1, -(hour - 7 * 24)


def cells(rows: Readings) -> dict[tuple[str, int, int, int], tuple[object, ...]]:
    """What stands in each row by (node, log, seq, row): time, and per quantity raw, flag and tests."""
    table = {}
    for place in range(len(rows)):
        key = (rows.nodes[rows.node[place]], int(rows.log[place]), int(rows.seq[place]), int(rows.row[place]))
        values = tuple(
            (name, _number(c.raw[place]), int(c.flag[place]), int(c.tests[place]))
            for name, c in sorted(rows.columns.items())
            if c.flag[place]
        )
        assert key not in table, f"{key} stands twice"
        table[key] = (int(rows.time[place]), values)
    return table


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
