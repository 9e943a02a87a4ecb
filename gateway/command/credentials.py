"""`gongi credentials`: users, passwords, keys and rights of all devices, and the brokers' files of them."""

import difflib
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.problem import Problem
from firmware.toolkit import broker_files, proofs, register
from firmware.toolkit.rights import Rights, rights
from firmware.toolkit.secrets import MASTER, Secrets
from gateway.network import load

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)
SECRET = re.compile(r"(?<=:)\$7\$\S+|(?<=password: \")[^\"]+|(?<=PASSWORD=)\S+")
F = TypeVar("F", bound=Callable[..., None])

EPILOG = """\b
Examples:
  gongi credentials render --network network.toml --reload /run/mosquitto.pid
  gongi credentials show 3-2-a --network network.toml --reveal
  gongi credentials rotate 3-2-a --network network.toml      (then: gongi flash --node 3-2-a …)
  gongi credentials retire --network network.toml --log mosquitto.log
  gongi credentials revoke 3-2-a --network network.toml --dry-run --json
"""


@dataclass(frozen=True)
class Given:
    """What every subcommand is given."""

    network: Path
    register: Path
    secrets: Path
    out: Path | None = None
    reload: tuple[Path, ...] = ()
    dry_run: bool = False
    as_json: bool = False

    @property
    def folder(self) -> Path:
        """Where the brokers' files go."""
        return self.out or self.secrets

    @cached_property
    def kept(self) -> Secrets:
        """The secrets, before anything is changed. Raises `Problem` where the master of devices that were
        flashed isn't here, or git would see what is written."""
        broker_files.ignored(self.folder)
        if register.entries(self.register) and not (self.secrets / MASTER).exists():
            advice = "bring it here, or name it: --secrets FOLDER; a new one would lock all devices out"
            raise Problem("the master secret isn't here", str(self.secrets / MASTER), advice)
        return Secrets(self.secrets, self.dry_run)

    @cached_property
    def everyone(self) -> Mapping[str, Rights]:
        """The gateway and all devices, with their rights."""
        found = rights(load(self.network), register.newest(self.register), time.time_ns())
        return {one.device: one for one in found}

    def named(self, devices: Iterable[str]) -> list[str]:
        """These devices. Raises `Problem` naming those that don't exist."""
        asked = list(dict.fromkeys(devices))
        if unknown := [device for device in asked if device not in self.everyone]:
            advice = f"neither {self.network} nor {self.register} has it"
            raise Problem(f"there is no {', '.join(unknown)}", advice=advice)
        return asked


