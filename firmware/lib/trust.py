"""Whom the device believes over TLS: the certificate authorities of its configuration, two at a change.

An authority's print is the first 8 hex digits of the SHA-256 of its DER certificate.
"""

import binascii
import hashlib

from micropython import const

_BEGIN = const(b"-----BEGIN CERTIFICATE-----")
_END = const(b"-----END CERTIFICATE-----")


def certificates(data: bytes) -> list:
    """Return the DER certificates in a PEM or DER file; not every port reads PEM itself."""
    if _BEGIN not in data:
        return [data]
    return [binascii.a2b_base64(part.split(_END)[0]) for part in data.split(_BEGIN)[1:]]


def fingerprint(data: bytes) -> str:
    """Return the print of a DER certificate."""
    return binascii.hexlify(hashlib.sha256(data).digest()[:4]).decode()


def authorities(config: dict):
    """Yield (print, DER) of the files of `tls.ca`; nothing without `tls`."""
    for path in (config.get("tls") or {}).get("ca", ()):
        with open(path, "rb") as file:
            for certificate in certificates(file.read()):
                yield fingerprint(certificate), certificate


def prints(config: dict, proved: str | None) -> list:
    """Return the authorities' prints, the one that proved last first."""
    found: list = []
    for name, _ in authorities(config):
        if name not in found:
            found.insert(0 if name == proved else len(found), name)
    return found


def context(config: dict, name: str | None = None) -> object | None:
    """Return a TLS context that believes the authority of that print alone, or all; None without `tls`."""
    if not config.get("tls"):
        return None
    import tls

    one = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    one.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # the stub lacks it
    for found, certificate in authorities(config):
        if name in (None, found):
            one.load_verify_locations(certificate)
    return one
