"""Changes of networks, brokers, authorities and site over MQTT: real MicroPython, Mosquittos, TLS."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.broker import free_port
from tests.firmware.conftest import Start
from tests.firmware.test_link import TLS, OtherMosquitto, authority, hearing, openssl
from tests.firmware.workshop import ACTUATOR, NODE, ROOT, Ear
from tests.parts import need
from tests.servers import Mosquitto, wait_until

KEY = bytes(range(32))
TRIAL_S = 240
"""Simulated seconds: 2 s of this machine."""
Make = Callable[..., tuple[OtherMosquitto, Ear]]


def command(turn: int, secret: bytes = KEY, **change: Any) -> dict[str, Any]:
    text = json.dumps({"trial_s": TRIAL_S, **change}, ensure_ascii=False)
    code = hmac.new(secret, b"reconfigure\n%d\n" % turn + text.encode(), hashlib.sha256).hexdigest()
    return {"op": "reconfigure", "id": f"t-{turn}", "turn": turn, "change": text, "mac": code}


def der(folder: Path, name: str) -> bytes:
    openssl(folder, "x509", "-in", f"{name}.crt", "-outform", "der", "-out", f"{name}.der")
    return (folder / f"{name}.der").read_bytes()


def fingerprint(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()[:8]


def told(ear: Ear, device: str = "hana/1-2-a") -> tuple[Any, ...]:
    infos = ear.heard("info", device)
    return tuple(infos[-1][name] for name in ("turn", "turning", "turned")) if infos else ()


def answer(ear: Ear, turn: int, device: str = "hana/1-2-a") -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [one for one in ear.heard("reply", device) if one["id"] == f"t-{turn}"]

    wait_until(found)
    return found()[-1]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start another Mosquitto and an ear at it: with `tls`, (its port, the folder of ca, server)."""
    with ExitStack() as ends:

        def begin(tls: tuple[int, Path] | None = None) -> tuple[OtherMosquitto, Ear]:
            folder = tmp_path / f"broker-{free_port()}"
            folder.mkdir()
            broker = OtherMosquitto(need("mosquitto"), folder)
            if tls:
                broker.more = TLS.format(port=tls[0], folder=tls[1])
            ends.callback(broker.stop)
            broker.start()
            return broker, ends.enter_context(hearing(broker.port))

        yield begin


def test_it_moves_to_another_broker_and_stays_there(
    ear: Ear, start: Start, mosquitto: Mosquitto, make: Make
) -> None:
    there, ear_there = make()
    node = start(NODE, update_key=KEY.hex())
    wait_until(lambda: told(ear) == (0, None, None))
    ear.say("cmd", command(7, b"another", brokers=[["127.0.0.1", there.port]]))
    assert answer(ear, 7) == {"op": "reconfigure", "id": "t-7", "turn": 7, "error": "mac"}
    ear.say("cmd", command(8, brokers=[["127.0.0.1", there.port]]))
    assert answer(ear, 8) == {"op": "reconfigure", "id": "t-8", "turn": 8, "trial": True}
    wait_until(lambda: told(ear_there) == (8, None, None), 20)
    wait_until(lambda: ear_there.heard("obs"))
    assert ear_there.heard("obs")[-1]["log"] == ear_there.heard("info")[-1]["log"]
    assert ear_there.heard("info")[-1]["cause"] == "turn"
    node.kill()
    node.start()
    wait_until(lambda: ear_there.heard("info")[-1]["cause"] == "power")
    assert told(ear_there) == (8, None, None)
    ear_there.say("cmd", command(8, brokers=[["127.0.0.1", mosquitto.port]]))
    assert answer(ear_there, 8)["error"] == "older"


def test_from_where_nobody_answers_it_returns_by_itself(ear: Ear, start: Start) -> None:
    # Its ticks wrap during the trial: after some 100 s of 240.
    node = start(NODE, update_key=KEY.hex(), sim={"ticks_start": 0x3FFFFFFF - 100_000})
    wait_until(lambda: ear.heard("obs"))
    ear.say("cmd", command(8, brokers=[["127.0.0.1", free_port()]]))
    assert answer(ear, 8)["trial"]
    wait_until(lambda: told(ear) == (0, None, [8, "broker"]), 20)
    node.kill()
    node.start()
    ear.messages.clear()
    wait_until(lambda: told(ear) == (0, None, [8, "broker"]), 20)


