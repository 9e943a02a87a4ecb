"""Takes changed network files over while the gateway runs; a faulty change is refused whole and shown."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import structlog

from edge.network import Network
from edge.problem import Problem
from gateway import versions
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.network import files, includes, load, model_files
from gateway.present import Alarms

log = structlog.get_logger()

Mark = tuple[str, int, int]
"""A file's name, size and time of change [ns]."""


class Reload:
    """Watches the network files; `changed(network)` is called with each new version that is in force."""

    def __init__(
        self,
        path: Path,
        live: Live,
        journal: Journal,
        alarms: Alarms,
        metrics: Metrics,
        changed: Callable[[Network], None],
    ) -> None:
        self._path, self._live, self._journal = path, live, journal
        self._alarms, self._metrics, self._changed = alarms, metrics, changed
        self._seen = fingerprint(path)

    def tick(self, _: float) -> None:
        """Look, and take over what has changed."""
        seen = fingerprint(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._take(load(self._path))
        except (Problem, OSError) as error:
            self._refuse(str(error))

    def _take(self, network: Network) -> None:
        versions.hold(self._live.network, network, self._live.now, self._path, self._journal.path.parent)
        versions.enter(self._journal, network, self._path, self._live.now)
        self._live.network, self._live.refused = network, ""
        self._alarms.cleared("network-refused", str(self._path))
        self._metrics.count("reloads", how="taken")
        log.info("network files taken over", hash=network.hash)
        self._changed(network)

    def _refuse(self, reason: str) -> None:
        self._live.refused = reason
        self._alarms.raised("network-refused", str(self._path), reason=reason)
        self._metrics.count("reloads", how="refused")
        log.error("network files refused; the old ones stay in force", reason=reason)


def fingerprint(path: Path) -> tuple[Mark, ...]:
    """Names, sizes and times of the files; a change shows in it."""
    main = _mark(path)
    marks = (main, *map(_mark, files(path, _includes(path, main))[1:]))
    return (*marks, *map(_mark, _models(path, marks)))


@lru_cache(maxsize=1)
def _includes(path: Path, _: Mark) -> object:
    return includes(path)


@lru_cache(maxsize=1)
def _models(path: Path, _: tuple[Mark, ...]) -> list[Path]:
    return model_files(path)


def _mark(file: Path) -> Mark:
    try:
        stat = file.stat()
    except OSError:
        return str(file), -1, -1  # it is just being replaced, or gone
    return str(file), stat.st_size, stat.st_mtime_ns
