"""A network folder, and a gateway in this process whose messages the test hands over."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.networks import school

NODES = ("n1", "n2")
MORE = """\
sample_s = 600
batch_s = 3600
fitted = [{{since = 2020-01-01T00:00:00Z, sensors = [{{type = "pms5003", serial = "P-{id}"}}]}}]
"""

settings.register_profile("proof", deadline=None)
settings.load_profile("proof")


def network_text(*nodes: str) -> str:
    """A network file with these nodes in one room."""
    return school(*nodes, more=MORE)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network file with two nodes, in a folder of its own."""
    path = tmp_path / "network" / "network.toml"
    path.parent.mkdir()
    path.write_text(network_text(*NODES), "utf-8")
    return path
