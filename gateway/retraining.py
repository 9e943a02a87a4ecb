"""Trains the predictor anew from the history now and then, and takes changed models over."""

import threading
from pathlib import Path

import structlog

from edge.forecast import Forecaster
from edge.problem import Problem
from edge.readings import SECOND
from gateway.history import History
from gateway.journal import Journal
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.training import DAYS, Watched, actions_of, retrain, save

log = structlog.get_logger()


class Retraining:
    """Training runs in a thread of low rank; `watch` takes its model over in the river's thread."""

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        history: History,
        live: Live,
        forecaster: Forecaster,
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        self._folder, self._journal, self._history = folder, journal, history
        self._live, self._forecaster, self._alarms, self._metrics = live, forecaster, alarms, metrics
        self._watched = Watched(folder)
        self._thread: threading.Thread | None = None

    def tick(self, _: float = 0.0) -> None:
        """Begin a training, unless one is under way."""
        if self._live.now and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._train, name="training", daemon=True)
            self._thread.start()

    def watch(self, _: float = 0.0) -> None:
        """Take a changed model over, wherever it came from; one that can't be used changes nothing."""
        try:
            model = self._watched.changed()
        except Problem as error:
            self._alarms.raised("model-refused", "model", reason=str(error))
            return
        if model is not None:
            self._journal.keep(model.id, "model", model.encode())
            self._forecaster.model = model
            self._alarms.cleared("model-refused", "model")
            log.info("model in force", model=model.id, beats_persistence_at_s=model.installed)

    def _train(self) -> None:
        now = self._live.now
        try:
            actions = actions_of(self._journal, now - DAYS * 86_400 * SECOND)
            model, report = retrain(self._history, self._live.network, now, actions=actions)
            save(model, report, self._folder)
            self._metrics.count("models", how="installed" if model.installed else "persistence")
        except Problem as error:
            log.info("no model trained", reason=str(error))
            self._metrics.count("models", how="too little to learn from")
        finally:
            self._journal.close()
