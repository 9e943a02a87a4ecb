"""The untracked folder `secrets/`: one master secret, from which each device's password and key come."""

import contextlib
import hmac
import json
import os
import secrets
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from edge.problem import Problem

MASTER = "master.key"
GENERATIONS = "generations.json"
RETIRED = "retired.json"
"""The newest void generation of each device that has one."""
AUTHORITIES = ("ca.pem", "ca-next.pem")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of passwords: 31 letters that a person can't mistake for each other."""


class Insecure(Problem):
    """A secret would land where others can read it."""


class Revoked(Problem):
    """A device has no valid credentials."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one device proves itself by: MQTT user (its id, from the second generation on with `.2`: the
    brokers keep one password a user) and password, the key of its updates (hex)."""

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


def user(device: str, generation: int) -> str:
    """The MQTT user of a device in a generation."""
    return device if generation == 1 else f"{device}.{generation}"


class Secrets:
    """The folder; it is made, readable by its owner alone, when the first secret is needed. With `dry`
    nothing is written: what would be changed is so for this object alone."""

    def __init__(self, folder: Path, dry: bool = False) -> None:
        self.folder = folder
        self._dry = dry
        self._pretended: dict[str, Mapping[str, int]] = {}
        self._read: dict[str, tuple[tuple[int, int, int], Mapping[str, int]]] = {}

    def of(self, device: str) -> Credentials:
        """The credentials of a node or actuator in its present generation. Raises `Revoked`."""
        generation = self._generations().get(device, 1)
        if generation <= self._retired(device):
            advice = f"gongi credentials rotate {device} --network … gives it new ones"
            raise Revoked(f"the credentials of {device} are revoked", str(self.folder), advice)
        return self._in(device, generation)

    def valid(self, device: str) -> tuple[Credentials, ...]:
        """What brokers accept from a device, the oldest first: two during a rotation, none when revoked."""
        generations = range(self._retired(device) + 1, self._generations().get(device, 1) + 1)
        return tuple(self._in(device, generation) for generation in generations)

    def held(self, device: str) -> Credentials:
        """What a device surely has: during a rotation the old ones, until it has proved the new."""
        return next(iter(self.valid(device)), self._in(device, self._generations().get(device, 1)))

    def salt(self, device: str, generation: int) -> bytes:
        """12 bytes for the broker's hash of that password, the same each time."""
        return derive(self._master(), f"gongi/1/{device}/{generation}/salt", 12)

    def _in(self, device: str, generation: int) -> Credentials:
        purpose = f"gongi/1/{device}/{generation}/"
        master = self._master()
        return Credentials(
            user(device, generation),
            password(derive(master, purpose + "password", 32)),
            derive(master, purpose + "update", 32).hex(),
            generation,
        )

    def authorities(self) -> list[Path]:
        """The certificates of the broker's authorities, the current one and, during a change, the next."""
        return [path for path in (self.folder / name for name in AUTHORITIES) if path.is_file()]

    def renew(self, *devices: str) -> None:
        """Begin the next generation of devices; what they had stays valid until it is voided."""
        generations = self._generations()
        self._keep(GENERATIONS, {**generations} | {one: generations.get(one, 1) + 1 for one in devices})

    def retire(self, *devices: str) -> None:
        """End all generations of devices but the newest; void once the brokers are told."""
        self._void(devices, 1)

    def revoke(self, *devices: str) -> None:
        """End every generation of devices; void once the brokers are told."""
        self._void(devices, 0)

    def _void(self, devices: Iterable[str], left: int) -> None:
        generations, retired = self._generations(), self._table(RETIRED)
        ended = {one: max(retired.get(one, 0), generations.get(one, 1) - left) for one in devices}
        self._keep(RETIRED, {**retired} | ended)

    def _generations(self) -> Mapping[str, int]:
        return self._table(GENERATIONS)

    def _retired(self, device: str) -> int:
        return self._table(RETIRED).get(device, 0)

    def _table(self, name: str) -> Mapping[str, int]:
        """A file's table; it is read again when the file was replaced, by another call too."""
        path = self.folder / name
        if name in self._pretended or not path.exists():
            return self._pretended.get(name, {})
        now = path.stat()
        state = (now.st_ino, now.st_mtime_ns, now.st_size)
        if name not in self._read or self._read[name][0] != state:
            self._read[name] = state, json.loads(path.read_bytes())
        return self._read[name][1]

    def _keep(self, name: str, table: Mapping[str, int]) -> None:
        if self._dry:
            self._pretended[name] = table
            return
        self.open()
        write_private(self.folder / name, json.dumps(table, indent=1, sort_keys=True).encode())

    def _master(self) -> bytes:
        path = self.folder / MASTER
        if not path.exists():
            if self._dry:
                raise Insecure(
                    "there is no master secret yet", str(path), "gongi credentials render makes it"
                )
            self.open()
            with contextlib.suppress(FileExistsError):  # of another call at this moment
                write_private(path, secrets.token_hex(32).encode() + b"\n", anew=True)
        master = path.read_bytes().strip()
        if len(master) != 64:
            raise Insecure("the master secret is not 64 hex digits", str(path), "take it from your backup")
        return bytes.fromhex(master.decode())

    def open(self) -> None:
        """Make the folder its owner's alone, unless git would track it. Raises `Insecure`."""
        if tracked(self.folder / MASTER):
            raise Insecure(
                "git would track the secrets here", str(self.folder), f"add {self.folder.name}/ to .gitignore"
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for file in (self.folder / name for name in (MASTER, GENERATIONS, RETIRED)):
            if file.exists():
                file.chmod(0o600)


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
    """Write a file that its owner alone can read, whole or not at all; `anew`: never over an existing one.
    It belongs to whom the old one does, or else the folder, where that may be done."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)  # of a call that was killed: in a container the ids come again
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    _same_owner(path, part)
    if anew:
        _claim(part, path)
    else:
        part.replace(path)


def _claim(part: Path, path: Path) -> None:
    """Rename, unless there is one; raises `FileExistsError`."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links; Windows never renames over a file
        if path.exists():
            raise FileExistsError(path) from None
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _same_owner(old: Path, new: Path) -> None:
    """A broker that runs as a user of its own goes on reading its files."""
    if hasattr(os, "chown"):
        like = (old if old.exists() else old.parent).stat()
        with contextlib.suppress(PermissionError):
            os.chown(new, like.st_uid, like.st_gid)
