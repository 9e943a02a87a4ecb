"""The untracked folder `secrets/`: one master secret, from which each device's password and key come."""

import hmac
import json
import os
import secrets
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from edge.problem import Problem

MASTER = "master.key"
GENERATIONS = "generations.json"
AUTHORITIES = ("ca.pem", "ca-next.pem")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of passwords: 31 letters that a person can't mistake for each other."""


class Insecure(Problem):
    """A secret would land where others can read it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one device proves itself by: MQTT user (its id) and password, the key of its updates (hex)."""

    user: str
    password: str
    key: str
    generation: int


def derive(master: bytes, purpose: str, size: int) -> bytes:
    """HKDF-SHA256 (RFC 5869) with an empty salt."""
    prk = hmac.digest(bytes(32), master, "sha256")
    out, block = b"", b""
    for n in range(1, -(-size // 32) + 1):
        block = hmac.digest(prk, block + purpose.encode() + bytes((n,)), "sha256")
        out += block
    return out[:size]


def password(material: bytes) -> str:
    """24 letters, 118 bits, of at least 24 bytes."""
    number = int.from_bytes(sha256(material).digest(), "big")
    letters = []
    for _ in range(24):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


class Secrets:
    """The folder; it is made, readable by its owner alone, when the first secret is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, device: str) -> Credentials:
        """The credentials of a node or actuator in its present generation."""
        generation = self._generations().get(device, 1)
        purpose = f"gongi/1/{device}/{generation}/"
        master = self._master()
        return Credentials(
            device,
            password(derive(master, purpose + "password", 32)),
            derive(master, purpose + "update", 32).hex(),
            generation,
        )

    def authorities(self) -> list[Path]:
        """The certificates of the broker's authorities, the current one and, during a change, the next."""
        return [path for path in (self.folder / name for name in AUTHORITIES) if path.is_file()]

    def renew(self, device: str) -> Credentials:
        """Begin a device's next generation: what it had is void once the broker is told."""
        generations = self._generations()
        generations[device] = generations.get(device, 1) + 1
        self._open()
        write_private(self.folder / GENERATIONS, json.dumps(generations, indent=1, sort_keys=True).encode())
        return self.of(device)

    def _generations(self) -> dict[str, int]:
        path = self.folder / GENERATIONS
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    def _master(self) -> bytes:
        path = self.folder / MASTER
        if not path.exists():
            self._open()
            write_private(path, secrets.token_hex(32).encode() + b"\n", anew=True)
        master = path.read_bytes().strip()
        if len(master) != 64:
            raise Insecure("the master secret is not 64 hex digits", str(path), "take it from your backup")
        return bytes.fromhex(master.decode())

    def _open(self) -> None:
        """Make the folder, unless git would track it."""
        if tracked(self.folder / MASTER):
            raise Insecure(
                "git would track the secrets here", str(self.folder), f"add {self.folder.name}/ to .gitignore"
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def tracked(path: Path) -> bool:
    """Whether a file at `path` lies in a git work tree that doesn't ignore it."""
    place = next(parent for parent in path.absolute().parents if parent.is_dir())
    try:
        done = subprocess.run(
            ["git", "check-ignore", "-q", str(path.absolute())], cwd=place, capture_output=True, check=False
        )
    except OSError:  # without git nothing is tracked
        return False
    return done.returncode == 1


def write_private(path: Path, data: bytes, anew: bool = False) -> None:
    """Write a file that its owner alone can read, whole or not at all; `anew`: never over an existing one."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(path if anew else part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    if not anew:
        part.replace(path)
