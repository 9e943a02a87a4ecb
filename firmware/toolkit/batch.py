"""A bench with many boards: plug in, wait for the beep, next."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware.toolkit.ports import Port, Ports

POLL_S = 0.2

Told = Callable[[str], None]


def await_board(wanted: str, ports: Ports, tell: Told) -> Port:
    """Wait until one board alone is plugged in: of several nobody could say which is the node's."""
    told = False
    while len(there := plugged(wanted, ports)) != 1:
        if there and not told:
            names = ", ".join(map(str, there))
            tell(f"{len(there)} boards are connected ({names}): leave one alone, or say which with --port")
            told = True
        time.sleep(POLL_S)
    return there[0]


def await_none(port: Port, wanted: str, ports: Ports) -> None:
    """Wait until a board is pulled out, whatever its port is called meanwhile."""
    while any(port.same(other) for other in plugged(wanted, ports)):
        time.sleep(POLL_S)


def plugged(wanted: str, ports: Ports) -> list[Port]:
    """The ports that a board may be on: the one that was named, else all that the table of bridges knows."""
    there = list(ports())
    if not wanted:
        return [port for port in there if port.bridge]
    named = [port for port in there if port.device == wanted]
    return named or ([Port(wanted)] if Path(wanted).exists() else [])


def boards(nodes: list[str], wanted: str, ports: Ports, tell: Told) -> Iterator[tuple[str, str]]:
    """Pairs of node and port, one plugging at a time; a node stays first in `nodes` until it is taken out."""
    port, total = None, len(nodes)
    while nodes:
        node, count = nodes[0], f"{total - len(nodes) + 1} of {total}"
        if port:
            tell("pull the board out")
            await_none(port, wanted, ports)
        tell(f"plug in the board for {node} ({count})")
        port = await_board(wanted, ports, tell)
        yield node, port.device
