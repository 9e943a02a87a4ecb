"""Models on disk, and training from a real journal, a real archive and a real table."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.model import PERSISTENCE, Model, ModelError
from edge.problem import Problem
from edge.readings import Readings, concat
from edge.train import train
from gateway import table
from gateway.archive import Archive
from gateway.block import Draft
from gateway.command.train import train as command
from gateway.history import History
from gateway.journal import Journal
from gateway.pack import pack
from gateway.training import (
    CURRENT,
    NothingToLearn,
    Watched,
    actions_of,
    load,
    load_current,
    retrain,
    save,
    train_table,
)
from tests.forecast.school import NETWORK, NODES, START, block, day_of, ns

END = START + 2 * 86400


def journal_of(folder: Path, readings: Readings) -> Journal:
    journal = Journal(folder / "journal.sqlite")
    first, last = int(readings.time.min()), int(readings.time.max())
    said = [
        {"at": ns(START + 60), "site": "hana", "device": "p", "payload": {"level": 2, "cause": "command"}}
    ]
    journal.commit(ns(END), [Draft("readings", pack(readings), first=first, last=last)])
    journal.commit(ns(END), [Draft("state", json.dumps(said).encode())])
    return journal


@pytest.fixture(scope="module")
def readings() -> Readings:
    rows = block(day_of(NODES, 2 * 86400, step=60))
    rows.seq[:] = np.arange(len(rows))
    return rows


def test_the_history_teaches_as_its_readings_do(tmp_path: Path, readings: Readings) -> None:
    journal = journal_of(tmp_path, readings)
    history = History(journal, Archive(tmp_path / "archive", journal))
    done: list[tuple[int, int]] = []
    model, report = retrain(history, NETWORK, ns(END), days=3, progress=lambda *step: done.append(step))
    assert (report.rooms, model.installed) == (3, (600, 1800, 3600))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert report.taught[0] == START
    again, _ = retrain(history, NETWORK, ns(END), days=3)
    assert again == model
    journal.close()


def test_what_actuators_said_comes_from_the_journal(tmp_path: Path, readings: Readings) -> None:
    journal = journal_of(tmp_path, readings)
    assert list(actions_of(journal, 0)) == [(ns(START + 60), "p", 2)]
    assert list(actions_of(journal, ns(END + 1))) == []
    history = History(journal, Archive(tmp_path / "archive", journal))
    knowing, _ = retrain(
        history, NETWORK, ns(END), 3, [(ns(START + 3600 * n), "p", n % 3) for n in range(48)]
    )
    assert "cleaning" in knowing.features
    journal.close()


def test_an_empty_history_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(NothingToLearn, match="0 rooms"):
        retrain(History(journal, Archive(tmp_path / "archive", journal)), NETWORK, ns(END), days=1)
    journal.close()


def written(readings: Readings, path: Path) -> Path:
    table.write(readings, path)
    return path


def test_a_table_with_its_network_teaches_what_the_history_does(tmp_path: Path, readings: Readings) -> None:
    path = written(readings, tmp_path / "rooms.parquet")
    model, report = train_table(table.read(path), NETWORK)
    assert report.rooms == 3
    assert [one.horizon_s for one in report.verdicts] == [600, 1800, 3600]
    assert "outdoor" in model.features


def test_a_node_that_the_network_lacks_is_named(tmp_path: Path) -> None:
    stranger = block([("x", START, 1.0, 1)], ("x",))
    with pytest.raises(Problem, match="x isn't a node"):
        train_table(table.read(written(stranger, tmp_path / "rooms.parquet")), NETWORK)


def test_a_saved_model_is_in_force_at_once(tmp_path: Path, readings: Readings) -> None:
    assert load_current(tmp_path) is PERSISTENCE
    watched = Watched(tmp_path)
    assert watched.changed() is None
    model, report = train([])
    path = save(model, report, tmp_path)
    assert load(path) == load_current(tmp_path) == model
    assert watched.changed() == model
    assert watched.changed() is None
    assert json.loads(path.with_suffix(".report.json").read_text())["model"] == model.id == path.stem
    assert not list(tmp_path.glob("*.tmp"))


def test_a_broken_model_is_refused_once_with_its_file(tmp_path: Path) -> None:
    (tmp_path / CURRENT).write_text("{")
    watched = Watched(tmp_path)
    with pytest.raises(ModelError, match=CURRENT):
        watched.changed()
    assert watched.changed() is None
    with pytest.raises(ModelError, match="nowhere"):
        load(tmp_path / "nowhere.json")


def test_the_command_puts_a_table_s_model_in_force(tmp_path: Path, readings: Readings) -> None:
    path = written(readings, tmp_path / "rooms.csv.gz")
    done = CliRunner().invoke(command, ["--table", str(path), "--out", str(tmp_path / "models"), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (
        load_current(tmp_path / "models").id
        == said["model"]
        == Model.decode(Path(said["file"]).read_bytes()).id
    )
    assert [one["horizon_s"] for one in said["verdicts"]] == [600, 1800, 3600]


@pytest.mark.parametrize(
    "wrong", [[], ["--history", ".", "--table", os.devnull], ["--history", "."]], ids=str
)
def test_a_wrong_call_is_a_usage_error(wrong: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(command, [*wrong, "--out", str(tmp_path)]).exit_code == 2


def test_the_history_reads_each_sample_once_though_it_stands_twice(
    tmp_path: Path, readings: Readings
) -> None:
    journal = journal_of(tmp_path, concat([readings, readings]))
    history = History(journal, Archive(tmp_path / "archive", journal))
    single = Journal(tmp_path / "single" / "journal.sqlite")
    single.commit(ns(END), [Draft("readings", pack(readings), first=ns(START), last=ns(END))])
    other = History(single, Archive(tmp_path / "single", single))
    assert retrain(history, NETWORK, ns(END), 3)[0] == retrain(other, NETWORK, ns(END), 3)[0]
    journal.close()
    single.close()
