"""Models on disk, and training from a real journal, a real archive and a real table."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.learn.train import train
from edge.predict.model import PERSISTENCE, Model, ModelError, persistence
from edge.readings import Readings, concat
from gateway import table
from gateway.archive import Archive
from gateway.block import Draft
from gateway.command.evaluate import evaluate
from gateway.command.train import train as command
from gateway.history import History
from gateway.journal import Journal
from gateway.lesson import NothingToLearn
from gateway.pack import pack
from gateway.training import (
    CURRENT,
    Watched,
    actions_of,
    load,
    load_current,
    retrain,
    save,
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
    assert (report.places, model.installed) == (3, (600, 1800, 3600))
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
    assert "cleaning" in [one.name for one in knowing.columns]
    journal.close()


def test_an_empty_history_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    with pytest.raises(NothingToLearn, match="0 rooms"):
        retrain(History(journal, Archive(tmp_path / "archive", journal)), NETWORK, ns(END), days=1)
    journal.close()


def written(readings: Readings, path: Path) -> Path:
    table.write(readings, path)
    return path


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
        load(tmp_path / "nowhere.model")


def test_a_model_for_hours_is_refused_for_rooms(tmp_path: Path) -> None:
    (tmp_path / CURRENT).write_bytes(replace(persistence(), unit_s=3600).encode())
    with pytest.raises(ModelError, match="3600 s"):
        Watched(tmp_path).changed()


def test_a_table_s_model_is_judged_on_what_it_has_not_seen(tmp_path: Path, readings: Readings) -> None:
    path, model = str(written(readings, tmp_path / "rooms.csv.gz")), str(tmp_path / "rooms.model")
    page, other = tmp_path / "model.html", tmp_path / "judged.html"
    done = CliRunner().invoke(command, [path, "--rows", "--out", model, "--json", "--html", str(page)])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert Model.decode(Path(model).read_bytes()).id == said["model"]
    assert [one["horizon_s"] for one in said["verdicts"]] == [600, 1800, 3600]
    asked = [model, path, "--rows", "--json", "--against", "ridge", "--html", str(other)]
    judged = CliRunner().invoke(evaluate, asked)
    assert judged.exit_code == 0, judged.output
    told = json.loads(judged.stdout)
    assert [one["horizon"] for one in told["horizons"]] == ["10m", "30m", "1h"]
    assert set(told["horizons"][0]) >= {"r2", "mae", "rmse", "skill_persistence", "coverage", "onset"}
    onset = {"precision", "recall", "f1", "average_precision", "lead_time", "eer"}
    assert set(told["horizons"][0]["onset"]) >= onset
    assert told["against"]["ridge"][0]["r2"] is not None
    for html in (page.read_text(), other.read_text()):
        assert "<svg" in html
        assert "http" not in html.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--history", ".", os.devnull],
        ["--history", "."],
        [os.devnull, "--horizons", "soon"],
        [os.devnull, "--horizons", "90m,1h,25h"],
    ],
    ids=str,
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
