"""A board that runs already, on a cable: its Wi-Fi networks written anew, nothing else touched."""

import json
from collections.abc import Sequence
from typing import Any

from edge.problem import Problem
from firmware.toolkit.ports import Ports, choose, opened, present
from firmware.toolkit.repl import Repl

CONFIG, TURNS = "config.json", "turns.json"


def write_networks(
    device: str, port: str, entries: Sequence[object], dry: bool, ports: Ports = present
) -> str:
    """Write a device's networks and let it start anew; returns what was done. Raises `Problem` where another
    device, or none, is on the cable."""
    found = choose(port, ports, None)
    with opened(found) as line:
        repl = Repl(line, found.device)
        repl.enter()
        repl.who()  # tames the watchdog
        files = _changed(repl, device, entries, found.device)
        changed = [] if dry else repl.copy(files, lambda done: None)
        repl.reset()
    return "would be written" if dry else "written" if changed else "has them already"


def _changed(repl: Repl, device: str, entries: Sequence[object], where: str) -> dict[str, bytes]:
    """The board's configuration with other networks; what came over the air becomes part of it, for a change
    by cable ends all that was laid over it."""
    config = _read(repl, CONFIG)
    if config.get("id") != device:
        repl.reset()
        raise Problem(f"the board on the cable is {config.get('id')}", where, f"plug {device} in")
    change = _read(repl, TURNS).get("change") or {}
    authorities = [repl.read(path.strip("/")) for path in (change.get("tls") or {}).get("ca", ())]
    files = {f"ca{n}.pem": data for n, data in enumerate(authorities)}
    config |= (
        change | {"wifi": list(entries)} | ({"tls": {"ca": [f"/{name}" for name in files]}} if files else {})
    )
    return {**files, CONFIG: json.dumps(config, ensure_ascii=False, sort_keys=True).encode()}


def _read(repl: Repl, path: str) -> dict[str, Any]:
    try:
        return dict(json.loads(repl.read(path) or b"{}"))
    except ValueError:
        return {}
