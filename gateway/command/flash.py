"""`gongi flash`: a board on a cable becomes a node that the gateway hears."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from edge.network import Network
from edge.problem import Problem
from edge.wire import ID
from firmware.toolkit import batch, foresight, label, register, settings
from firmware.toolkit.flashing import STEPS, Order, Surroundings, outcome
from firmware.toolkit.flashing import flash as flash_board
from firmware.toolkit.images import SOURCE, cache
from firmware.toolkit.loader import BAUD
from firmware.toolkit.ports import Port, present
from firmware.toolkit.proof import Gateway
from firmware.toolkit.register import Wanted
from firmware.toolkit.secrets import Credentials, Secrets
from firmware.toolkit.settings import BadSettings, Device, Sensor
from gateway.network import load

EPILOG = """\b
Examples:
  gongi flash --node 3-2-a --network network.toml
  gongi flash --node 3-2-a --site hana --sensor pms5003:P-2601 --sensor scd4x:S-2601
  gongi flash --batch nodes.csv --network network.toml --bench
  make flash NODE=3-2-a SITE=hana PORT=/dev/ttyUSB0 IMAGE=ESP32_GENERIC.bin DRY=1
"""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Options:
    """The call, as it was made."""

    port: str
    node: str
    site: str
    sensor: tuple[str, ...]
    network: Path | None
    image: Path | None
    wifi: Path
    secrets: Path
    driver: tuple[Path, ...]
    model: Path | None
    batch: Path | None
    register: Path
    labels: Path
    bench: bool
    erase: bool
    dry_run: bool
    self_test: bool
    wait: bool
    baud: int
    as_json: bool


@click.command(epilog=EPILOG)
@click.option("--port", default="", metavar="PORT", help="Serial port [the one with a board].")
@click.option("--node", default="", help="The device's id.")
@click.option("--site", default="", help="Its site's id [as in the network file].")
@click.option("--sensor", multiple=True, metavar="TYPE:SERIAL[:BUS]", help="What it carries [network file].")
@click.option("--network", type=FILE, help="Network file: where the device stands and what it carries.")
@click.option("--image", type=FILE, help="A MicroPython image of one's own, or fetched elsewhere.")
@click.option("--wifi", type=PATH, default=settings.WIFI, show_default=True, help="Networks and brokers.")
@click.option("--secrets", type=PATH, default="secrets", show_default=True, help="Folder of the secrets.")
@click.option("--driver", type=FILE, multiple=True, help="A sensor driver of one's own.")
@click.option("--model", type=FILE, help="A model of `gongi train` for rooms: the node forecasts by itself.")
@click.option("--batch", type=FILE, help="CSV of nodes to work down: node, site, sensors.")
@click.option(
    "--register", type=PATH, default="flashed.csv", show_default=True, help="What was flashed where."
)
@click.option("--labels", type=PATH, default="labels", show_default=True, help="Folder of printable labels.")
@click.option("--bench", is_flag=True, help="End green on the bench's Wi-Fi and broker.")
@click.option("--erase", is_flag=True, help="Begin anew, even where the right MicroPython runs.")
@click.option("--dry-run", is_flag=True, help="Look at board and settings, change nothing.")
@click.option("--self-test/--no-self-test", default=True, help="Let the board try sensors, Wi-Fi and broker.")
@click.option("--wait/--no-wait", default=True, help="Wait until the gateway (GONGI_URL) has its samples.")
@click.option("--baud", default=BAUD, show_default=True, help="Speed of writing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def flash(**options: object) -> None:
    """Flash an ESP32 as a node or actuator: MicroPython, the application, its settings and credentials.

    Finds the port, recognises the chip, fetches the image once, copies what differs, lets the board test
    itself, and ends when the gateway has a plausible sample of every sensor. What was interrupted is taken up
    again. The gateway's address and token come from GONGI_URL and GONGI_TOKEN.

    Exit status: 0 the gateway hears it, 1 something is wrong (said in one sentence), 2 wrong call.
    """
    given = Options(**options)  # type: ignore[arg-type]  # click gives what the options above declare
    if bool(given.node) == bool(given.batch):
        raise click.UsageError("give either --node or --batch (make: NODE= or BATCH=)")
    try:
        done = _flash(given)
    except Problem as problem:
        if not given.as_json:
            raise
        click.echo(json.dumps({"ok": False, "problem": _told(problem)}, ensure_ascii=False))
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("interrupted: the same call goes on where it stopped", err=True)
        raise
    if given.as_json:
        click.echo(json.dumps({"ok": True, "flashed": done}, ensure_ascii=False))


def _flash(given: Options) -> list[Mapping[str, object]]:
    bench = Bench(given, load(given.network) if given.network else None)
    if given.batch:
        return bench.many()
    sensors = register.sensors(given.sensor, "--sensor")
    return [bench.one(Wanted(given.node, given.site, sensors), given.port)]


def _told(problem: Problem) -> dict[str, str]:
    return {"what": problem.what, "where": problem.where, "advice": problem.advice}


class Bench:
    """The technician's bench: the call, the network, and a console that shows one bar."""

    def __init__(self, given: Options, network: Network | None) -> None:
        self.given = given
        self.network = network
        self.console = Console(stderr=True)
        self.reach = settings.read(given.wifi, given.bench)
        self.secrets = Secrets(given.secrets)

    def many(self) -> list[Mapping[str, object]]:
        """Work down the batch: plug in, beep, next; what the register has is not done again."""
        assert self.given.batch is not None, "a batch was asked for"
        rows = {row.node: row for row in register.wanted(self.given.batch)}
        known = register.newest(self.given.register)
        left = [node for node in rows if node not in known]
        if len(left) < len(rows):
            self.say(f"{len(left)} of {len(rows)} are left; the others stand in {self.given.register}")
        for row in rows.values():
            self.device(row)  # a mistake in the list is said before the first board
        done = []
        for node, port in batch.boards(left, self.given.port, present, self.say):
            try:
                done.append(self.one(rows[node], port))
                left.remove(node)
            except Problem as problem:
                self.say(f"✗ {node}: {problem}", style="bold red")
            self.console.bell()
        return done

    def one(self, wanted: Wanted, port: str) -> Mapping[str, object]:
        """Flash one board, enter it in the register, print its label."""
        begun = time.monotonic()
        with self.bar() as show:
            work = flash_board(self.order(wanted, port), self.surroundings(), show)
        result = outcome(work, time.monotonic() - begun)
        if not self.given.dry_run:
            register.enter(self.given.register, result)
            self.label(result)
        self.say(_line(result, self.given.dry_run), style="bold green")
        return result

    def order(self, wanted: Wanted, port: str) -> Order:
        """What is wanted of the next board."""
        given = self.given
        return Order(
            self.device(wanted),
            self.reach,
            Credentials(wanted.node, "", "", 0) if given.dry_run else self.secrets.of(wanted.node),
            self.secrets.authorities(),
            drivers=given.driver,
            port=port,
            image=given.image,
            erase=given.erase,
            dry=given.dry_run,
            examine=given.self_test,
            baud=given.baud,
            gateway=self.gateway(),
            others=self.others() if given.batch else {},
            model=self.model(wanted),
        )

    def model(self, wanted: Wanted) -> Mapping[str, bytes]:
        """The files of the model that a node is to carry, with its site's calendar where that is known."""
        device = self.device(wanted)
        if self.given.model is None or device.kind != "node":
            return {}
        return foresight.files(self.given.model, self.network, device.site)

    def others(self) -> dict[str, str]:
        """The boards that the register has, by MAC address."""
        return {entry["mac"]: node for node, entry in register.newest(self.given.register).items()}

    def gateway(self) -> Gateway | None:
        """The gateway that is to hear the node."""
        if not self.given.wait or self.given.dry_run:
            return None
        url = os.environ.get("GONGI_URL", "")
        if not url:
            raise BadSettings(
                "nobody could tell that the node is heard: GONGI_URL is not set",
                advice="GONGI_URL=http://GATEWAY:8080 gongi flash …, or --no-wait",
            )
        return Gateway(url, os.environ.get("GONGI_TOKEN", ""))

    def device(self, wanted: Wanted) -> Device:
        """The device, by the network file where that knows it, and by the call."""
        if not re.fullmatch(ID, wanted.node):
            raise BadSettings(f"node {wanted.node!r}: 1 to 32 of a-z, 0-9 and - are wanted")
        known = _from_network(self.network, wanted.node, time.time_ns()) if self.network else None
        site = wanted.site or (known.site if known else "")
        if not site:
            raise BadSettings(
                f"where does {wanted.node} stand?", advice="say --site (make: SITE=), or give --network"
            )
        if known is None and not wanted.sensors:
            advice = "say --sensor pms5003:SERIAL --sensor scd4x:SERIAL, or give --network"
            raise BadSettings(f"which sensors does {wanted.node} carry?", advice=advice)
        known = known or Device(wanted.node, site)
        device = Device(wanted.node, site, wanted.sensors or known.sensors, known.kind, known.more)
        if device.kind == "node":
            settings.place(device.sensors)
        return device

    def surroundings(self) -> Surroundings:
        """Where boards are, and who is asked."""
        ask = self.ask if sys.stdin.isatty() and not self.given.as_json else None
        source = os.environ.get("GONGI_IMAGES") or SOURCE
        return Surroundings(cache().parent, present, ask, self.say, source=source)

    def ask(self, ports: Sequence[Port]) -> Port:
        """Let the person pick a port by its number."""
        for n, port in enumerate(ports, 1):
            click.echo(f"  {n}  {port}", err=True)
        return ports[click.prompt("Which board", type=click.IntRange(1, len(ports)), err=True) - 1]

    def say(self, words: str, style: str = "") -> None:
        """Tell the person; standard output is left to `--json`."""
        self.console.print(
            words, style=style or None, markup=False, emoji=False, highlight=False, soft_wrap=True
        )

    def label(self, result: Mapping[str, object]) -> None:
        """Write the node's label, and the page of all labels."""
        folder = self.given.labels
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{result['node']}.svg").write_text(label.svg(result), "utf-8")
        entries = register.newest(self.given.register).values()
        (folder / "labels.html").write_text(label.page(entries), "utf-8")

    @contextmanager
    def bar(self) -> Iterator[Callable[[str, float], None]]:
        """One progress bar over all steps."""
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(None),
            TextColumn("{task.percentage:3.0f} %"),
        )
        quiet = not self.console.is_terminal
        with Progress(
            *columns, TimeElapsedColumn(), console=self.console, transient=True, disable=quiet
        ) as progress:
            task = progress.add_task(STEPS[0][0], total=1.0)
            yield lambda name, share: progress.update(task, description=name, completed=share)


