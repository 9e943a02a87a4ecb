"""Fixtures of real parts, and the rule that in CI nothing may be skipped."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.broker import Broker
from tests.parts import need
from tests.servers import Influx, Mosquitto

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SKIPS = pytest.StashKey["Skips"]()
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
def start_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start any number of Mosquittos: `start_mosquitto(keeps=True, size_limit=…)`."""
    program = need("mosquitto")
    started: list[Mosquitto] = []

    def start(**options: bool | int) -> Mosquitto:
        broker = Mosquitto(program, tmp_path / f"mosquitto-{len(started)}", **options)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running Mosquitto that keeps its sessions over `stop` and `start`."""
    return start_mosquitto(keeps=True)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Broker]:
    """The embedded broker, running."""
    need("nats")
    with Broker(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "nats"])
def broker(request: pytest.FixtureRequest) -> Mosquitto | Broker:
    """Either broker, one after the other: `.port .start() .stop() .kill() .forget()`."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """One InfluxDB for the whole run; tests take `influx`, which gives each its own bucket."""
    server = Influx(need("influxd"), tmp_path_factory.mktemp("influx"))
    try:
        server.start()
        server.setup()
        yield server
    finally:
        server.stop()


@pytest.fixture
def influx(influx_server: Influx, request: pytest.FixtureRequest) -> Influx:
    """The running InfluxDB with an empty bucket of the test's own."""
    if not influx_server.alive:
        influx_server.start()
    influx_server.new_bucket(f"{request.node.name[:60]}-{os.urandom(3).hex()}")
    return influx_server


@pytest.fixture(scope="session")
def micropython() -> str:
    """The path of MicroPython's Unix port."""
    return need("micropython")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright  # here: the other tests needn't wait for it

    program = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """An empty page of the headless Chromium."""
    page = browser.new_page()
    yield page
    page.close()


class Skips:
    """Collects what was skipped, also by workers, whose reports come here."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._add(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._add(report.nodeid, report.longrepr)

    def _add(self, name: str, reason: object) -> None:
        self.lines.append(f"{name}: {reason[2] if isinstance(reason, tuple) else reason}")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPS] = Skips()
    config.pluginmanager.register(config.stash[SKIPS])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[SKIPS].lines and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        for line in config.stash[SKIPS].lines:
            terminalreporter.write_line(f"SKIPPED IN CI, which is a failure: {line}", red=True)
