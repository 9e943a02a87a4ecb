"""Whom the device believes over TLS: the certificate authorities of its configuration, two at a change."""

import binascii

BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def certificates(data: bytes) -> list:
    """Return the DER certificates in a PEM or DER file; not every port reads PEM itself."""
    if BEGIN not in data:
        return [data]
    return [binascii.a2b_base64(part.split(END)[0]) for part in data.split(BEGIN)[1:]]


def context(config: dict) -> object | None:
    """Return a TLS context that checks the broker against the files of `tls.ca`, None without `tls`."""
    if not config.get("tls"):
        return None
    import tls

    one = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    one.verify_mode = tls.CERT_REQUIRED
    for path in config["tls"]["ca"]:
        with open(path, "rb") as file:
            for certificate in certificates(file.read()):
                one.load_verify_locations(certificate)
    return one
