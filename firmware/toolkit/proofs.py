"""Who has proved new credentials: by the register of flashed nodes, Mosquitto's log or NATS's monitoring."""

import json
import re
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge.problem import Problem
from firmware.toolkit.secrets import user

# The broker writes the user last; a client's name before it may hold anything but a line's end.
CONNECTED = re.compile(r": New client connected from .* \(.*\bu'([^']+)'\)\.$")
PAGE = 1000
PATIENCE_S = 10.0


def by_register(entries: Iterable[Mapping[str, str]]) -> set[str]:
    """The users of nodes that the gateway heard after they had been flashed."""
    heard = (entry for entry in entries if entry["values"] and entry["generation"].isdigit())
    return {user(entry["node"], int(entry["generation"])) for entry in heard}


def by_log(path: Path) -> set[str]:
    """The users that Mosquitto let in, as its log says (log_type notice)."""
    with path.open(encoding="utf-8", errors="replace") as file:
        found = (CONNECTED.search(line.rstrip("\n")) for line in file)
        return {one[1] for one in found if one}


def by_nats(url: str) -> set[str]:
    """The users that are connected to a NATS server now, by its monitoring address. Raises `Problem`."""
    users: set[str] = set()
    at, total = 0, 1
    while at < total:
        page = _connections(f"{url.rstrip('/')}/connz?auth=true&limit={PAGE}&offset={at}")
        users |= {one["authorized_user"] for one in page["connections"] if one.get("authorized_user")}
        at, total = at + PAGE, page["total"]
    return users


def _connections(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
            return dict(json.load(reply))
    except (OSError, ValueError) as error:
        advice = "its configuration opens it: http: 127.0.0.1:8222"
        raise Problem(f"NATS's monitoring doesn't answer: {error}", url, advice) from None
