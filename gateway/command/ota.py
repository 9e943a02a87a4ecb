"""`gongi ota`: build a release of the firmware, roll it out over the air, see how far it came."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import click
import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from edge.network import Network
from edge.problem import Problem
from edge.readings import SECOND
from firmware.toolkit import bundle as bundles
from firmware.toolkit import foresight
from firmware.toolkit.application import KINDS
from firmware.toolkit.bundle import CHIPS, Bundle
from firmware.toolkit.secrets import MASTER, Secrets
from gateway.network import load
from gateway.ota import Device, Parcel, Plan, Record, RollOut, State
from gateway.ota.record import staged
from gateway.publish import broker_of

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)
MOST_ROWS = 20
"""Devices in the table: failed and moving ones before waiting and good ones."""
RANK = (State.FAILED, State.TRIAL, State.SENDING, State.AWAY, State.WAITING, State.GOOD)
COLOURS = {State.GOOD: "green", State.FAILED: "red", State.AWAY: "yellow", State.TRIAL: "cyan"}

EPILOG = """\b
Examples:
  gongi ota build --out release.gongi
  gongi ota roll release.gongi --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem
  gongi ota roll release.gongi --network network.toml --share 2 --share 20 --share 100 --minutes 30
  gongi ota status release.gongi --json
"""
BUILD = """\b
Examples:
  gongi ota build --out release.gongi
  gongi ota build --kind actuator --release 42 --json
  gongi ota build --model rooms.gng --network network.toml --site hana
"""
ROLL = """\b
Examples:
  gongi ota roll release.gongi --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem
  gongi ota roll release.gongi --network network.toml --only 1-2-a --only 1-3-a
  gongi ota roll release.gongi --network network.toml --go-on      (after it has halted)
"""


@click.group(epilog=EPILOG)
def ota() -> None:
    """Update the application of nodes and actuators over the air.

    A release is signed for each device with the device's own key, tried by it, and rolled back by the device
    itself where it fails. MicroPython is renewed by cable (gongi flash).
    """


@ota.command(epilog=BUILD)
@click.option(
    "--kind", type=click.Choice(KINDS), default="node", show_default=True, help="Which application."
)
@click.option("--chip", type=click.Choice(CHIPS), default="esp32", show_default=True, help="For which board.")
@click.option("--release", type=click.IntRange(1), help="Its number, above all before (default: now, UTC s).")
@click.option("--model", type=FILE, help="A model of `gongi train` for rooms, which nodes are to carry.")
@click.option("--network", type=FILE, help="With --model: the network file, for the site's calendar.")
@click.option("--site", default="", help="With --model: whose calendar.")
@click.option("--out", type=PATH, help="The bundle's file (default: KIND-CHIP-RELEASE.gongi).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(
    kind: str,
    chip: str,
    release: int | None,
    model: Path | None,
    network: Path | None,
    site: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compile this firmware into one file that `roll` takes."""
    carried = foresight.files(model, load(network) if network else None, site) if model else None
    made = bundles.build(kind, chip, release, model=carried)
    path = out or Path(f"{kind}-{chip}-{made.release}.gongi")
    bundles.save(made, path)
    facts = {"release": made.release, "version": made.version, "kind": kind, "chip": chip}
    facts |= {"file": str(path), "files": len(made.files), "bytes": len(made.content)}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{path}: release {made.release} of {kind} {made.version} for {chip}, ", nl=False)
        click.echo(f"{len(made.files)} files, {len(made.content)} bytes")


@ota.command(epilog=ROLL)
@click.argument("bundle", type=FILE)
@click.option("--network", type=FILE, required=True, help="The network file: which devices there are.")
@click.option("--broker", default="127.0.0.1:1883", show_default=True, help="HOST:PORT.")
@click.option("--ca", type=FILE, help="Believe the broker by this authority (TLS).")
@click.option("--secrets", type=PATH, default=Path("secrets"), show_default=True, help="Where the keys are.")
@click.option("--only", multiple=True, help="Only this device; may be repeated.")
@click.option(
    "--share",
    "shares",
    type=click.FloatRange(0, 100, min_open=True),
    multiple=True,
    default=(5.0, 25.0, 100.0),
    show_default=True,
    help="Percent that have the release when a stage ends; repeated, growing, 100 is added.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 100),
    default=10.0,
    show_default=True,
    help="Percent of a stage that may fail before it halts.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=15.0,
    show_default=True,
    help="A device must be back with samples in this time.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds of silence after which a device counts as away.",
)
@click.option(
    "--at-once", type=click.IntRange(1), default=20, show_default=True, help="Devices sent to at a time."
)
@click.option("--state", type=PATH, help="How far it came (default: BUNDLE.json beside the bundle).")
@click.option("--go-on", is_flag=True, help="Go on with a roll-out that has halted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def roll(
    bundle: Path,
    network: Path,
    broker: str,
    ca: Path | None,
    secrets: Path,
    only: tuple[str, ...],
    shares: tuple[float, ...],
    tolerance: float,
    minutes: float,
    patience: float,
    at_once: int,
    state: Path | None,
    go_on: bool,
    as_json: bool,
) -> None:
    """Bring a release to all devices of its kind: first to a few, then to more, then to all.

    A device is good when it says that it has confirmed the release, and its samples arrive. Where too many of
    a stage fail it halts. Interrupted, the same call goes on where it was. Exit status 1 where it has
    halted, or devices are away: the same call later takes them up.
    """
    # Standard output is the table's, or the JSON object's.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    one, path = bundles.load(bundle), state or _beside(bundle)
    files = load(network)
    record = _record(one, files, only, tuple(sorted({share / 100 for share in shares} | {1.0})), path, go_on)
    plan = Plan(tolerance / 100, minutes, patience, at_once)
    work = RollOut(record, plan, files.root, _parcels(one, Secrets(secrets)), path)
    with _shown(as_json) as show:
        work.run(broker_of(broker, ca=ca), show)
    _finish(record, as_json)


