"""What a gateway knows before its first message: states rebuilt from the history at start."""

from collections.abc import Sequence

import numpy as np

from edge.check import WINDOW, CheckState, rebuild
from edge.feature import DEPTH
from edge.forecast import Forecaster
from edge.network import Network
from edge.readings import SECOND, Array, Readings, concat
from gateway.history import History
from gateway.ledger import Ledger
from gateway.present import Present


def recall(
    ledger: Ledger, history: History, network: Network, present: Present, forecaster: Forecaster
) -> CheckState:
    """Quality control's state; on the way the forecaster gets its last hour, and `Live` what is newest."""
    newest = {node: time for node, time in ledger.newest.items() if time > 0}
    if not newest:
        return CheckState.empty()
    latest = max(newest.values())
    # Twice: a node that lags by up to one window still has a whole one behind its own newest sample.
    recent = history.read(latest - 2 * WINDOW * SECOND, latest + 1)
    # Nodes that were silent for longer than any test looks back have their last rows further back.
    dormant = [node for node, time in newest.items() if time < latest - WINDOW * SECOND]
    tails = [history.read(newest[node] - WINDOW * SECOND, newest[node] + 1, [node]) for node in dormant]
    rows = concat([recent.take(~_of(recent, dormant)), *tails])
    present.take(rows)
    present.refresh()
    forecaster.ingest(recent.take(recent.time > latest - DEPTH * 60 * SECOND), latest)
    return rebuild(rows, network, newest)


def _of(rows: Readings, nodes: Sequence[str]) -> Array:
    return np.array([name in nodes for name in rows.nodes] or [False])[rows.node]
