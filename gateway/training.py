"""Models on disk and their training: from the history or an exchange table to `models/current.json`."""

import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.lessons import Grid, Past, Series
from edge.model import HORIZONS, PERSISTENCE, Model, ModelError
from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND, Readings
from edge.train import Report, train
from gateway.journal import Journal
from gateway.table import Table

CURRENT = "current.json"
"""The model in force, in its folder; each model also stands there under its id, with its report beside it."""

DAYS = 30
MOST_ROOMS = 100
_DAY = 86400 * SECOND

Actions = Iterable[tuple[int, str, int]]
"""What actuators reported: (time [ns], actuator, level)."""

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class NothingToLearn(Problem):
    """There isn't enough to train a model from."""


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
    return load(path) if path.exists() else PERSISTENCE


def save(model: Model, report: Report, folder: Path) -> Path:
    """Put a model in force: its file, its report, and then at once the current one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.id}.json"
    _write(path, model.encode())
    _write(folder / f"{model.id}.report.json", json.dumps(described(model, report)))
    _write(folder / CURRENT, model.encode())
    return path


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def described(model: Model, report: Report) -> dict[str, object]:
    """A model and its report as one JSON object."""
    return {
        "model": model.id,
        "quantity": model.quantity,
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
        return load(self._path)


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
    past = Past(start, now)
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


def train_table(
    table: Table,
    network: Network | None = None,
    tz: str = "Asia/Seoul",
    quantity: str = "pm25",
    horizons: Sequence[int] = HORIZONS,
) -> tuple[Model, Report]:
    """A model from an exchange table; without network files every device is a room of its site, unless its
    `placement` is `outdoor`. Raises `NothingToLearn`."""
    if quantity not in table.numbers:
        columns = ", ".join(table.numbers)
        raise NothingToLearn(f"no column {quantity}", table.name, f"its columns are {columns}")
    return _trained(_series(table, network, tz, quantity), quantity, horizons)


def _trained(
    past: Sequence[Series], quantity: str = "pm25", horizons: Sequence[int] = HORIZONS
) -> tuple[Model, Report]:
    model, report = train(past, horizons, quantity)
    if all(verdict.rmse is None for verdict in report.verdicts):
        rows = max((verdict.taught for verdict in report.verdicts), default=0)
        raise NothingToLearn(
            f"{len(past)} rooms with at most {rows} minutes to learn from",
            advice="some 11 hours of one room are the least, two weeks are good",
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


def _series(table: Table, network: Network | None, tz: str, quantity: str) -> tuple[Series, ...]:
    device, value = table.device, table.numbers[quantity]
    sites, rooms, grids = {}, {}, {}
    for code, name in enumerate(device.names):
        rows = np.flatnonzero((device.code == code) & np.isfinite(value))
        if not rows.size:
            continue
        grids[name] = Grid.of(table.time[rows], value[rows])
        place = network.placed(name, int(table.time[rows[-1]])) if network else None
        if network and place is None:
            raise Problem(f"{name} isn't a node of the network", table.name, "leave --network out, or add it")
        sites[name] = place.site if place else _word(table, "site", int(rows[0]))
        rooms[name] = bool(place.room) if place else _word(table, "placement", int(rows[0])) != "outdoor"
    outdoors = {sites[name]: grids[name] for name in grids if not rooms[name]}
    zones = {site: network.sites[site].tz if network else tz for site in sites.values()}
    return tuple(
        Series.of(name, zones[sites[name]], own, outdoors.get(sites[name]))
        for name, own in sorted(grids.items())
        if rooms[name]
    )


def _word(table: Table, column: str, row: int) -> str:
    words = table.words.get(column)
    return words.names[words.code[row]] if words else ""


def _take_a_back_seat() -> None:
    # On Linux a niceness belongs to the thread that sets it: the gateway's own keep theirs.
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
