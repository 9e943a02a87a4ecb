"""A bench with many boards: plug in, wait for the beep, next."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware.toolkit.ports import Port, Ports

POLL_S = 0.2

Told = Callable[[str], None]


def await_board(wanted: str, ports: Ports) -> str:
    """Wait until a board is plugged in; returns its port."""
    while not (there := plugged(wanted, ports)):
        time.sleep(POLL_S)
    return min(there)


def await_none(port: str, wanted: str, ports: Ports) -> None:
    """Wait until the board on a port is pulled out."""
    while port in plugged(wanted, ports):
        time.sleep(POLL_S)


def plugged(wanted: str, ports: Ports) -> set[str]:
    """The ports that a board may be on: the one that was named, else all of them."""
    if wanted and not any(port.device == wanted for port in ports()):
        return {wanted} if Path(wanted).exists() else set()
    names = {port.device for port in ports() if known(port)}
    return names & {wanted} if wanted else names


def known(port: Port) -> bool:
    """Whether a board may be behind a port."""
    return port.bridge is not None


def boards(nodes: list[str], wanted: str, ports: Ports, tell: Told) -> Iterator[tuple[str, str]]:
    """Pairs of node and port, one plugging at a time; a node stays first in `nodes` until it is taken out."""
    port, total = "", len(nodes)
    while nodes:
        node, count = nodes[0], f"{total - len(nodes) + 1} of {total}"
        if port:
            tell("pull the board out")
            await_none(port, wanted, ports)
        tell(f"plug in the board for {node} ({count})")
        port = await_board(wanted, ports)
        yield node, port
