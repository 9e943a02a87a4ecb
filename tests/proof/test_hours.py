"""Hours that have ended are held against neighbours and stations before they are archived."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.check import Test, evaluate
from edge.network import Network, Node, Site, Station
from edge.readings import SECOND, Readings
from gateway.archive import Archive
from gateway.archiving import Archiving
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.reference.observed import observed
from gateway.reference.store import drafts
from tests.edge.series import START, network, rows

HOUR = 3600
FIRST = -(-START // HOUR) * HOUR
"""A whole hour [s UTC]."""
INSIDE = network("n1", "n2", "n3")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def outdoors() -> Network:
    """The same nodes outdoors, a station beside them."""
    nodes: dict[str, Node] = {}
    for name, node in INSIDE.nodes.items():
        nodes[name] = replace(node, placements=(replace(node.placements[0], room=""),))
    site = Site("hana", "하나", "Hana", "Asia/Seoul", {}, lat=37.5, lon=127.0)
    stations = {"jung": Station("jung", "중구", "Jung-gu", 37.51, 127.0)}
    return replace(INSIDE, nodes=nodes, sites={"hana": site}, stations=stations)


def hour(levels: dict[str, float], net: Network, first: int = FIRST) -> Readings:
    names = [name for name in levels for _ in range(6)]
    seconds = [first - START + 600 * place for _ in levels for place in range(6)]
    pm25 = [level + place % 2 for level in levels.values() for place in range(6)]
    return evaluate(rows(seconds, {"pm25": pm25}, nodes=names, dt=600), net)


def stored(journal: Journal, block: Readings) -> None:
    journal.commit(0, readings_draft(block, 0, b""))


def archived(journal: Journal, net: Network, folder: Path) -> tuple[Readings, float]:
    """What is read once hours have been archived, and how many rows were doubted on the way."""
    archive, metrics = Archive(folder / "archive", journal), Metrics()
    history, live = History(journal, archive), Live(net, (FIRST + 4 * HOUR) * SECOND)
    archiving = Archiving(journal, archive, history, live, metrics, (), 0.0)
    for _ in range(3):
        archiving.tick(0.0)
    assert not journal.ripe(2**40, -(2**40))
    return history.read(0, 2**62), metrics.value("implausible")


def doubted(readings: Readings, test: Test) -> set[str]:
    found = (readings.columns["pm25"].tests & test) != 0
    return {readings.nodes[code] for code in readings.node[found].tolist()}


def test_the_odd_one_of_a_room_is_marked_by_a_revision_and_freed_by_the_next(
    journal: Journal, tmp_path: Path
) -> None:
    stored(journal, hour({"n1": 20, "n2": 22, "n3": 120}, INSIDE))
    read, count = archived(journal, INSIDE, tmp_path)
    assert (doubted(read, Test.NEIGHBOUR), count) == ({"n3"}, 6)
    mended = hour({"n1": 118, "n2": 119}, INSIDE)
    journal.commit(0, readings_draft(mended, 0, b"", "revision"))
    read, _ = archived(journal, INSIDE, tmp_path)
    assert doubted(read, Test.NEIGHBOUR) == set()
    assert len(read) == 18


def test_what_nobody_doubts_is_archived_at_once(journal: Journal, tmp_path: Path) -> None:
    stored(journal, hour({"n1": 20, "n2": 22, "n3": 24}, INSIDE))
    before = journal.newest()
    _, count = archived(journal, INSIDE, tmp_path)
    assert (count, journal.newest()) == (0, before)


def test_the_nearest_station_speaks_for_nodes_outdoors(journal: Journal, tmp_path: Path) -> None:
    net = outdoors()
    journal.commit(0, drafts(journal, "airkorea", [observed("jung", FIRST * SECOND, "pm25", 12.0)]))
    stored(journal, hour({"n1": 150, "n2": 14}, net))
    read, _ = archived(journal, net, tmp_path)
    assert doubted(read, Test.REFERENCE) == {"n1"}
    assert np.isfinite(read.columns["pm25"].raw).all()
