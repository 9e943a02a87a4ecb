"""`gongi ca`: the authority that devices believe, the broker's certificate, and their renewal."""

import base64
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge.problem import Problem
from firmware.toolkit import authority
from firmware.toolkit.authority import CURRENT, NEXT
from firmware.toolkit.secrets import Secrets
from gateway.command.certificates import Place, described, say
from gateway.command.credentials import options
from gateway.command.renewing import FILE, PATH, PLACES, TALKING, Call, shown, told
from gateway.renewal import Record, Round

EPILOG = """\b
Examples:
  gongi ca make --host mqtt.example --host 10.0.0.5
  gongi ca show --json
  gongi ca rotate --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem --reload mosquitto.pid
  gongi ca retire --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem --reload mosquitto.pid
"""
TRUSTS, PROVED, RETIRED = 1, 2, 3
"""Steps of a device."""
SECRETS = click.option(
    "--secrets", type=PATH, default=Path("secrets"), show_default=True, help="Folder of the secrets."
)
OUT = click.option(
    "--out", type=PATH, help="Folder of the broker's certificate [mosquitto/ in that of the secrets]."
)
HOST = click.option(
    "--host", "hosts", multiple=True, metavar="NAME", help="Name or address of the broker; may be repeated."
)
RELOAD = click.option(
    "--reload",
    type=FILE,
    multiple=True,
    metavar="PIDFILE",
    help="Let this broker read its files anew (SIGHUP).",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(epilog=EPILOG)
def ca() -> None:
    """Keep the authority that devices believe, and the broker's certificate by it.

    Every subcommand has --json. How a rotation goes, and what the broker needs: docs/renewal.md.
    """


@ca.command(epilog="Example: gongi ca make --host mqtt.example --host 10.0.0.5")
@HOST
@click.option("--name", default="", help="The authority's name, for people.")
@SECRETS
@OUT
@JSON
def make(hosts: tuple[str, ...], name: str, secrets: Path, out: Path | None, as_json: bool) -> None:
    """Make an authority (ECDSA P-256) in the folder of the secrets, and the broker's certificate by it.

    Files: ca.pem and ca.key; mosquitto/server.crt and .key, and a copy, server-before, for another listener.
    Interrupted, the same call goes on.
    """
    place = Place(secrets, out, ())
    wanted = place.hosts(hosts)
    if place.whole or not authority.complete(secrets / CURRENT):
        authority.make(Secrets(secrets), CURRENT, name)
    place.issue(CURRENT, wanted)
    say(described(place), as_json)


@ca.command(epilog="Example: gongi ca issue --reload /run/mosquitto/mosquitto.pid")
@HOST
@SECRETS
@OUT
@RELOAD
@JSON
def issue(
    hosts: tuple[str, ...], secrets: Path, out: Path | None, reload: tuple[Path, ...], as_json: bool
) -> None:
    """Renew the broker's certificate by the same authority: no device notices.

    Names and addresses are those of the present one, unless --host says others.
    """
    place = Place(secrets, out, reload)
    later = (
        place.server.exists()
        and (secrets / NEXT).exists()
        and authority.signed_by(place.server, secrets / NEXT)
    )
    place.issue(NEXT if later else CURRENT, place.hosts(hosts))
    say(described(place), as_json)


@ca.command(epilog="Example: gongi ca show --json")
@SECRETS
@OUT
@JSON
def show(secrets: Path, out: Path | None, as_json: bool) -> None:
    """Say which authorities and certificates there are, their fingerprints, and when they end.

    Exit status 1 where one has ended or ends soon: an authority within two years, the broker's certificate
    within 90 days.
    """
    found = described(Place(secrets, out, ()))
    if not found:
        raise Problem("there is no authority", str(secrets / CURRENT), "gongi ca make --host NAME")
    say(found, as_json)
    if any(one.warning(datetime.now(UTC)) for one in found):
        sys.exit(1)


@ca.command(
    epilog="Example: gongi ca rotate --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem"
)
@options((*PLACES, *TALKING))
@HOST
@OUT
@RELOAD
@click.option("--next", "coming", type=FILE, help="An authority of one's own [one is made].")
@click.option("--issued", is_flag=True, help="The broker has its certificate by the next already.")
@click.option(
    "--go-on", is_flag=True, help="Issue the broker's certificate though some don't trust both yet."
)
def rotate(
    hosts: tuple[str, ...],
    out: Path | None,
    reload: tuple[Path, ...],
    coming: Path | None,
    issued: bool,
    go_on: bool,
    **given: Any,
) -> None:
    """Bring a new authority to every device, and the broker's certificate by it; interrupted, go on.

    1. Makes ca-next.pem; sends both authorities to every device; waits until each says that it trusts both.
    2. Issues the broker's certificate by the next; the listener with server-before.crt stays for stragglers.
       Lets every device connect anew, waits until each has proved a connection with the next.
    3. gongi ca retire (or --wait) then sends the next alone, and retires the old.

    Exit status 1 while some devices lack a step: they are named, and the next call goes on.
    """
    call, place = Call(**given), Place(given["secrets"], out, reload)
    record = call.under_way("ca") or _begin(call, coming)
    call.leave(record)
    if call.dry_run:
        told(record, call.as_json, _dry(record, place, hosts), dry_run=True)
        return
    work = call.round(record)
    with work.hearing(call.addressed()), shown(call.as_json) as show_:
        if (work.run(show_) or go_on) and record.upto == TRUSTS:
            if not issued:
                issue_next(place, hosts)
            record.upto = PROVED
            work.run(show_)
        if call.wait and record.upto >= PROVED and not record.lacking(PROVED):
            _retire(record, work, place, call.kept, show_)
    told(record, call.as_json, _following(record))


def _begin(call: Call, coming: Path | None) -> Record:
    """A new rotation; the next authority that is there already is taken."""
    secrets = call.kept
    if coming and not call.dry_run:
        authority.take(secrets, coming)
    elif not (call.secrets / NEXT).exists() and not call.dry_run:
        authority.make(secrets, NEXT)
    files = {"current": call.secrets / CURRENT, "next": call.secrets / NEXT}
    facts = {role: _facts(path) for role, path in files.items() if path.exists() or not call.dry_run}
    facts.setdefault("next", {"id": "to be made", "der": ""})
    return call.joined(Record("ca", facts, int(time.time())))


def _facts(path: Path) -> dict[str, str]:
    der = base64.b64encode(authority.der(path)).decode()
    return {"id": authority.describe(path, "authority").id, "der": der}


def issue_next(place: Place, hosts: Sequence[str]) -> None:
    """The broker's certificate by the next; the present one stays at the listener for stragglers. A call that
    was killed may have issued it and told nobody."""
    if authority.signed_by(place.server, place.secrets / NEXT) and authority.fits(place.server):
        place.tell()
        return
    wanted = place.hosts(hosts)
    if authority.fits(place.server):
        authority.keep_before(place.folder)
    place.issue(NEXT, wanted)


def _retire(
    record: Record, work: Round, place: Place, secrets: Secrets, show_: Callable[[Record], None]
) -> None:
    """Send the next alone; when every device has it, the old authority is history here, too."""
    record.upto = RETIRED
    if work.run(show_):
        authority.succeed(secrets)
        if place.server.exists():
            authority.keep_before(place.folder)
            place.tell()
        record.ended = True


@ca.command(
    epilog="Example: gongi ca retire --network network.toml --broker mqtt.example:8883 --ca secrets/ca.pem"
)
@options((*PLACES, *TALKING))
@OUT
@RELOAD
def retire(out: Path | None, reload: tuple[Path, ...], **given: Any) -> None:
    """End a rotation: send the next authority alone to every device, then retire the old one.

    Only when every device has proved a connection with the next; --without NODE leaves one behind, which must
    be flashed then. The old authority's key is destroyed.
    """
    call, place = Call(**given), Place(given["secrets"], out, reload)
    record = call.under_way("ca")
    if record is None:
        raise Problem("no rotation is under way", str(call.path("ca")), "gongi ca rotate begins one")
    call.leave(record)
    record.upto = max(record.upto, PROVED)
    if not record.lacking(PROVED) and not call.dry_run:
        work = call.round(record)
        with work.hearing(call.addressed()), shown(call.as_json) as show_:
            _retire(record, work, place, call.kept, show_)
    told(record, call.as_json, _following(record), dry_run=call.dry_run)


def _dry(record: Record, place: Place, hosts: Sequence[str]) -> str:
    ids = " and ".join(record.facts[role]["id"] for role in ("current", "next") if role in record.facts)
    lack = record.lacking(TRUSTS)
    text = f"would send {ids} to {len(lack)} devices"
    if record.upto == TRUSTS:
        text += f", then issue {place.server} for {', '.join(place.hosts(hosts))}"
    return text


def _following(record: Record) -> str:
    """What comes next, in one sentence."""
    if record.ended:
        return (
            f"{record.facts['current']['id']} is retired; devices believe {record.facts['next']['id']} alone"
        )
    if record.lacking(record.upto):
        again = "the same call goes on when they are back; --without NODE leaves one behind"
        return f"{again}; --go-on issues the broker's certificate now" if record.upto == TRUSTS else again
    return "every device has proved a connection with the next: gongi ca retire retires the old"
