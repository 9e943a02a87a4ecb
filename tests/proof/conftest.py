"""A network folder, and a gateway in this process whose messages the test hands over."""

from pathlib import Path

import pytest
from hypothesis import settings

NODES = ("n1", "n2")
SITE = """
[[site]]
id = "hana"
tz = "Asia/Seoul"

[[site.room]]
id = "1-1"
volume = 180.0
"""
NODE = """
[[node]]
id = "{id}"
sample_s = 600
batch_s = 3600
placed = [{{since = 2020-01-01T00:00:00Z, site = "hana", room = "1-1", placement = "indoor"}}]
fitted = [{{since = 2020-01-01T00:00:00Z, sensors = [{{type = "pms5003", serial = "P-{id}"}}]}}]
"""

settings.register_profile("proof", deadline=None)
settings.load_profile("proof")


def network_text(*nodes: str) -> str:
    """A network file with these nodes in one room."""
    return SITE + "".join(NODE.format(id=node) for node in nodes)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network file with two nodes, in a folder of its own."""
    path = tmp_path / "network" / "network.toml"
    path.parent.mkdir()
    path.write_text(network_text(*NODES), "utf-8")
    return path
