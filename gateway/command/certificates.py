"""The files of `gongi ca`: where the broker's certificate is, and how certificates are shown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from edge.problem import Problem
from firmware.toolkit import authority, broker_files
from firmware.toolkit.authority import BEFORE, CURRENT, NEXT, SERVER, Described


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker's certificate is, and who is told of a new one."""

    secrets: Path
    out: Path | None
    reload: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """The broker's folder."""
        return self.out or self.secrets / "mosquitto"

    @property
    def server(self) -> Path:
        """The broker's certificate."""
        return self.folder / f"{SERVER}.crt"

    @property
    def whole(self) -> bool:
        """Whether both listeners have a certificate with its key."""
        return authority.fits(self.server) and authority.fits(self.folder / f"{BEFORE}.crt")

    def hosts(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The broker's names: those asked for, else those that it has. Raises `Problem`."""
        found = tuple(asked) or (
            authority.describe(self.server, "server").hosts if self.server.exists() else ()
        )
        if not found:
            raise Problem(
                "the broker's names aren't known", str(self.server), "say --host NAME, each one once"
            )
        return found

    def issue(self, by: str, hosts: Sequence[str]) -> None:
        """A new certificate, for both listeners where the other has none, and the broker told."""
        broker_files.ignored(self.folder)
        authority.issue(self.secrets / by, hosts, self.folder)
        if not self.whole:
            authority.keep_before(self.folder)
        self.tell()

    def tell(self) -> None:
        """Let the brokers read their files anew."""
        for path in self.reload:
            broker_files.reload(path)


def described(place: Place) -> list[Described]:
    """What there is: authorities and the broker's certificates."""
    files = [(place.secrets / name, "authority") for name in (CURRENT, NEXT)]
    files += [(place.folder / f"{name}.crt", "server") for name in (SERVER, BEFORE)]
    return [authority.describe(path, role) for path, role in files if path.exists()]


def say(found: Sequence[Described], as_json: bool) -> None:
    """Certificates for people, or as one JSON object."""
    now = datetime.now(UTC)
    rows = [
        {
            "file": str(one.path),
            "role": one.role,
            "name": one.name,
            "id": one.id,
            "sha256": one.fingerprint,
            "hosts": one.hosts,
            "issuer": one.issuer,
            "ends": one.ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "der_bytes": one.der_bytes,
            "warning": one.warning(now) or None,
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"certificates": rows}))
        return
    for row in rows:
        hosts = f" for {', '.join(row['hosts'])}" if row["hosts"] else ""  # type: ignore[arg-type]  # of texts
        click.echo(f"{row['file']}: {row['role']} “{row['name']}”{hosts}")
        click.echo(
            f"  by {row['issuer']}, until {row['ends']}" + (f": {row['warning']}" if row["warning"] else "")
        )
        click.echo(f"  SHA-256 {row['sha256']}")
