"""The authority that devices believe, and the brokers' certificates by it: ECDSA P-256, made here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.problem import Problem
from firmware.toolkit.secrets import AUTHORITIES, Secrets, write_private

CURRENT, NEXT = AUTHORITIES
SERVER, BEFORE = "server", "server-before"
"""The broker's certificate, and the one of the listener that is left for who doesn't believe it yet."""
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
"""Every certificate is valid since then: a board that lay in a drawer has the clock of its last day, and must
not take a new certificate for one of the future."""
CA_YEARS, SERVER_YEARS = 20, 3
YEAR = timedelta(days=365.25)
AHEAD = {"authority": timedelta(days=730), "server": timedelta(days=90)}
"""So long before its end a certificate is warned of: a fleet takes longer to renew than a broker."""


class BadCertificate(Problem):
    """A certificate or key isn't there, can't be read, or would be overwritten."""


@dataclass(frozen=True, slots=True)
class Described:
    """A certificate for people: name, SHA-256, id (its first 8 hex digits), hosts, end [UTC]."""

    path: Path
    role: str
    name: str
    fingerprint: str
    hosts: tuple[str, ...]
    issuer: str
    ends: datetime
    der_bytes: int

    @property
    def id(self) -> str:
        """How a device names an authority in `info`."""
        return self.fingerprint[:8]

    def warning(self, now: datetime) -> str:
        """What is wrong with its time, empty when nothing."""
        if now >= self.ends:
            return "has ended"
        return f"ends in {(self.ends - now).days} days" if self.ends - now < AHEAD[self.role] else ""


def key_of(path: Path) -> Path:
    """Where the private key of a certificate is: `ca.key` beside `ca.pem`."""
    return path.with_suffix(".key")


def make(secrets: Secrets, file: str = CURRENT, name: str = "") -> Path:
    """A new authority in the secrets' folder; its name tells its beginning. Raises `BadCertificate` where
    there is one."""
    secrets.open()
    path = secrets.folder / file
    if path.exists():
        advice = "devices believe it: change it with gongi ca rotate" if file == CURRENT else ""
        raise BadCertificate("there is an authority already", str(path), advice)
    if key_of(path).exists():
        _orphan(secrets, key_of(path))
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or _title())])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    made = _certificate(title, title, key.public_key(), CA_YEARS)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(usage, critical=True)
    # Python from 3.13 on wants to find the authority by its key.
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    write_private(key_of(path), _pem_of_key(key), anew=True)
    write_private(path, made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), anew=True)
    return path


def _orphan(secrets: Secrets, key: Path) -> None:
    """Remove the key of a next authority whose making was interrupted: nobody has seen its certificate.
    Raises `BadCertificate` where the key may be wanted."""
    current = key_of(secrets.folder / CURRENT)
    if key == current or not current.exists():
        advice = "bring its certificate back; where no device was ever flashed with it, remove the key"
        raise BadCertificate("a key is here without its certificate", str(key), advice)
    key.unlink()


def complete(path: Path) -> bool:
    """Whether an authority is here with its key."""
    return path.exists() and key_of(path).exists()


def _title() -> str:
    return f"Gongi CA {datetime.now(UTC):%Y-%m-%d} {token_hex(4)}"


def take(secrets: Secrets, file: Path) -> Path:
    """Take an authority of one's own as the next one, without its key. Raises `BadCertificate`."""
    secrets.open()
    described = describe(file, "authority")
    path = secrets.folder / NEXT
    if path.exists() and describe(path, "authority").fingerprint != described.fingerprint:
        raise BadCertificate("another next authority is there already", str(path))
    write_private(path, file.read_bytes())
    return path


def issue(authority: Path, hosts: Iterable[str], folder: Path, name: str = SERVER) -> Path:
    """A broker's certificate for host names and addresses, `NAME.crt` and `NAME.key` in a folder. Raises
    `BadCertificate` where the authority's key isn't there."""
    found = tuple(hosts)
    by, signing = _read(authority), _key(key_of(authority))
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, found[0][:64])])
    made = _certificate(title, by.subject, key.public_key(), SERVER_YEARS)
    names = x509.SubjectAlternativeName([_name(host) for host in found])
    made = made.add_extension(names, critical=False)
    by_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    made = made.add_extension(by_key, critical=False)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The key first: a broker that starts between the two finds a pair that doesn't fit, and says so.
    write_private(folder / f"{name}.key", _pem_of_key(key))
    pem = made.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    write_private(folder / f"{name}.crt", pem)
    return folder / f"{name}.crt"


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(
    title: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, years: int
) -> x509.CertificateBuilder:
    end = datetime.now(UTC).replace(microsecond=0) + years * YEAR
    return x509.CertificateBuilder(issuer, title, key, x509.random_serial_number(), BEGIN, end)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        advice = "the authority is another's: let its owner issue the broker's certificate"
        raise BadCertificate("the authority's key isn't here", str(path), advice) from None
    except (ValueError, TypeError) as error:
        raise BadCertificate(f"this is no key: {error}", str(path)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadCertificate("an ECDSA key is wanted", str(path), "gongi ca make makes one")
    return key


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise BadCertificate("there is no such certificate", str(path), "gongi ca make makes one") from None
    except ValueError as error:
        raise BadCertificate(f"this is no certificate: {error}", str(path)) from None


def der(path: Path) -> bytes:
    """A certificate as devices take it. Raises `BadCertificate`."""
    return _read(path).public_bytes(serialization.Encoding.DER)


def describe(path: Path, role: str) -> Described:
    """What a certificate says. Raises `BadCertificate`."""
    one = _read(path)
    data = one.public_bytes(serialization.Encoding.DER)
    return Described(
        path,
        role,
        _common(one.subject),
        sha256(data).hexdigest(),
        _hosts(one),
        _common(one.issuer),
        one.not_valid_after_utc,
        len(data),
    )


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _hosts(one: x509.Certificate) -> tuple[str, ...]:
    try:
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = tuple(str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def signed_by(server: Path, authority: Path) -> bool:
    """Whether a certificate is by this authority. Raises `BadCertificate` where one can't be read."""
    try:
        _read(server).verify_directly_issued_by(_read(authority))
    except Exception:  # the library raises a kind of its own, ValueError or TypeError: it isn't
        return False
    return True


def fits(server: Path) -> bool:
    """Whether a broker's certificate is there with its own key: an interrupted call leaves another's."""
    try:
        key = serialization.load_pem_private_key(key_of(server).read_bytes(), None)
        return key.public_key() == _read(server).public_key()
    except (OSError, ValueError, TypeError, Problem):
        return False


def keep_before(folder: Path) -> None:
    """Let the listener for stragglers have the broker's present certificate."""
    for end in (".key", ".crt"):
        write_private(folder / f"{BEFORE}{end}", (folder / f"{SERVER}{end}").read_bytes())


def succeed(secrets: Secrets) -> Mapping[str, str]:
    """The next authority becomes the current one; the old one's key is destroyed, its certificate kept under
    its fingerprint. Returns what was moved; may be repeated after an interruption."""
    current, coming = secrets.folder / CURRENT, secrets.folder / NEXT
    moved = {}
    if current.exists() and coming.exists():
        old = secrets.folder / f"ca-retired-{describe(current, 'authority').id}.pem"
        write_private(old, current.read_bytes())
        key_of(current).unlink(missing_ok=True)  # before its successor could be taken for it
        coming.replace(current)
        moved = {CURRENT: old.name, NEXT: CURRENT}
    if key_of(coming).exists():
        key_of(coming).replace(key_of(current))
    return moved
