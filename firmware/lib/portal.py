"""A network that wants something first: the answer to a plain HTTP question tells."""

import asyncio

from micropython import const

# Answers 204 and nothing else where nobody stands between.
_PROBE = const(("connectivitycheck.gstatic.com", 80, "/generate_204"))
_ASK_S = const(10)
_LONGEST = const(600)


def verdict(data: bytes) -> str:
    """Return "" for an open way, else the page's name; `head` is the beginning of an answer to the probe."""
    lines = data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
    words = lines[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return ""  # whatever it is, it is no page
    if words[1] == b"204":
        return ""
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"location":
            return "captive page " + _host(value.strip())
    return "captive page" if words[1] in (b"200", b"511") else ""


def _host(path: bytes) -> str:
    at = path.find(b"//")
    rest = path[at + 2 :] if at >= 0 else path
    for mark in (b"/", b"?"):
        rest = rest.split(mark)[0]
    return str(rest, "utf-8")[:60]


async def ask(probe: list | None = None) -> str:
    """Return the verdict on the network that the device is in; "" where the probe has no answer."""
    try:
        return verdict(await asyncio.wait_for(_head(*(probe or _PROBE)), _ASK_S))
    except (OSError, EOFError, asyncio.TimeoutError):
        return ""


async def _head(host: str, port: int, path: str) -> bytes:
    reader, stream = await asyncio.open_connection(host, port)
    try:
        stream.write(b"GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (path.encode(), host.encode()))
        await stream.drain()
        return await reader.read(_LONGEST)
    finally:
        stream.close()
        await stream.wait_closed()
