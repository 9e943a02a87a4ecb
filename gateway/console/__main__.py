"""`python -m gateway.console --sample`: the console over a simulated school, for looking at it."""

from threading import Event

import click

from edge.readings import SECOND
from gateway.console.app import create_app
from gateway.console.sample import NOON, SampleHistory, live
from gateway.console.serving import serve_console


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--sample", is_flag=True, required=True, help="Serve a simulated school; nothing else is served."
)
@click.option("--port", default=0, show_default=True, help="0 takes a free port.")
@click.option("--still", is_flag=True, help="Let the school's clock stand still, as after a gateway's death.")
def main(sample: bool, port: int, still: bool) -> None:
    """Serve the console over a simulated school until Ctrl-C.

    Example: python -m gateway.console --sample --port 8080
    """
    there = live()
    app = create_app(there, SampleHistory(NOON), lambda: {"nodes": {}}, lambda: b"")
    serving = serve_console(app, port=port)
    click.echo(f"simulated school at {serving.url} (Ctrl-C ends)")
    try:
        while not Event().wait(1.0):
            there.now += 0 if still else SECOND
    except KeyboardInterrupt:
        serving.stop()


if __name__ == "__main__":
    main()
