"""Fifty nodes, a broker that dies, an authority and an address that change while three nodes are away.

Real MicroPython (the Unix port, 128 KB of heap each, in real time), real Mosquittos with TLS, passwords and
rights, `gongi serve` and the operator's commands as processes of their own. A witness hears every batch at
both brokers; at the end the gateway's ledger has them all, once, and misses nothing.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from firmware.toolkit import authority
from tests.firmware.workshop import Wires
from tests.fleet.fleet import Fleet
from tests.proof.gateway import Gateway
from tests.servers import wait_until

NODES = 50
AWAY = ("n7", "n23", "n50")


@pytest.fixture
def fleet(tmp_path: Path, micropython: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setenv("GONGI_MQTT_USER", "")
    monkeypatch.setenv("GONGI_MQTT_PASSWORD", "")
    wires = Wires(speed=1)
    fleet = Fleet(tmp_path, micropython, wires, NODES)
    yield fleet
    fleet.stop()
    wires.close()


def stored(gateway: Gateway) -> dict[str, Any]:
    """The ledger's row of each node, which has one log."""
    rows = gateway.ask("ledger")["ledger"]["logs"]
    assert len(rows) == len({row["node"] for row in rows}), "a node has begun a second log"
    return {row["node"]: row for row in rows}


def missing(gateway: Gateway, fleet: Fleet) -> list[str]:
    """The nodes of whose batches the gateway lacks some that were published, or knows a gap."""
    rows, published = stored(gateway), fleet.published()
    return [name for name in fleet.names if name not in rows or not whole(rows[name], published[name])]


def whole(row: dict[str, Any], published: set[tuple[str, int]]) -> bool:
    spans = row["stored"]
    last = max((seq for _, seq in published), default=1 << 48)
    return not row["gaps"] and len(spans) == 1 and spans[0][0] == 1 and spans[0][1] >= last


def spoken(fleet: Fleet, names: set[str]) -> None:
    """Wait until each of these nodes has published a further batch."""
    marks = {name: len(batches) for name, batches in fleet.published().items()}
    wait_until(lambda: all(len(fleet.published()[name]) > marks.get(name, 0) for name in names), 60, 0.2)


def lacking(said: dict[str, Any]) -> set[str]:
    return {row["device"] for row in said["lacking"]}


@pytest.mark.timeout(300)  # it takes a minute on two idle cores
def test_nobody_needs_a_visit(fleet: Fleet) -> None:
    here = fleet.broker()
    fleet.witness(here)
    gateway = fleet.serve(here)
    for name in fleet.names:
        fleet.node(name, here)
    wait_until(lambda: not missing(gateway, fleet), 60, 0.2)

    for name in AWAY:
        fleet.nodes[name].kill()
    here.kill()
    here.forget()
    here.start()
    spoken(fleet, set(fleet.names) - set(AWAY))

    reload = ("--reload", str(here.pid_file))
    said = fleet.say("ca", "rotate", *reload, "--go-on", status=1)
    assert lacking(said) == set(AWAY)
    assert all(row["heard"] is None for row in said["lacking"])
    assert said["counts"]["proved"] == NODES - len(AWAY)
    assert lacking(fleet.say("ca", "retire", *reload, status=1)) == set(AWAY)

    there = fleet.broker()
    fleet.witness(there)
    to = [word for host, port in there.addresses for word in ("--to", f"{host}:{port}")]
    old = [word for host, port in here.addresses for word in ("--from", f"{host}:{port}")]
    gateway = fleet.serve(there)
    said = fleet.say("broker", "move", *to, *old, status=1)
    assert lacking(said) == set(AWAY)

    for name in AWAY:  # they know the old authority and the old address alone
        fleet.nodes[name].start()
    assert not fleet.say("ca", "rotate", *reload)["lacking"]
    assert not fleet.say("broker", "move", *to, *old)["lacking"]
    with ThreadPoolExecutor() as pool:  # two renewals at once
        ends = [pool.submit(fleet.say, *words) for words in (("ca", "retire", *reload), ("broker", "retire"))]
    assert all(end.result()["complete"] for end in ends)
    here.stop()

    spoken(fleet, set(fleet.names))
    wait_until(lambda: not missing(gateway, fleet), 30, 0.2)
    rows = stored(gateway)
    assert not [row for row in rows.values() if row["lost"]]
    assert gateway.counted("conflicts") == 0
    assert authority.signed_by(there.secrets / "mosquitto" / "server.crt", fleet.secrets / "ca.pem")
    assert not (fleet.secrets / "ca-next.pem").exists()
