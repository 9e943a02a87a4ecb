"""Whom the device believes over TLS: the certificate authorities of its configuration, two at a change."""


def context(config: dict) -> object | None:
    """Return a TLS context that checks the broker against `tls.ca` (PEM or DER files), None without `tls`."""
    if not config.get("tls"):
        return None
    import tls

    one = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    one.verify_mode = tls.CERT_REQUIRED
    one.load_verify_locations(b"".join(_read(path) for path in config["tls"]["ca"]))
    return one


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
