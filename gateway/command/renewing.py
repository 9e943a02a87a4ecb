"""What the commands that renew something on every device have in common."""

import hmac
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from edge.network import Network, in_force
from edge.problem import Problem
from edge.readings import SECOND
from firmware.toolkit import register
from firmware.toolkit.proof import Gateway
from firmware.toolkit.secrets import MASTER, Secrets
from gateway.network import load
from gateway.publish import broker_of
from gateway.receive import Broker
from gateway.renewal import Member, Pace, Record, Round, Terms, alone

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)
FOLDER = "renewals"
MOST_ROWS = 20
MOST_ASKED = 200
"""Devices of which the gateway is asked when it had samples."""

PLACES = (
    click.option("--network", type=FILE, required=True, help="The network file: which devices there are."),
    click.option(
        "--register", type=PATH, default=Path("flashed.csv"), show_default=True, help="What was flashed."
    ),
    click.option(
        "--secrets", type=PATH, default=Path("secrets"), show_default=True, help="Folder of the secrets."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)
TALKING = (
    click.option(
        "--broker",
        "brokers",
        multiple=True,
        default=("127.0.0.1:1883",),
        show_default=True,
        metavar="HOST:PORT",
        help="Where devices are heard; may be repeated.",
    ),
    click.option("--ca", type=FILE, help="Believe the brokers by this authority (TLS), and by the next one."),
    click.option(
        "--patience",
        type=click.FloatRange(0, min_open=True),
        default=60.0,
        show_default=True,
        help="Seconds without a step of any device after which the call ends; the next one goes on.",
    ),
    click.option("--wait", is_flag=True, help="Go on until no device is left, and retire the old then."),
    click.option(
        "--at-once", type=click.IntRange(1), default=50, show_default=True, help="Devices at a time."
    ),
    click.option(
        "--without", multiple=True, metavar="NODE", help="Leave this device behind; may be repeated."
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, send nothing."),
)


@dataclass(frozen=True)
class Call:
    """What every renewing command is given."""

    network: Path
    register: Path
    secrets: Path
    as_json: bool
    brokers: tuple[str, ...] = ()
    ca: Path | None = None
    patience: float = 60.0
    wait: bool = False
    at_once: int = 50
    without: tuple[str, ...] = ()
    dry_run: bool = False

    @cached_property
    def files(self) -> Network:
        """The network files."""
        return load(self.network)

    @cached_property
    def kept(self) -> Secrets:
        """The secrets. Raises `Problem` where the devices' keys aren't here."""
        if not (self.secrets / MASTER).exists():
            advice = "name the folder: --secrets FOLDER"
            raise Problem("the devices' keys aren't here", str(self.secrets / MASTER), advice)
        return Secrets(self.secrets)

    def path(self, kind: str) -> Path:
        """Where the renewal's file is."""
        return self.secrets / FOLDER / f"{kind}.json"

    def under_way(self, kind: str) -> Record | None:
        """The renewal that was begun and not ended, with devices that came since. Until this command ends no
        other call renews the same. Raises `Problem` where one does."""
        if not self.dry_run:
            click.get_current_context().with_resource(alone(self.path(kind)))
        if not self.path(kind).exists():
            return None
        record = Record.load(self.path(kind))
        if record.ended:
            return None
        if record.kind != "site":
            self.joined(record)
        record.take_up()
        return record

    def joined(self, record: Record) -> Record:
        """The record with every device of now, and those left behind marked."""
        addresses = self.addresses()
        for device, site in addresses.items():
            if self._flashed(device) > record.members.setdefault(device, Member(device, site)).turn > 0:
                record.members[device] = Member(device, site)  # what it was told is gone
        for device in [one for one in record.members if one not in addresses]:
            del record.members[device]
        self.leave(record)
        return record

    def _flashed(self, device: str) -> float:
        """When a device was flashed last, as the register says [UTC s]; 0 where it doesn't."""
        try:
            return datetime.fromisoformat(self._register.get(device, {}).get("at", "")).timestamp()
        except ValueError:
            return 0.0

    @cached_property
    def _register(self) -> Mapping[str, Mapping[str, str]]:
        return register.newest(self.register)

    def leave(self, record: Record) -> None:
        """Mark who is left behind. Raises `Problem` naming those that don't exist."""
        if unknown := set(self.without) - set(record.members):
            raise Problem(f"there is no {', '.join(sorted(unknown))}", advice="look at --network")
        for device in self.without:
            record.members[device].without = True

    def addresses(self) -> dict[str, str]:
        """The site under which each device listens: that of its flashing, else that of the network files."""
        now = time.time_ns() // SECOND * SECOND
        found = {one.id: one.site for one in self.files.actuators.values() if one.dialect == "gongi"}
        for node in self.files.nodes.values():
            if place := in_force(node.placements, now):
                found[node.id] = place.site
        return found | {
            device: entry["site"] for device, entry in self._register.items() if entry.get("site")
        }

    def sign(self, device: str, turn: int, change: str) -> str:
        """The HMAC of a change by the device's key."""
        return sign(bytes.fromhex(self.kept.held(device).key), turn, change)

    def round(self, record: Record) -> Round:
        """The talk with the devices."""
        # Standard output is the table's, or the JSON object's.
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
        pace = Pace(trial=record.facts.get("trial_s", Pace().trial))
        terms = Terms(self.patience, self.wait, self.at_once, pace)
        path = None if record.kind == "wifi" else self.path(record.kind)
        return Round(record, self.files.root, self.sign, terms, path)

    def addressed(self) -> Sequence[Broker]:
        """The brokers at which devices are heard."""
        return [broker_of(one, ca=self.ca) for one in self.brokers]


def sign(key: bytes, turn: int, change: str) -> str:
    """The HMAC-SHA256 (hex) of a change."""
    return hmac.digest(key, b"reconfigure\n%d\n" % turn + change.encode(), "sha256").hex()


@contextmanager
def shown(as_json: bool) -> Iterator[Callable[[Record], None]]:
    """A live table on the terminal; nothing with --json."""
    if as_json:
        yield lambda record: None
        return
    with Live(console=Console(), refresh_per_second=4) as live:
        yield lambda record: live.update(table(record))


def table(record: Record) -> Table:
    """A renewal for people: those that lack something first."""
    counts = record.counts()
    title = [
        f"{record.kind}: {counts.pop('all')} devices",
        *(f"{n} {name}" for name, n in counts.items() if n),
    ]
    view = Table("device", "site", "step", "last heard", "", title=", ".join(title))
    names = ("", *record.names)
    rows = sorted(record.members.values(), key=lambda one: (one.done, not one.word, one.id))
    for one in rows[:MOST_ROWS]:
        state = "left behind" if one.without else names[one.done] or "waiting"
        colour = "red" if one.word else "green" if one.done >= record.upto else "yellow"
        view.add_row(one.id, one.site, f"[{colour}]{state}[/]", when(one.heard), one.word)
    if len(rows) > MOST_ROWS:
        view.add_row(f"… {len(rows) - MOST_ROWS} more", "", "", "", "")
    return view


def when(utc: int | None) -> str:
    """A UTC second for people and for JSON."""
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if utc else ""


def lacking(record: Record) -> list[dict[str, Any]]:
    """Who hasn't come so far, when it was last heard, and why it refused."""
    members = record.lacking(record.upto)
    samples = _samples([one.id for one in members if one.heard is None])
    return [
        {
            "device": one.id,
            "site": one.site,
            "lacks": record.names[one.done],
            "heard": when(one.heard) or samples.get(one.id),
            "word": one.word or None,
        }
        for one in members
    ]


def _samples(devices: Sequence[str]) -> Mapping[str, str]:
    """When the gateway (GONGI_URL, GONGI_TOKEN) had the newest sample of devices that weren't heard here."""
    url = os.environ.get("GONGI_URL")
    if not url:
        return {}
    gateway = Gateway(url, os.environ.get("GONGI_TOKEN", ""))
    try:
        return {one: gateway.seen(one).time for one in devices[:MOST_ASKED]}
    except Problem:
        return {}


def told(record: Record, as_json: bool, following: str, **more: Any) -> None:
    """Say how far it came, who lacks what, and what comes next; exit status 1 where some lack something, but
    for a dry run."""
    left = lacking(record)
    if as_json:
        facts = {**record.as_json(), "lacking": left, "complete": record.ended, "next": following, **more}
        click.echo(json.dumps(facts))
    else:
        for one in left:
            heard = f"last heard {one['heard']}" if one["heard"] else "not heard since this began"
            click.echo(f"{one['device']} at {one['site']}: lacks “{one['lacks']}”, {heard}", nl=False)
            click.echo(f": {meaning(one['word'])}" if one["word"] else "")
        click.echo(following)
    if left and not more.get("dry_run"):
        sys.exit(1)


MEANING: Mapping[str, str] = {
    "mac": "its update key is another one; was it flashed with these secrets?",
    "change": "it can't read the change; renew its application first (gongi ota)",
    "key": "it has no update key; flash it",
    "unknown op": "its application is too old; renew it first (gongi ota)",
}


def meaning(word: str) -> str:
    """A device's word, with what to do about it."""
    return f"{word}: {MEANING[word]}" if word in MEANING else word
