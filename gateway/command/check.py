"""`gongi check`: every mistake in network files, all at once."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.network import Network
from gateway.network import Mistake, read

COLUMNS = ("where", "found", "wanted")


@click.command(epilog="Example: gongi check examples/school/network.toml")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check network FILES (with all that they include): names every mistake with its place, the value found
    and what would be right.

    Exit status: 0 without mistakes (warnings are shown), 1 with some.
    """
    results = {file: read(file) for file in files}
    if as_json:
        click.echo(json.dumps(_report(results), ensure_ascii=False))
    else:
        _show(results)
    sys.exit(1 if any(network is None for network, _ in results.values()) else 0)


def _report(results: dict[Path, tuple[Network | None, tuple[Mistake, ...]]]) -> dict[str, object]:
    mistakes = [asdict(mistake) for _, found in results.values() for mistake in found]
    files = {str(file): _counts(network) for file, (network, _) in results.items()}
    return {"ok": all(network for network, _ in results.values()), "files": files, "mistakes": mistakes}


def _counts(network: Network | None) -> dict[str, object] | None:
    if network is None:
        return None
    rooms = sum(len(site.rooms) for site in network.sites.values())
    things = {
        name: len(getattr(network, name))
        for name in ("sites", "nodes", "actuators", "stations", "calibrations")
    }
    return {"hash": network.hash, "rooms": rooms, **things}


def _show(results: dict[Path, tuple[Network | None, tuple[Mistake, ...]]]) -> None:
    for file, (network, mistakes) in results.items():
        if mistakes:
            _show_mistakes(mistakes)
        counts = _counts(network)
        if counts:
            digest = counts.pop("hash")
            words = ", ".join(f"{n} {name if n != 1 else name[:-1]}" for name, n in counts.items() if n)
            click.echo(f"ok: {words or 'nothing yet'} ({file}, version {digest})")
        else:
            wrong = sum(not mistake.warning for mistake in mistakes)
            click.echo(f"{file}: {wrong} mistake{'s' if wrong > 1 else ''}, the network can't be used")


def _show_mistakes(mistakes: Sequence[Mistake]) -> None:
    console = Console()
    if not console.is_terminal:
        for mistake in mistakes:
            click.echo(f"{'warning: ' if mistake.warning else ''}{mistake}")
        return
    table = Table(*COLUMNS, show_edge=False, show_lines=True)
    for mistake in mistakes:
        where = Text.assemble(
            (mistake.path, "yellow" if mistake.warning else "bold red"), f"\n{mistake.file}"
        )
        table.add_row(where, Text(mistake.found), Text(mistake.wanted))
    console.print(table)
