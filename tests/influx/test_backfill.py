"""What was stored before InfluxDB was configured comes into it, all of it once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import backfill as work
from gateway import versions
from gateway.command.influx import influx
from gateway.network import load
from gateway.outflow import NAME
from tests.influx import test_means as means
from tests.influx.flow import Hurried, Outflow

SITE = """
[[site]]
id = "hana"
ko = "하나초"
en = "Hana"
tz = "{zone}"
[[node]]
id = "hana-out"
placed = [{{since = 2020-01-01, site = "hana", placement = "outdoor"}}]
fitted = [{{since = 2020-01-01, sensors = [{{type = "pms5003", serial = "P-1"}}]}}]
"""


class Killed(Exception):
    """The process is gone."""


def test_a_killed_backfill_goes_on_and_ends_as_a_whole_one(outflow: Outflow) -> None:
    outflow.network, outflow.clock = means.network(), Hurried(means.NOW)
    outflow.commit(means.draft(means.samples()))
    outflow.journal.move(NAME, outflow.journal.newest())
    task = work.task(outflow.journal, 0, None, "here", means.NOW)
    target = outflow.settings.open()

    def killing(part: int, all: int) -> None:
        if part > 0.6 * all:
            raise Killed

    order = (outflow.journal, outflow.history, outflow.network, target, task, lambda: 1)
    with pytest.raises(Killed):
        work.backfill(*order, killing)
    sent = work.backfill(*order)
    assert sent.resumed == task.since + 24 * means.HOUR
    assert outflow.count("pm25_flag") == len(means.samples())
    assert means.agree(outflow)
    whole = work.backfill(*order)
    assert (whole.resumed, whole.samples, whole.refused) == (None, len(means.samples()), 0)
    assert means.agree(outflow)
    target.close()


def test_the_command_sends_what_a_folder_holds(
    outflow: Outflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = means.samples(last=30)
    rows = rows.take(rows.node == rows.nodes.index("hana-out"))
    (tmp_path / "network.toml").write_text(SITE.format(zone="Asia/Seoul"), "utf-8")
    outflow.journal.path = tmp_path / "journal.sqlite"
    versions.enter(outflow.journal, load(tmp_path / "network.toml"), tmp_path / "network.toml", means.NOW)
    outflow.commit(means.draft(rows))
    names = {"URL": "url", "TOKEN": "token", "ORG": "org", "BUCKET": "bucket"}
    for name, own in names.items():
        monkeypatch.setenv(f"GONGI_INFLUX_{name}", getattr(outflow.settings, own))
    call = ["backfill", "--since", "2025-10-01", "--data", str(tmp_path), "--json"]
    done = CliRunner().invoke(influx, call)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["samples"], said["refused"], said["resumed"]) == (30, 0, None)
    assert outflow.count("pm25_flag") == 30
    assert len(means.stored(outflow, "temp", "air_1h")) == 6
