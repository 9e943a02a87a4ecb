"""`gongi demo`: three virtual schools, from sensor to purifier, in one command."""

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import structlog
from rich.console import Console
from rich.live import Live
from structlog.typing import EventDict

from gateway.command.serve import address
from gateway.demo import Demo, Outcome, Settings, concluded, judged, line, picture, summary
from gateway.publish import broker_of

FRAME_S, LINE_S = 0.5, 5.0
"""Seconds between two frames on a terminal, and between two lines where there is none."""
EPILOG = """\b
Examples:
  gongi demo                             until Ctrl-C
  gongi demo --seconds 60 --json         one simulated hour, one JSON object
  gongi demo --console 0.0.0.0:8080      the page for the phones of this network
"""


@click.command(epilog=EPILOG)
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="End by itself after this time; default: never."
)
@click.option(
    "--speed", type=click.FloatRange(1, 240), default=60.0, show_default=True, help="Times the clock."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of weather, people and sensors.")
@click.option(
    "--console", default="127.0.0.1:0", show_default="a free port", metavar="HOST:PORT", help="The page."
)
@click.option("--mqtt", metavar="HOST:PORT", help="Another broker than the embedded one.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep everything in this new folder.")
@click.option(
    "--network", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Other schools."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end, nothing else.")
def demo(
    seconds: float | None,
    speed: float,
    seed: int,
    console: str,
    mqtt: str | None,
    data: Path | None,
    network: Path | None,
    as_json: bool,
) -> None:
    """Run three virtual schools on real parts: a broker, the devices' firmware, the gateway and its page.

    Haze moves in on a school morning; what the rooms' people breathe is simulated, all else is real.

    Exit status: 0 samples stored, forecasts made, commands acknowledged and nothing lost; 1 not.
    """
    broker = broker_of(mqtt) if mqtt else None
    settings = Settings(speed, seed, address(console, "--console"), broker, data, network)
    terminal = Console(stderr=as_json, quiet=as_json)
    with warnings_kept() as warnings, signals():
        outcome, whole = run(settings, seconds, terminal)
    failed = judged(outcome, whole)
    for warning in warnings if failed else ():
        click.echo(warning, err=True)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "failed": failed, **outcome.described()}))
    else:
        terminal.print(summary(outcome, failed))
    sys.exit(1 if failed else 0)


def run(settings: Settings, seconds: float | None, terminal: Console) -> tuple[Outcome, bool]:
    """The outcome, and whether the run had its time."""
    with Demo(settings, lambda step: terminal.print(f"starting: {step}", style="dim")) as demo:
        whole = play(demo, seconds, terminal)
        outcome = concluded(demo, demo.settle())
    return replace(outcome, cpu_s=cpu()), whole


def play(demo: Demo, seconds: float | None, terminal: Console) -> bool:
    """Show the demonstration until its time is over (True), or somebody ends it (False)."""
    end = None if seconds is None else demo.began + seconds
    try:
        (watch if terminal.is_terminal and not terminal.quiet else tell)(demo, end, terminal)
    except KeyboardInterrupt:
        return False
    return True


def watch(demo: Demo, end: float | None, terminal: Console) -> None:
    """Draw a frame now and then."""
    with Live(console=terminal, screen=True, auto_refresh=False) as frame:
        for left in until(demo, end, FRAME_S):
            frame.update(picture(demo, left, terminal.width), refresh=True)


def tell(demo: Demo, end: float | None, terminal: Console) -> None:
    """Print a line now and then."""
    terminal.print(f"page: {demo.url}", soft_wrap=True)
    for _ in until(demo, end, LINE_S):
        terminal.print(line(demo), soft_wrap=True)


def until(demo: Demo, end: float | None, every: float) -> Iterator[float | None]:
    """The seconds left, every so often, until none are or a part has ended on an error."""
    while not demo.crashed and (end is None or time.monotonic() < end):
        yield None if end is None else end - time.monotonic()
        time.sleep(every if end is None else max(min(every, end - time.monotonic()), 0))


def cpu() -> dict[str, float]:
    """CPU seconds of this process and of the children that have ended."""
    times = os.times()
    return {
        "demo": round(times.user + times.system, 1),
        "children": round(times.children_user + times.children_system, 1),
    }


@contextmanager
def signals() -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or closed terminal interrupts; those after it leave the ending alone."""
    ending = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {one: signal.getsignal(one) for one in ending}

    def interrupt(*_: object) -> None:
        for one in ending:
            signal.signal(one, _heard)
        raise KeyboardInterrupt

    for one in ending:
        signal.signal(one, interrupt)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _heard(*_: object) -> None:
    """Nothing: SIG_IGN would have Python complain of signals that are under way already."""


@contextmanager
def warnings_kept() -> Iterator[deque[str]]:
    """The newest warnings and errors of all parts, instead of log lines that would tear the picture apart."""
    kept: deque[str] = deque(maxlen=20)
    render = structlog.processors.LogfmtRenderer(key_order=("level", "event"))

    def keep(logger: object, method: str, event: EventDict) -> EventDict:
        if event["level"] not in ("debug", "info"):
            kept.append(render(logger, method, event))
        raise structlog.DropEvent

    processors = (structlog.processors.add_log_level, structlog.processors.format_exc_info, keep)
    structlog.configure(processors=processors)
    try:
        yield kept
    finally:
        structlog.reset_defaults()
