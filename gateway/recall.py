"""What a gateway knows before its first message: states rebuilt from the history at start."""

from collections.abc import Sequence

import numpy as np

from edge.calibrate import recalled
from edge.check import WINDOW, rebuild
from edge.correction.memory import Memory
from edge.forecast import Forecaster
from edge.network import Network
from edge.predict.ring import DEPTH
from edge.readings import SECOND, Array, Readings, concat
from gateway.history import History
from gateway.ledger import Ledger
from gateway.present import Present
from gateway.revision import Judge


def recall(
    ledger: Ledger, history: History, network: Network, present: Present, forecaster: Forecaster
) -> Judge:
    """What quality control and calibration remember; on the way the forecaster gets its last hour, and `Live`
    what is newest."""
    newest, rows = _tails(ledger, history)
    if not newest:
        return Judge.new()
    latest = max(newest.values())
    present.take(rows)
    present.refresh()
    forecaster.ingest(rows.take(rows.time > latest - DEPTH * 60 * SECOND), latest)
    return Judge(rebuild(rows, network, newest), recalled(rows, network, newest))


def remembered(ledger: Ledger, history: History, network: Network) -> Memory:
    """What calibration remembers under these network files."""
    newest, rows = _tails(ledger, history)
    return recalled(rows, network, newest)


def _tails(ledger: Ledger, history: History) -> tuple[dict[str, int], Readings]:
    """Each node's newest time [ns], and its last rows."""
    newest = {node: time for node, time in ledger.newest.items() if time > 0}
    latest = max(newest.values(), default=0)
    # Twice: a node that lags by up to one window still has a whole one behind its own newest sample.
    recent = history.read(latest - 2 * WINDOW * SECOND, latest + 1)
    # Nodes that were silent for longer than any test looks back have their last rows further back.
    dormant = [node for node, time in newest.items() if time < latest - WINDOW * SECOND]
    tails = [history.read(newest[node] - WINDOW * SECOND, newest[node] + 1, [node]) for node in dormant]
    return newest, concat([recent.take(~_of(recent, dormant)), *tails])


def _of(rows: Readings, nodes: Sequence[str]) -> Array:
    return np.array([name in nodes for name in rows.nodes] or [False])[rows.node]
