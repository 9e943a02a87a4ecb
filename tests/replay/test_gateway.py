"""Replay into a real gateway: what its ledger says is what was published."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from edge.problem import Problem
from gateway import table as tables
from gateway.command.replay import replay
from tests.replay.test_play import table
from tests.servers import Mosquitto, free_port, wait_until


class Gateway:
    """`gongi serve` as a process."""

    def __init__(self, folder: Path, network: Path, broker: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "serve.log"
        self._command = [
            sys.executable,
            "-m",
            "gateway",
            "serve",
            str(network),
            "--data",
            str(folder / "data"),
        ]
        self._command += ["--mqtt", f"127.0.0.1:{broker}", "--console", f"127.0.0.1:{self.port}"]

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log, stdout=log)
        wait_until(self.answers, 30, 0.1)

    def answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            with urlopen(f"{self.url}/api/v1/ledger", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
            self.process.wait(20)


@pytest.fixture
def mosquitto(request: pytest.FixtureRequest, start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A Mosquitto that keeps what it has for a session, or (by parameter) so many messages of it."""
    return start_mosquitto(keeps=True, queued=getattr(request, "param", 0))


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Gateway]:
    """A gateway whose network is that of the table in `seoul.csv`."""
    tables.write(table(4, 900), tmp_path / "seoul.csv")
    network = tmp_path / "network.toml"
    command = [str(tmp_path / "seoul.csv"), "--write-network", str(network), "--batch", "5"]
    assert CliRunner().invoke(replay, command).exit_code == 0
    gateway = Gateway(tmp_path, network, mosquitto.port)
    gateway.start()
    yield gateway
    gateway.end()


@pytest.fixture
def replayed(tmp_path: Path, mosquitto: Mosquitto, gateway: Gateway) -> Callable[..., dict[str, Any]]:
    """Replay that table into that gateway and return the report."""

    def run(*options: str) -> dict[str, Any]:
        command = [
            str(tmp_path / "seoul.csv"),
            "--as",
            str(tmp_path / "network.toml"),
            "--json",
            "--wait",
            "60",
        ]
        command += ["--mqtt", f"127.0.0.1:{mosquitto.port}", "--gateway", gateway.url, *options]
        result = CliRunner().invoke(replay, command, catch_exceptions=False)
        report: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == (0 if report["complete"] else 1)
        return report

    return run


def test_all_is_stored_and_a_second_time_all_are_doubles(replayed: Callable[..., dict[str, Any]]) -> None:
    report = replayed()
    assert report["complete"]
    assert (report["gateway"]["stored_samples"], report["gateway"]["doubles"]) == (3600, 0)
    again = replayed()
    assert again["complete"]
    assert again["gateway"]["doubles"] == again["published"]["batches"] == 720
    assert again["gateway"]["conflicts"] == 0


@pytest.mark.parametrize("mosquitto", [150], indirect=True)
def test_what_a_full_queue_drops_is_asked_for_and_sent_again(replayed: Callable[..., dict[str, Any]]) -> None:
    """Mosquitto's defaults do this to a replay; `info` too, so that nobody knows of the last batches."""
    report = replayed()
    assert report["published"]["resent"] > 0
    assert report["complete"], report
    assert report["gateway"]["stored_samples"] == 3600


def test_gateway_and_broker_are_killed_in_the_middle(
    mosquitto: Mosquitto, gateway: Gateway, replayed: Callable[..., dict[str, Any]]
) -> None:
    """The broker forgets what it kept for the gateway, which asks for it: the replay sends it again."""
    reports: list[dict[str, Any]] = []
    playing = threading.Thread(target=lambda: reports.append(replayed("--speed", "15000")))
    playing.start()
    stored = "gongi_batches_stored_total"
    wait_until(lambda: counter(gateway, stored) > 100, 30)
    gateway.end(signal.SIGKILL)
    gateway.start()
    wait_until(lambda: counter(gateway, stored) > 50, 30)
    gateway.end(signal.SIGKILL)
    mosquitto.kill()
    mosquitto.forget()
    mosquitto.start()
    gateway.start()
    playing.join(90)
    assert reports
    assert reports[0]["complete"], reports
    assert reports[0]["gateway"]["stored_samples"] == 3600
    assert reports[0]["gateway"]["conflicts"] == 0


def counter(gateway: Gateway, name: str) -> float:
    with urlopen(f"{gateway.url}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def test_a_gateway_that_is_not_there_is_said(replayed: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(Problem, match="ledger can't be asked"):
        replayed("--gateway", f"http://127.0.0.1:{free_port()}")
