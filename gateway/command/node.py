"""`gongi node`: change a node's Wi-Fi networks, move it to the address of another site."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge.problem import Problem
from edge.readings import SECOND
from firmware.toolkit import cable, register, settings
from gateway.command.credentials import options
from gateway.command.renewing import FILE, PLACES, TALKING, Call, meaning, shown, told
from gateway.renewal import Member, Record

EPILOG = """\b
Examples:
  gongi node wifi 3-2-a --networks wifi.toml --network network.toml --broker mqtt.example:8883 --ca ca.pem
  gongi node wifi 3-2-a --networks wifi.toml --port /dev/ttyUSB0
  gongi node move --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem --json
"""
TRIAL_S = 600
TALK = (*PLACES[1:], *TALKING)
NETWORK = click.option("--network", type=FILE, help="The network file: which devices there are.")


@click.group(epilog=EPILOG)
def node() -> None:
    """Change what a node or actuator reaches its broker by, over the air or over USB.

    Every subcommand has --json.
    """


@node.command(epilog="Example: gongi node wifi 3-2-a --networks wifi.toml --port /dev/ttyUSB0")
@click.argument("devices", nargs=-1, required=True, metavar="NODE...")
@click.option("--networks", type=FILE, required=True, help="wifi.toml with the new [[network]] list.")
@click.option("--port", default="", metavar="PORT", help="Over USB, at this port.")
@click.option(
    "--trial",
    type=click.IntRange(30, 86400),
    default=TRIAL_S,
    show_default=True,
    help="Seconds after which a device that hasn't reached its broker takes the old ones back.",
)
@NETWORK
@options(TALK)
def wifi(
    devices: tuple[str, ...], networks: Path, port: str, trial: int, network: Path | None, **given: Any
) -> None:
    """Give NODE (or an actuator) other Wi-Fi networks, and say whether it joined.

    Over MQTT it tries them, and returns to the last working ones by itself when it hasn't reached its broker
    within ten minutes; the result and its reason are reported. Over USB (--port) they are written and the
    board starts again. Passwords are neither shown nor logged. Exit status 1 where a device hasn't joined.
    """
    entries = [one.entry() for one in settings.read(networks).networks]
    if port:
        _by_cable(devices, port, entries, given["as_json"], given["dry_run"])
        return
    if network is None:
        raise click.UsageError("over the air --network is wanted (over USB: --port)")
    call = Call(network=network, **given)
    record = _record(call, "wifi", {"networks": entries, "trial_s": trial}, devices)
    if not call.dry_run:
        work = call.round(record)
        with work.hearing(call.addressed()), shown(call.as_json) as show:
            work.run(show)
    results = {one.id: _result(one) for one in record.members.values()}
    _say({"devices": results, "dry_run": call.dry_run, "networks": _ssids(entries)}, call.as_json)
    if record.lacking(1) and not call.dry_run:
        sys.exit(1)


def _result(one: Member) -> str:
    """What became of a change, in words."""
    if one.done:
        return "joined"
    return meaning(one.word) if one.word else "no answer" if one.heard or one.turn else "not heard"


def _ssids(entries: list[Any]) -> list[str]:
    return [str(one["ssid"] if isinstance(one, dict) else one[0]) for one in entries]


def _record(call: Call, kind: str, facts: dict[str, Any], devices: tuple[str, ...]) -> Record:
    """A renewal of these devices. Raises `Problem` naming those that don't exist."""
    addresses = call.addresses()
    if unknown := [one for one in devices if one not in addresses]:
        advice = f"neither {call.network} nor {call.register} has it"
        raise Problem(f"there is no {', '.join(unknown)}", advice=advice)
    members = {one: Member(one, addresses[one]) for one in devices}
    return Record(kind, facts, int(time.time()), members)


def _say(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    for device, result in facts["devices"].items():
        click.echo(f"{device}: {result}")


def _by_cable(devices: tuple[str, ...], port: str, entries: list[Any], as_json: bool, dry: bool) -> None:
    if len(devices) > 1:
        raise click.UsageError("one board is on a cable: name one NODE")
    written = cable.write_networks(devices[0], port, entries, dry)
    _say({"devices": {devices[0]: written}, "dry_run": dry, "networks": _ssids(entries)}, as_json)


@node.command(epilog="Example: gongi node move 3-2-a --network network.toml --broker mqtt.example:8883")
@click.argument("devices", nargs=-1, metavar="[NODE]...")
@options((*PLACES, *TALKING))
def move(devices: tuple[str, ...], **given: Any) -> None:
    """Bring NODEs to the address of the site where the network file has them now (default: all that differ).

    First enter the move into the network file and call gongi credentials render: a device may then speak at
    both addresses. When it has been heard at the new one, what the broker retained at the old one is cleared
    and the register of flashed boards says the new site. Exit status 1 while some haven't moved.
    """
    call = Call(**given)
    record = _going_on(_moving(call, devices), call.under_way("site"))
    call.leave(record)
    if call.dry_run:
        told(record, call.as_json, f"would move {len(record.lacking(1))} devices", dry_run=True)
        return
    if record.members:
        work = call.round(record)
        with work.hearing(call.addressed()), shown(call.as_json) as show:
            record.ended = work.run(show)
        _enter(call, record)
    else:
        record.ended = True
    moved = [one.id for one in record.members.values() if one.done]
    following = f"moved: {', '.join(moved) or 'none'}"
    told(record, call.as_json, following, moved=moved)


def _moving(call: Call, devices: tuple[str, ...]) -> Record:
    """Those whose address isn't the site where they stand."""
    now = time.time_ns() // SECOND * SECOND
    stands = {one: place.site for one in call.files.nodes if (place := call.files.placed(one, now))}
    stands |= {one.id: one.site for one in call.files.actuators.values() if one.dialect == "gongi"}
    flashed = {device: row["site"] for device, row in register.newest(call.register).items()}
    before = {node.id: place.site for node in call.files.nodes.values() for place in node.placements[-2:-1]}
    addresses = before | flashed
    asked = [one for one in devices or stands if addresses.get(one, stands.get(one)) != stands.get(one)]
    if unknown := [one for one in devices if one not in stands]:
        raise Problem(f"{', '.join(unknown)} stands nowhere", str(call.network), "enter where it stands")
    record = Record("site", {"to": {one: stands[one] for one in asked}}, int(time.time()))
    record.members |= {one: Member(one, addresses[one]) for one in asked}
    return record


def _going_on(record: Record, earlier: Record | None) -> Record:
    """The record with what an earlier call began and didn't end."""
    if earlier is None:
        return record
    old, new = earlier.facts["to"], record.facts["to"]
    to = {**old, **new}
    members = record.members | {one: at for one, at in earlier.members.items() if old[one] == to[one]}
    return Record("site", {"to": to}, earlier.begun, members)


def _enter(call: Call, record: Record) -> None:
    """Let the register say the new site of those that moved: their rights end at the old one."""
    newest = register.newest(call.register)
    for one in record.members.values():
        entry = newest.get(one.id)
        if one.done and entry and entry["site"] != record.facts["to"][one.id]:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            register.enter(call.register, entry | {"site": record.facts["to"][one.id], "at": at})
