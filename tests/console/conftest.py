"""A console over the sample school, served on a free port."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.console import Serving, create_app, serve_console
from gateway.console.pulse import Pulse
from gateway.console.sample import NOON, SampleHistory, live
from gateway.live import Live

LEDGER = {
    "nodes": {"2-1-a": [{"log": "7f3a09c1", "first": 1, "next": 120, "stored": [[1, 119]], "lost": []}]}
}


@dataclass
class Seconds:
    """The machine's seconds, moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Console:
    """A served console and what it shows."""

    live: Live
    seconds: Seconds
    serving: Serving

    def url(self, path: str) -> str:
        return self.serving.url.rstrip("/") + path


@pytest.fixture
def console() -> Iterator[Console]:
    """The sample school's console, looked at four times a second."""
    school, seconds = live(), Seconds()
    app = create_app(
        school,
        SampleHistory(NOON),
        lambda: LEDGER,
        lambda: b"gongi_messages_total 12\n",
        Pulse(school, seconds),
        tick_s=0.25,
    )
    serving = serve_console(app)
    yield Console(school, seconds, serving)
    serving.stop()
