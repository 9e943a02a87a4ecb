"""Rows and networks for the tests of `edge`."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge.check import AHEAD, WINDOW, CheckState, check, hours_kept
from edge.network import Calibration, Fitted, Network, Node, Placement
from edge.readings import SECOND, UNTIMED, Clock, Column, Readings

START = 1_763_778_000
"""2025-11-22 02:20 UTC [s]."""

SENSORS = (("pms5003", "P-1"), ("scd4x", "S-1"))


def network(
    *names: str,
    sensors: tuple[tuple[str, str], ...] = SENSORS,
    since: int = 0,
    limits: Mapping[str, float] | None = None,
    calibrations: tuple[Calibration, ...] = (),
) -> Network:
    """A network of nodes that carry `sensors` and stand in one room from `since` [ns] on."""
    nodes = {
        name: Node(
            name, (Placement(since, "hana", "1-1", "wall"),), (Fitted(since, sensors),), limits=limits or {}
        )
        for name in names
    }
    return Network("gongi/v1", {}, nodes, {}, calibrations=calibrations)


def rows(
    seconds: Sequence[int | None],
    columns: Mapping[str, Sequence[float | None]],
    nodes: Sequence[str] | str = "n1",
    dt: Sequence[int] | int = 10,
    seq: Sequence[int] | None = None,
) -> Readings:
    """One batch a row: its UTC second after START (None: untimed), its values (None: missing), its node."""
    size = len(seconds)
    names = [nodes] * size if isinstance(nodes, str) else list(nodes)
    table = tuple(dict.fromkeys(names))
    time = [UNTIMED if s is None else (START + s) * SECOND for s in seconds]
    whole = np.zeros(size, np.int64)
    return Readings(
        nodes=table,
        cals=("",),
        node=np.array([table.index(name) for name in names], np.int32),
        log=np.ones(size, np.uint32),
        seq=np.arange(1, size + 1) if seq is None else np.array(seq, np.int64),
        row=whole.astype(np.int16),
        time=np.array(time, np.int64),
        boot=whole + 1,
        up=whole + [3600 + (s or 0) for s in seconds],
        dt=whole + np.array(dt, np.int64),
        hash=whole.astype(np.uint64),
        clock=np.array([Clock.NONE if s is None else Clock.OWN for s in seconds], np.uint8),
        cal=whole.astype(np.int32),
        columns={
            name: Column.of_raw(np.array([np.nan if v is None else v for v in values], np.float64))
            for name, values in columns.items()
        },
    )


def same(left: Readings, right: Readings) -> None:
    """Both say the same about the same rows, whatever stands in which order."""
    assert len(left) == len(right)
    assert told(left) == told(right)


def told(readings: Readings) -> dict[tuple[str, int, int], dict[str, tuple[int, int]]]:
    """Flag and tests of every cell, by (node, sequence, row)."""
    keys = zip(readings.node.tolist(), readings.seq.tolist(), readings.row.tolist(), strict=True)
    return {
        (readings.nodes[node], seq, row): {
            name: (int(c.flag[place]), int(c.tests[place])) for name, c in sorted(readings.columns.items())
        }
        for place, (node, seq, row) in enumerate(keys)
    }


def revise(history: Readings, first: int, last: int, net: Network) -> tuple[Readings, CheckState]:
    """What the gateway's catch-up pass does with flags: the rows that come out otherwise than they are stored
    because of rows that came late, the oldest at `first` and the newest at `last` [ns], and the state after
    them. `history` holds the late nodes' rows from REACH before `first` to REACH after `last`."""
    seen, state = check(history, CheckState.empty(), net)
    seen = hours_kept(history, seen)
    was, now = told(history), told(seen)
    keys = zip((seen.nodes[node] for node in seen.node), seen.seq.tolist(), seen.row.tolist(), strict=True)
    other = np.array([was[key] != now[key] for key in keys], bool)
    other &= (seen.time >= first - AHEAD * SECOND) & (seen.time <= last + WINDOW * SECOND)
    return seen.take(np.flatnonzero(other)), state
