"""The outflow into a bucket of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.influx.flow import Outflow
from tests.servers import Influx


@pytest.fixture
def outflow(tmp_path: Path, influx: Influx) -> Iterator[Outflow]:
    made = Outflow(tmp_path, influx)
    yield made
    assert all(cursor.stop() for cursor in made.cursors)
    made.journal.close()
