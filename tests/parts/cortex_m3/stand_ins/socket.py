"""A network in which nobody answers."""

AF_INET, SOCK_STREAM, SOCK_DGRAM = 2, 1, 2


def getaddrinfo(host: str, port: int, family: int = 0, kind: int = 0) -> list:
    """No name is known."""
    raise OSError(-2)


def socket(*arguments: int) -> object:
    """There is no network."""
    raise OSError(118)
