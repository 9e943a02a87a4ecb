"""The command line: one lazily imported module per command."""

import sys
from importlib import import_module

import click

from edge.problem import Problem

# One row per command: its name and where it is, as the help lists them. `gongi NAME` imports that row alone.
SECTIONS: dict[str, dict[str, str]] = {
    "Run": {
        "demo": "gateway.command.demo:demo",
        "check": "gateway.command.check:check",
        "serve": "gateway.command.serve:serve",
        "ledger": "gateway.command.ledger:ledger",
        "room": "gateway.command.room:room",
        "actuator": "gateway.command.actuator:actuator",
        "reassign": "gateway.command.reassign:reassign",
        "influx": "gateway.command.influx:influx",
    },
    "Tables": {
        "replay": "gateway.command.replay:replay",
        "quality": "gateway.command.quality:quality",
        "calibrate": "gateway.command.calibrate:calibrate",
        "train": "gateway.command.train:train",
        "evaluate": "gateway.command.evaluate:evaluate",
        "index": "gateway.command.index:index",
        "reference": "gateway.command.reference:reference",
        "bench": "gateway.command.bench:bench",
    },
    "Devices": {
        "flash": "gateway.command.flash:flash",
        "credentials": "gateway.command.credentials:credentials",
        "ota": "gateway.command.ota:ota",
        "node": "gateway.command.node:node",
        "broker": "gateway.command.broker:broker",
        "ca": "gateway.command.ca:ca",
    },
}
COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}


class Commands(click.Group):
    """A click group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), function)
        assert isinstance(command, click.Command), f"{COMMANDS[cmd_name]} is not a click command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command with its first sentence, whole; click's own list cuts it off after some words."""
        for title, section in SECTIONS.items():
            found = ((name, self.get_command(ctx, name)) for name in section)
            rows = [(name, command.get_short_help_str(limit=500)) for name, command in found if command]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gongi", prog_name="gongi")
def gongi() -> None:
    """Gongi: from a speck of dust in a classroom to the purifier that takes it away.

    Exit status: 0 all is well, 1 something was found wrong, 2 the command was called wrongly.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors that a person can act on are shown without a traceback."""
    try:
        sys.exit(gongi.main(arguments, prog_name="gongi", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (Problem, OSError) as error:
        click.echo(f"gongi: {error}", err=True)
        sys.exit(1)
