"""The same lines on a real InfluxDB 1.6."""

from dataclasses import replace

import numpy as np
import pytest

from edge.readings import Flag
from tests.influx import test_means as means
from tests.influx.flow import Hurried, Outflow
from tests.influx.school import NODES, draft, good, samples
from tests.servers import wait_until


def test_samples_means_and_their_revisions_stand_as_they_should(old_outflow: Outflow) -> None:
    old_outflow.network, old_outflow.clock = means.network(), Hurried(means.NOW)
    rows = means.samples(last=200)
    old_outflow.commit(means.draft(rows))
    old_outflow.averaged()
    number = means.agree(old_outflow)
    judged = rows.take((rows.node == 0) & (rows.seq >= 30) & (rows.seq < 60))
    column = replace(judged.columns["pm25"], flag=np.full(len(judged), Flag.FAIL, np.uint8))
    old_outflow.commit(means.draft(judged.with_columns({"pm25": column}), "revision"))
    old_outflow.averaged()
    assert means.agree(old_outflow) == number
    assert old_outflow.journal.rejects() == []


def test_a_bad_line_is_kept_with_its_reason(old_outflow: Outflow) -> None:
    rows = samples(10)
    old_outflow.write(f"air,node=z co2_flag=1.5 {int(rows.time[0])}")
    raw = np.where(np.arange(60) == 7, 800.0, np.nan)
    column = replace(good(raw), flag=np.where(np.isnan(raw), 0, 1).astype(np.uint8))
    old_outflow.commit(draft(rows.with_columns({"co2": column})))
    old_outflow.flow()
    ((_, _, line, reason),) = old_outflow.journal.rejects()
    assert f"node={NODES[1]}" in line
    assert "field type conflict" in reason
    assert old_outflow.count("pm25") == 59


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"password": "wrong"}, "GONGI_INFLUX_PASSWORD"), ({"db": "none"}, "GONGI_INFLUX_DB")],
)
def test_a_wrong_login_keeps_the_blocks(old_outflow: Outflow, changed: dict[str, str], says: str) -> None:
    old_outflow.commit(draft(samples(10)))
    cursor = old_outflow.start(**changed)
    wait_until(lambda: old_outflow.metrics.value("influx_retries") >= 2)
    assert cursor.stop()
    assert says in old_outflow.words[0]
    assert "wrong" not in old_outflow.words[0]
    old_outflow.flow()
    assert old_outflow.count("pm25") == 60