COMMON = (
    click.option("--network", type=FILE, required=True, help="The network file."),
    click.option(
        "--register", type=PATH, default=Path("flashed.csv"), show_default=True, help="What was flashed."
    ),
    click.option(
        "--secrets", type=PATH, default=Path("secrets"), show_default=True, help="Folder of the secrets."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)
CHANGING = (
    *COMMON,
    click.option("--out", type=PATH, help="Folder of the brokers' files [that of the secrets]."),
    click.option(
        "--reload",
        type=FILE,
        multiple=True,
        metavar="PIDFILE",
        help="Let this broker read them anew (SIGHUP).",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would change, change nothing."),
)


def options(of: Iterable[Callable[[F], F]]) -> Callable[[F], F]:
    """Several options at once."""

    def put(function: F) -> F:
        for option in reversed(tuple(of)):
            function = option(function)
        return function

    return put


@click.group(epilog=EPILOG)
def credentials() -> None:
    """Keep the users, passwords and update keys of all nodes and actuators, and tell the brokers of them.

    All come from one master secret in the folder secrets/, which git ignores: back it up. Every subcommand
    has --json; those that change something write the brokers' files anew and have --dry-run.
    """


@credentials.command(epilog="Example: gongi credentials render --network network.toml --dry-run")
@options(CHANGING)
def render(**given: Any) -> None:
    """Write Mosquitto's passwords and ACL, NATS's users, and the gateway's environment.

    Call it after each change of the network files. Below secrets/ (or --out): mosquitto/passwords,
    mosquitto/acl, nats/users.conf, gateway.env.
    """
    _finish(Given(**given), "render", [])


@credentials.command(epilog="Example: gongi credentials rotate 3-2-a --network network.toml")
@click.argument("devices", nargs=-1, metavar="[NODE]...")
@click.option("--all", "all_", is_flag=True, help="Every device and the gateway.")
@options(CHANGING)
def rotate(devices: tuple[str, ...], all_: bool, **given: Any) -> None:
    """Begin the next generation of NODEs (or actuators, or `gateway`); the old one stays valid.

    gongi flash then writes the new one to the board; gongi credentials retire ends the old one when the
    device has proved the new. Also gives a revoked device new credentials.
    """
    if bool(devices) == all_:
        raise click.UsageError("name devices, or say --all")
    call = Given(**given)
    if all_:
        chosen = [device for device in call.everyone if len(call.kept.valid(device)) == 1]
    else:
        chosen = call.named(devices)
        if under_way := [device for device in chosen if len(call.kept.valid(device)) > 1]:
            advice = "flash it and retire the old one first; revoke it where a secret has leaked"
            raise Problem(f"{', '.join(under_way)} is being rotated already", advice=advice)
    call.kept.renew(*chosen)
    _finish(call, "rotate", chosen)


@credentials.command(epilog="Example: gongi credentials retire --network network.toml --log mosquitto.log")
@click.argument("devices", nargs=-1, metavar="[NODE]...")
@click.option("--log", type=FILE, multiple=True, help="Mosquitto's log: who connected.")
@click.option("--nats", multiple=True, metavar="URL", help="NATS's monitoring: who is connected.")
@click.option("--without-proof", is_flag=True, help="Retire the old ones whoever still has them.")
@options(CHANGING)
def retire(
    devices: tuple[str, ...], log: tuple[Path, ...], nats: tuple[str, ...], without_proof: bool, **given: Any
) -> None:
    """End the old credentials of devices that have proved the new ones (all that are being rotated).

    The proof: the register says that the gateway heard the node after it was flashed, or a broker let the new
    user in. Exit status 1 where some haven't proved theirs: they are named and keep both.
    """
    call = Given(**given)
    asked = call.named(devices) if devices else list(call.everyone)
    turning = [device for device in asked if len(call.kept.valid(device)) > 1]
    seen = proofs.by_register(register.entries(call.register))
    seen = seen.union(*map(proofs.by_log, log), *map(proofs.by_nats, nats))
    unproved = [one for one in turning if not without_proof and call.kept.of(one).user not in seen]
    proved = [device for device in turning if device not in unproved]
    call.kept.retire(*proved)
    _finish(call, "retire", proved, unproved=unproved)
    if unproved:
        click.echo(f"gongi: not proved yet, both are valid: {', '.join(unproved)}", err=True)
        sys.exit(1)


@credentials.command(epilog="Example: gongi credentials revoke 3-2-a --network network.toml")
@click.argument("devices", nargs=-1, required=True, metavar="NODE...")
@options(CHANGING)
def revoke(devices: tuple[str, ...], **given: Any) -> None:
    """End all credentials of NODEs at once: a board that is lost or given away.

    With --reload the broker ends their connections. gongi credentials rotate NODE gives new ones.
    """
    call = Given(**given)
    chosen = call.named(devices)
    call.kept.revoke(*chosen)
    _finish(call, "revoke", chosen)


@credentials.command(epilog="Example: gongi credentials show 3-2-a --network network.toml --reveal --json")
@click.argument("node")
@click.option("--reveal", is_flag=True, help="Print the secrets as well.")
@options(COMMON)
def show(node: str, reveal: bool, **given: Any) -> None:
    """Say what NODE (an actuator, `gateway`) is given, and what it may publish and read."""
    call = Given(**given, dry_run=True)
    one = call.everyone[call.named([node])[0]]
    hidden = {} if reveal else {"password": "hidden (--reveal)", "key": "hidden (--reveal)"}
    valid = [
        {"generation": c.generation, "user": c.user, "password": c.password, "key": c.key} | hidden
        for c in call.kept.valid(node)
    ]
    facts = {"device": node, "kind": one.kind, "valid": valid, "write": one.write, "read": one.read}
    if call.as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{node}: {one.kind}{'' if valid else ', revoked'}")
        lines = [f"  {name} {value}" for row in valid for name, value in row.items()]
        lines += [f"  may write {topic}" for topic in one.write] + [
            f"  may read {topic}" for topic in one.read
        ]
        click.echo("\n".join(lines))


def _finish(call: Given, verb: str, devices: list[str], **more: object) -> None:
    """Write what the brokers must know, let them read it, tell the person."""
    texts = broker_files.render(call.kept, call.everyone.values())
    changed = broker_files.differing(call.folder, texts)
    if not call.dry_run:
        broker_files.write(call.folder, changed, texts)
    told = [] if call.dry_run else [broker_files.reload(path) for path in call.reload]
    users = {device: [one.user for one in call.kept.valid(device)] for device in devices}
    facts = {"command": verb, "dry_run": call.dry_run, "devices": users, "reloaded": told, **more}
    facts["files"] = [str(call.folder / name) for name in changed]
    diff = _diff(changed) if call.dry_run else ""  # of a whole country's files it takes minutes
    if call.as_json:
        click.echo(json.dumps(facts | {"diff": diff}))
    else:
        _say(call, facts, diff)


def _say(call: Given, facts: Mapping[str, Any], diff: str) -> None:
    click.echo(diff, nl=False)
    for device, users in facts["devices"].items():
        click.echo(f"{device}: {'valid as ' + ' and '.join(users) if users else 'revoked'}")
    done = "would be written" if call.dry_run else "written"
    click.echo(
        "".join(f"{name} {done}\n" for name in facts["files"]) or "the files are up to date\n", nl=False
    )
    if facts["files"] and not call.reload and not call.dry_run:
        click.echo("a running broker takes them over at SIGHUP (--reload PIDFILE)")


def _diff(changed: Mapping[str, tuple[str, str]]) -> str:
    """What changes, secrets as 8 hex digits of their hash."""
    lines: list[str] = []
    for name, pair in changed.items():
        old, new = (_hidden(text).splitlines(keepends=True) for text in pair)
        lines += difflib.unified_diff(old, new, f"{name} (there)", name, n=1)
    return "".join(lines)


def _hidden(text: str) -> str:
    return SECRET.sub(lambda found: "…" + sha256(found[0].encode()).hexdigest()[:8], text)
