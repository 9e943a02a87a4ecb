"""The outflow into a bucket of the test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.influx.flow import Outflow
from tests.parts import need
from tests.servers import Influx, OldInflux


@pytest.fixture(scope="session")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldInflux]:
    """One InfluxDB 1.6 for the whole run."""
    server = OldInflux(need("influxd 1.x"), tmp_path_factory.mktemp("influx1"))
    try:
        server.start()
        server.setup()
        yield server
    finally:
        server.stop()


@pytest.fixture
def old_outflow(tmp_path: Path, old_server: OldInflux) -> Iterator[Outflow]:
    """A journal beside an empty database of that server."""
    old_server.new_bucket(f"school-{os.urandom(3).hex()}")
    made = Outflow(tmp_path, old_server)
    yield made
    assert all(cursor.stop() for cursor in made.cursors)
    made.journal.close()


@pytest.fixture
def outflow(tmp_path: Path, influx: Influx) -> Iterator[Outflow]:
    made = Outflow(tmp_path, influx)
    yield made
    assert all(cursor.stop() for cursor in made.cursors)
    made.journal.close()
