"""Every query of docs/influx.md, on both servers."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.influx import test_means as means
from tests.influx.flow import Hurried, Outflow

DOCS = Path(__file__).parents[2] / "docs" / "influx.md"
QUERIES = re.findall(r"^(SELECT .*)$", DOCS.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("server", ["outflow", "old_outflow"])
def test_each_is_answered_and_finds_what_there_is(server: str, request: pytest.FixtureRequest) -> None:
    outflow: Outflow = request.getfixturevalue(server)
    outflow.network, outflow.clock = means.network(), Hurried(means.NOW)
    outflow.commit(means.draft(means.samples(last=110)))
    payload = {"level": 1, "cause": "command"}
    outflow.commit(means.said("state", means.FIRST, "p-1", **payload))
    outflow.commit(means.said("info", means.FIRST, "hana-in", next=3, cursor=1))
    outflow.averaged()
    assert len(QUERIES) == 7
    since = f"time > {means.FIRST - 86400}s"
    for query in QUERIES:
        rows = outflow.influx.query_influxql(re.sub(r"time >=? (now\(\)|'[\d-]+') - \d+\w", since, query))
        # The network has no actuator, so that the energy alone finds nothing.
        assert bool(rows) == ('"energy"' not in query), query


def test_the_year_by_days_is_that_of_the_hours(outflow: Outflow) -> None:
    outflow.network, outflow.clock = means.network(), Hurried(means.NOW)
    outflow.commit(means.draft(means.samples()))
    outflow.averaged()
    (query,) = (one for one in QUERIES if "365d" in one)
    rows = outflow.influx.query_influxql(query.replace("now() - 365d", f"{means.FIRST - 86400}s"))
    hours = means.stored(outflow, "pm25", "air_1h")
    for row in rows:
        day = range(row["time"], row["time"] + 24 * means.HOUR)
        own = [
            one["value"]
            for (node, _, at), one in hours.items()
            if "hana" in node and at in day and "value" in one
        ]
        assert row["mean"] == pytest.approx(np.mean(own))
        assert row["max"] == max(own)