def test_an_actuator_changes_its_site_and_speaks_there(ear: Ear, start: Start) -> None:
    start(ACTUATOR, update_key=KEY.hex())
    wait_until(lambda: ear.heard("info", "hana/p-1"))
    ear.say("cmd", command(9, site="duri"), "hana/p-1")
    wait_until(lambda: told(ear, "duri/p-1") == (9, None, None), 20)
    wait_until(lambda: ear.statuses("duri/p-1")[-1:] == ["online"])
    assert ear.heard("state", "duri/p-1")
    assert "duri" not in str(ear.heard("info", "hana/p-1"))


def test_another_wifi_is_kept_where_it_leads_to_a_broker(ear: Ear, start: Start) -> None:
    sim = {"points": {"school": "sesame-1", "library": "sesame-2"}}
    start(NODE, update_key=KEY.hex(), wifi=[["school", "sesame-1"]], sim=sim)
    wait_until(lambda: ear.heard("info"))
    first = ear.heard("info")[-1]
    assert first["wifi"]["ssid"] == "school"
    ear.say("cmd", command(3, wifi=[["library", "wrong-one"]]))
    wait_until(lambda: told(ear) == (0, None, [3, "wifi"]), 20)
    assert ear.heard("info")[-1]["wifi"]["ssid"] == "school"
    ear.say("cmd", command(4, wifi=[["library", "sesame-2"], ["school", "sesame-1"]]))
    wait_until(lambda: told(ear)[:2] == (4, None), 20)
    last = ear.heard("info")[-1]
    assert last["wifi"]["ssid"] == "library"
    assert last["config"] == first["config"]
    assert b"sesame" not in b"".join(ear.messages[f"{ROOT}/hana/1-2-a/info"])


def taken(ear: Ear, turn: int, **change: Any) -> bool:
    """Whether it is in force; else it is asked for again, as the gateway does: it may restart for memory."""
    if told(ear) == (turn, None, None):
        return True
    ear.say("cmd", command(turn, **change))
    return False


def test_the_authority_changes_without_a_visit(ear: Ear, start: Start, tmp_path: Path, make: Make) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        authority(folder, "ca", "localhost")
    certificates = [der(folder, "ca") for folder in (old, new)]
    prints = [fingerprint(one) for one in certificates]
    port_old, port_new = free_port(), free_port()
    _, ear_old = make((port_old, old))
    _, ear_new = make((port_new, new))
    texts = [base64.b64encode(one).decode() for one in certificates]
    where = {"brokers": [["localhost", port_old]], "tls": {"ca": [str(old / "ca.crt")]}}
    start(NODE, update_key=KEY.hex(), **where)
    wait_until(lambda: told(ear_old) == (0, None, None), 20)
    first = ear_old.heard("info")[-1]
    assert (first["trusts"], first["ca"]) == (prints[:1], prints[0])
    # Both are believed; the one that is there proves.
    ear_old.say("cmd", command(1, ca=texts))
    wait_until(lambda: told(ear_old) == (1, None, None), 20)
    assert (ear_old.heard("info")[-1]["trusts"], ear_old.heard("info")[-1]["ca"]) == (prints, prints[0])
    # The broker has the next authority's certificate now.
    ear_old.say("cmd", command(2, brokers=[["localhost", port_new]]))
    wait_until(lambda: told(ear_new) == (2, None, None), 20)
    assert (ear_new.heard("info")[-1]["trusts"], ear_new.heard("info")[-1]["ca"]) == (prints[::-1], prints[1])
    # The old one is believed no more; a way back to its broker fails, and the node stays reachable.
    wait_until(lambda: taken(ear_new, 3, ca=texts[1:]), 30, 1)
    assert ear_new.heard("info")[-1]["trusts"] == prints[1:]
    ear_new.say("cmd", command(4, brokers=[["localhost", port_old]]))
    wait_until(lambda: told(ear_new) == (3, None, [4, "refused"]), 30)
