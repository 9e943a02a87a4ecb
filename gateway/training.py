"""Models on disk and their training: from the history to `models/current.model`."""

import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from edge.forecast import check_rooms
from edge.learn.train import Report, train
from edge.network import Network
from edge.predict.model import PERSISTENCE, Model, ModelError
from edge.predict.series import History, Series
from edge.readings import SECOND, Readings
from gateway.journal import Journal
from gateway.lesson import NothingToLearn

CURRENT = "current.model"
"""The model in force, in its folder; each model also stands there under its id, with its report beside it."""

DAYS = 30
MOST_ROOMS = 100
_DAY = 86400 * SECOND

Actions = Iterable[tuple[int, str, int]]
"""What actuators reported: (time [ns], actuator, level)."""

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class Reader(Protocol):
    """The history, as far as training needs it."""

    def read(self, start: int, end: int, nodes: Collection[str] | None = None) -> Readings:
        """Samples with time in [start, end) ns, each once."""


def load(path: Path) -> Model:
    """The model in a file; raises `ModelError` with the file's name."""
    try:
        return Model.decode(path.read_bytes())
    except OSError as error:
        raise ModelError(error.strerror or str(error), str(path), "make one with `gongi train`") from error
    except ModelError as error:
        raise ModelError(error.what, str(path), error.advice) from error


def load_current(folder: Path) -> Model:
    """The model in force in a folder, persistence where there is none; raises `ModelError`."""
    path = folder / CURRENT
    return _for_rooms(path) if path.exists() else PERSISTENCE


def save(model: Model, report: Report, folder: Path) -> Path:
    """Put a model in force: its file, its report, and then at once the current one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.id}.model"
    _write(path, model.encode())
    _write(folder / f"{model.id}.report.json", json.dumps(described(model, report)).encode())
    _write(folder / CURRENT, model.encode())
    return path


def _for_rooms(path: Path) -> Model:
    model = load(path)
    try:
        check_rooms(model)
    except ModelError as error:
        raise ModelError(error.what, str(path), error.advice) from error
    return model


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.write_bytes(data)
    draft.replace(path)


def described(model: Model, report: Report) -> dict[str, object]:
    """A model and its report as one JSON object."""
    return {
        "model": model.id,
        "quantity": model.quantity,
        "bytes": len(model.encode()),
        "installed": list(model.installed),
        **asdict(report),
    }


class Watched:
    """A folder's current model, as it changes: nothing is read before its file changes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CURRENT
        self._seen: tuple[int, int] | None = None

    def changed(self) -> Model | None:
        """The model if its file changed since it was last asked for; raises `ModelError` once for each change
        that can't be used: what was in force stays."""
        try:
            stat = self._path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self._seen:
            return None
        self._seen = stamp
        return _for_rooms(self._path)


def retrain(
    history: Reader,
    network: Network,
    now: int,
    days: int = DAYS,
    actions: Actions = (),
    progress: Progress | None = None,
) -> tuple[Model, Report]:
    """A model from the last `days` of the rooms; reads a day at a time, and takes a back seat where it
    runs beside the gateway in a thread of its own. Raises `NothingToLearn`."""
    _take_a_back_seat()
    start = now - days * _DAY
    past = History(start, now)
    nodes = _chosen(network, now)
    for day in range(days):
        past.add(history.read(start + day * _DAY, min(start + (day + 1) * _DAY, now), nodes))
        if progress:
            progress(day + 1, days)
    for time, actuator, level in actions:
        past.act(actuator, time, level)
    return _trained(past.series(network, now))


def actions_of(journal: Journal, since: int) -> Iterator[tuple[int, str, int]]:
    """What actuators reported since `since` [ns], from the journal's `state` blocks."""
    after = 0
    while blocks := journal.blocks(after, ("state",)):
        after = blocks[-1].id
        for block in blocks:
            for said in json.loads(block.body or b"[]") if block.at >= since else ():
                yield said["at"], said["device"], said["payload"]["level"]


def _trained(past: Sequence[Series]) -> tuple[Model, Report]:
    model, report = train(past)
    if not report.turns:
        rows = max((verdict.taught for verdict in report.verdicts), default=0)
        raise NothingToLearn(
            f"{len(past)} rooms with {rows} minutes to learn from",
            advice="some 10 hours of one room are the least, two weeks are good",
        )
    return model, report


def _chosen(network: Network, now: int) -> frozenset[str]:
    """Rooms' nodes, evenly thinned to `MOST_ROOMS`, and all outdoor nodes of their sites."""
    places = {name: place for name in sorted(network.nodes) if (place := network.placed(name, now))}
    rooms = [name for name, place in places.items() if place.room]
    kept = rooms[:: max(-(-len(rooms) // MOST_ROOMS), 1)]
    sites = {places[name].site for name in kept}
    outdoors = (name for name, place in places.items() if not place.room and place.site in sites)
    return frozenset((*kept, *outdoors))


def _take_a_back_seat() -> None:
    # On Linux a niceness belongs to the thread that sets it: the gateway's own keep theirs.
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
