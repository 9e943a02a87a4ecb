"""`gongi broker`: move all devices to another address of the broker."""

import time
from pathlib import Path
from typing import Any

import click

from edge.problem import Problem
from firmware.toolkit import settings
from gateway.command.credentials import options
from gateway.command.renewing import PATH, PLACES, TALKING, Call, shown, told
from gateway.renewal import Record

EPILOG = """\b
Examples:
  gongi broker move --to new.example:8883 --network network.toml --broker old.example --broker new.example
  gongi broker retire --network network.toml --broker new.example:8883 --ca secrets/ca.pem --json
"""
PROVED, RETIRED = 2, 3
"""Steps of a device."""


@click.group(epilog=EPILOG)
def broker() -> None:
    """Move every device to another address of the broker, without a visit.

    Every subcommand has --json. What the brokers need meanwhile: docs/renewal.md.
    """


@broker.command(
    epilog="Example: gongi broker move --to new.example:8883 --to new.example:443 --network network.toml"
)
@click.option(
    "--to", multiple=True, required=True, metavar="HOST:PORT", help="New address; repeated in order."
)
@click.option("--from", "before", multiple=True, metavar="HOST:PORT", help="Old address [those of --wifi].")
@click.option(
    "--wifi", type=PATH, default=Path(settings.WIFI), show_default=True, help="Networks and brokers."
)
@options((*PLACES, *TALKING))
def move(to: tuple[str, ...], before: tuple[str, ...], wifi: Path, **given: Any) -> None:
    """Send the new addresses, with the old ones behind them, and wait until each device has proved a new one.

    gongi broker retire (or --wait) then sends the new ones alone. Interrupted, the same call goes on.
    Exit status 1 while some devices lack a step: they are named.
    """
    call = Call(**given)
    new = [_address(one) for one in to]
    record = call.under_way("broker") or _begin(call, new, before, wifi)
    if record.facts["to"] != new:
        there = ", ".join(f"{host}:{port}" for host, port in record.facts["to"])
        raise Problem(
            f"a move to {there} is under way", str(call.path("broker")), "end it, or remove its file"
        )
    call.leave(record)
    if call.dry_run:
        following = f"would send {', '.join(to)} to {len(record.lacking(1))} devices"
        told(record, call.as_json, following, dry_run=True)
        return
    work = call.round(record)
    record.upto = max(record.upto, PROVED)
    with work.hearing(call.addressed()), shown(call.as_json) as show:
        if work.run(show) and call.wait:
            record.upto = RETIRED
            work.run(show)
        record.ended = not record.lacking(RETIRED)
    told(record, call.as_json, _following(record))


def _begin(call: Call, new: list[list[Any]], before: tuple[str, ...], wifi: Path) -> Record:
    old = [_address(one) for one in before] or [list(one) for one in settings.read(wifi).brokers]
    return call.joined(Record("broker", {"to": new, "from": old}, int(time.time())))


def _address(text: str) -> list[Any]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.UsageError(f"{text!r} is not HOST:PORT")
    return [host, int(port)]


@broker.command(epilog="Example: gongi broker retire --network network.toml --broker new.example:8883")
@options((*PLACES, *TALKING))
def retire(**given: Any) -> None:
    """End a move: send the new addresses alone to every device.

    Only when every device has proved a new one; --without NODE leaves one behind, which must be flashed then.
    """
    call = Call(**given)
    record = call.under_way("broker")
    if record is None:
        raise Problem("no move is under way", str(call.path("broker")), "gongi broker move begins one")
    call.leave(record)
    if not record.lacking(PROVED) and not call.dry_run:
        record.upto = RETIRED
        work = call.round(record)
        with work.hearing(call.addressed()), shown(call.as_json) as show:
            record.ended = work.run(show)
    told(record, call.as_json, _following(record), dry_run=call.dry_run)


def _following(record: Record) -> str:
    there = ", ".join(f"{host}:{port}" for host, port in record.facts["to"])
    if record.ended:
        return f"every device knows {there} alone; write it into wifi.toml for those to come"
    if record.lacking(record.upto):
        return "the same call goes on when they are back; --without NODE leaves one behind"
    return f"every device has proved {there}: gongi broker retire retires the old"
