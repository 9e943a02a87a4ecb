"""`gongi serve`: run the gateway."""

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import structlog

from gateway.clock import CLOCKS
from gateway.console import create_app, serve_console
from gateway.influx1 import configured
from gateway.receive import Broker
from gateway.reference.sources import client
from gateway.serve import Gateway, Options

log = structlog.get_logger()


@click.command(epilog="Example: gongi serve examples/school/network.toml --data data --mqtt 127.0.0.1:1883")
@click.argument("network", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where to store.",
)
@click.option("--mqtt", default="127.0.0.1:1883", show_default=True, metavar="HOST:PORT", help="The broker.")
@click.option(
    "--mqtt-ca", type=click.Path(exists=True, path_type=Path), help="The broker's CA: connect with TLS."
)
@click.option("--name", default="gateway", show_default=True, help="This gateway's name at the broker.")
@click.option(
    "--clock", type=click.Choice(list(CLOCKS)), default="system", show_default=True, help="Whose time."
)
@click.option(
    "--console", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT", help="The page's address."
)
@click.option(
    "--archive-quiet", default=600.0, show_default=True, help="Seconds before a changed hour is archived."
)
@click.option("--json", "as_json", is_flag=True, help="Log lines as JSON objects on standard error.")
def serve(
    network: Path,
    data: Path,
    mqtt: str,
    mqtt_ca: Path | None,
    name: str,
    clock: str,
    console: str,
    archive_quiet: float,
    as_json: bool,
) -> None:
    """Take samples in from the broker, store each exactly once, look ahead, and switch what cleans the air.

    Secrets come from the environment: GONGI_MQTT_USER and GONGI_MQTT_PASSWORD; GONGI_INFLUX_URL,
    GONGI_INFLUX_TOKEN, GONGI_INFLUX_ORG and GONGI_INFLUX_BUCKET (for an InfluxDB 1.x GONGI_INFLUX_DB,
    GONGI_INFLUX_USER and GONGI_INFLUX_PASSWORD; without a URL nothing goes to InfluxDB);
    GONGI_TOKEN, which whoever sets an actuator over the API must know (without it only this machine may).
    """
    render_logs(as_json)
    (host, port), listening = address(mqtt, "--mqtt"), address(console, "--console")
    user, password = os.environ.get("GONGI_MQTT_USER"), os.environ.get("GONGI_MQTT_PASSWORD")
    options = Options(
        network=network,
        data=data,
        broker=Broker(host, port, user, password, mqtt_ca),
        name=name,
        influx=configured(os.environ),
        archive_quiet=archive_quiet,
        # A simulated clock's hours are none that a station has measured.
        references=client(os.environ, data / "reference") if clock == "system" else None,
    )
    gateway = Gateway(options, CLOCKS[clock]())
    gateway.prepare()
    with ExitStack() as ending:
        page = create_app(
            gateway.live,
            gateway.history,
            gateway.report,
            gateway.metrics.text,
            overrides=gateway.overrides,
            token=os.environ.get("GONGI_TOKEN", ""),
        )
        # Before a word to the broker: a second start by mistake must not take over the first one's session.
        serving = serve_console(page, *listening)
        ending.callback(serving.stop)
        ending.callback(gateway.stop)
        gateway.begin()
        log.info("console", url=serving.url)
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            gateway.join()
        except KeyboardInterrupt:
            log.info("stopping")
    if gateway.failed:
        raise SystemExit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def address(text: str, option: str) -> tuple[str, int]:
    """HOST:PORT apart; raises a usage error that says what was found."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        why = f"{text!r} is not HOST:PORT with a port up to 65535."
        raise click.BadParameter(why, param_hint=f"'{option}'")
    return host.removeprefix("[").removesuffix("]"), int(port)


def render_logs(as_json: bool) -> None:
    """Structured logs on standard error: for people, or as one JSON object a line."""
    # The renderer's own tracebacks show every local variable: a thousand lines, and the broker's password.
    people = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    last: list[structlog.typing.Processor] = [people]
    if as_json:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    stamp = structlog.processors.TimeStamper(fmt="iso")
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, *last],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