@ota.command(epilog="Example: gongi ota status release.gongi --json")
@click.argument("bundle", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(bundle: Path, as_json: bool) -> None:
    """Say how far the roll-out of BUNDLE (or of its state file) came, also while it runs.

    Exit status 1 where it has halted.
    """
    record = Record.load(bundle if bundle.suffix == ".json" else _beside(bundle))
    if as_json:
        click.echo(json.dumps(record.as_json()))
    else:
        Console().print(table(record))
    if record.halted:
        sys.exit(1)


def _beside(bundle: Path) -> Path:
    return bundle.with_name(bundle.name + ".json")


def _record(
    bundle: Bundle,
    network: Network,
    only: tuple[str, ...],
    shares: tuple[float, ...],
    path: Path,
    go_on: bool,
) -> Record:
    """The roll-out as its file has it, with devices that are new since; or a new one."""
    sites = _sites(bundle, network)
    if unknown := set(only) - set(sites):
        raise Problem(f"there is no {bundle.kind} {', '.join(sorted(unknown))}", advice="look at --network")
    wanted = sorted(only or sites, key=lambda one: sha256(f"{bundle.release}:{one}".encode()).digest())
    if not wanted:
        raise Problem(f"there is no {bundle.kind} in the network files")
    record = Record(bundle.release, bundle.version, bundle.kind, shares)
    if path.exists():
        record = Record.load(path)
        _same(record, bundle, path, go_on)
        record.take_up()
    stages = staged(wanted, record.shares)
    for one in wanted:
        device = record.devices.setdefault(one, Device(one, sites[one], stages[one]))
        device.site = sites[one]
    return record


def _same(record: Record, bundle: Bundle, path: Path, go_on: bool) -> None:
    if (record.release, record.kind) != (bundle.release, bundle.kind):
        raise Problem(
            f"it is the roll-out of release {record.release}", str(path), "name another --state, or remove it"
        )
    if record.halted and not go_on:
        raise Problem(
            f"it has halted: {record.halted}", str(path), "mend the release; or, where that is right, --go-on"
        )
    record.halted = ""


def _sites(bundle: Bundle, network: Network) -> dict[str, str]:
    """Where devices of the bundle's kind listen, by their id."""
    if bundle.kind == "actuator":
        return {one.id: one.site for one in network.actuators.values() if one.dialect == "gongi"}
    now = time.time_ns() // SECOND * SECOND
    places = {node: network.placed(node, now) for node in network.nodes}
    return {node: place.site for node, place in places.items() if place}


def _parcels(bundle: Bundle, secrets: Secrets) -> Callable[[str], Parcel]:
    if not (secrets.folder / MASTER).exists():
        raise Problem(
            "the devices' keys aren't here", str(secrets.folder / MASTER), "name it: --secrets FOLDER"
        )
    content = bundle.content

    def parcel(device: str) -> Parcel:
        manifest = bundles.manifest(bundle, device)
        key = bytes.fromhex(secrets.held(device).key)
        return Parcel(bundle.release, manifest, bundles.sign(manifest, key), content)

    return parcel


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[Record], None]]:
    """A live table on the terminal; nothing with --json."""
    if as_json:
        yield lambda record: None
        return
    with Live(console=Console(), refresh_per_second=4) as live:
        yield lambda record: live.update(table(record))


def _finish(record: Record, as_json: bool) -> None:
    counts = record.counts()
    if as_json:
        click.echo(json.dumps(record.as_json()))
    elif record.halted:
        click.echo(f"gongi: halted: {record.halted}", err=True)
    elif not record.finished:
        left = {state: n for state, n in counts.items() if n and state != State.GOOD}
        click.echo(
            f"gongi: not everywhere: {', '.join(f'{n} {state}' for state, n in left.items())}", err=True
        )
    if not record.finished:
        sys.exit(1)


def table(record: Record) -> Table:
    """A roll-out for people: the devices that one has to look at first, and how many are in each state."""
    counts = ", ".join(f"{n} {state}" for state, n in record.counts().items() if n)
    title = f"release {record.release} ({record.kind} {record.version}): {counts}"
    shown = Table("device", "site", "stage", "state", "sent", "", title=title, caption=record.halted or None)
    rows = sorted(record.devices.values(), key=lambda device: (RANK.index(device.state), device.stage))
    for device in rows[:MOST_ROWS]:
        state = f"[{COLOURS[device.state]}]{device.state}[/]" if device.state in COLOURS else device.state
        sent = f"{100 * device.at // device.of} %" if device.of else ""
        shown.add_row(device.id, device.site, str(device.stage + 1), state, sent, device.word)
    if len(rows) > MOST_ROWS:
        shown.add_row(f"… {len(rows) - MOST_ROWS} more", "", "", "", "", "")
    return shown
