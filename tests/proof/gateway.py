"""`gongi serve` as a process of its own, so that a kill is a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from edge.readings import Readings
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from tests.proof.bench import everything
from tests.servers import Influx, free_port, wait_until


class Gateway:
    """A gateway over `folder`, which outlives its kills; `log` holds what all its lives wrote."""

    def __init__(
        self, folder: Path, network: Path, broker: int, influx: Influx | None = None, *options: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data, self.log = folder / "data", folder / "serve.log"
        self.network = network
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        # A warning is an error there as here.
        self._environment = os.environ | {"PYTHONWARNINGS": "error"} | (_outflow(influx) if influx else {})
        self._command = [sys.executable, "-m", "gateway", "serve", str(network), "--data", str(self.data)]
        self._command += ["--mqtt", f"127.0.0.1:{broker}", "--console", f"127.0.0.1:{self.port}", *options]

    def start(self) -> None:
        """Start it, and return once its ledger can be asked."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        wait_until(self.answers, 30, 0.05)

    def answers(self) -> bool:
        """Whether its console does; fails where it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return "ledger" in self.ask("ledger")
        except OSError:
            return False

    def kill(self) -> None:
        """End it at this instant."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an administrator would; its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(20)

    def ask(self, what: str) -> Any:
        """An answer of its JSON API."""
        with urlopen(f"{self.url}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)

    def ledger(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Its ledger by (node, log)."""
        return {(row["node"], row["log"]): row for row in self.ask("ledger")["ledger"]["logs"]}

    def stored(self) -> Readings:
        """All samples in its journal and archive."""
        journal = Journal(self.data / "journal.sqlite")
        try:
            return everything(journal, History(journal, Archive(self.data / "archive", journal)))
        finally:
            journal.close()

    def settled(self) -> bool:
        """Whether no row waits for its place or its flags."""
        journal = Journal(self.data / "journal.sqlite")
        try:
            return not journal.late()
        finally:
            journal.close()

    def counted(self, name: str) -> float:
        """A counter of /metrics, summed over its labels, or a gauge."""
        with urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        names = (f"gongi_{name}_total", f"gongi_{name}")
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] in names)


def _outflow(influx: Influx) -> dict[str, str]:
    words = {"URL": influx.url, "TOKEN": influx.token, "ORG": influx.org, "BUCKET": influx.bucket}
    return {f"GONGI_INFLUX_{name}": word for name, word in words.items()}