def _from_network(network: Network, id: str, now: int) -> Device | None:
    """The device as the network file has it at `now` [ns]; None where it isn't in it."""
    if id in network.actuators:
        actuator = network.actuators[id]
        room = network.nodes_in(actuator.site, actuator.room, now)
        more = {
            "levels": len(actuator.levels),
            "safe_level": actuator.safe_occupied,
            "room_nodes": [[actuator.site, node.id] for node in room],
            "batch_s": max((node.batch_s for node in room), default=60),
        }
        return Device(id, actuator.site, (), "actuator", more)
    if id not in network.nodes:
        return None
    node = network.nodes[id]
    place = network.placed(id, now) or node.placements[0]
    fitted = [entry for entry in node.fitted if entry.since <= now] or list(node.fitted[:1])
    sensors = tuple(Sensor(kind, serial) for kind, serial in fitted[-1].sensors) if fitted else ()
    pace = {"sample_s": node.sample_s, "batch_s": node.batch_s, "duty": node.duty}
    return Device(id, place.site, sensors, "node", pace)


def _line(result: Mapping[str, object], dry: bool) -> str:
    """The green line."""
    if dry:
        left = "only the application is copied" if result["micropython"] else "all on it is erased first"
        return (
            f"✓ {result['chip']} {result['mac']} on {result['port']} can become {result['node']} "
            f"({left}); nothing was changed"
        )
    values = result["values"]
    heard = ", ".join(f"{k} {v}" for k, v in values.items()) if isinstance(values, Mapping) else ""
    aside = " (kept aside until the network files name it)" if result["quarantine"] else ""
    proof = heard + aside if heard else "not waited for"
    return (
        f"✓ {result['node']} in {result['site']}: {result['chip']} {result['mac']}, MicroPython "
        f"{result['micropython']}, Gongi {result['application']}; {proof} ({result['seconds']} s)"
    )
