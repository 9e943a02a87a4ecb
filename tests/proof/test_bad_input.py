"""Whatever is sent: it gets its clear word, it is counted, and the stream goes on."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import Journal
from gateway.publish import Publisher
from gateway.receive import Broker
from tests.proof.conftest import NODES, network_text
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until

ROOT = "gongi/v1"
OBS = f"{ROOT}/hana/n1/obs"
YESTERDAY = int(time.time()) - 86_400


def batch(number: int, **changed: Any) -> bytes:
    t0 = YESTERDAY + 60 * number
    whole = {
        "log": "0000000a",
        "seq": number,
        "boot": 1,
        "up": 60 * number,
        "t0": t0,
        "dt": 10,
        "pm25": [10.0, 11.0],
    }
    return json.dumps({name: value for name, value in (whole | changed).items() if value != ...}).encode()


BAD: dict[str, tuple[str, bytes, str]] = {
    "unknown topic": (f"{ROOT}/hana/n1/deep/obs", b"{}", "the topic is not of the wire"),
    "unknown kind": (f"{ROOT}/hana/n1/nonsense", b"{}", "unknown kind of message: nonsense"),
    "capitals": (f"{ROOT}/Hana/N1/obs", batch(2), "the topic is not of the wire"),
    "no JSON": (OBS, b'{"log":"0000000a","seq":', "not JSON"),
    "nothing": (OBS, b"", "not JSON"),
    "no UTF-8": (OBS, b'{"log":"\xff\xfe"}', "not JSON"),
    "deep": (OBS, b'{"log":' + b"[" * 8000, "`$.log`"),
    "NaN": (OBS, batch(3).replace(b"11.0", b"NaN"), "not JSON"),
    "a list": (OBS, b"[1, 2]", "Expected `object`, got `array`"),
    "text for number": (OBS, batch(4, pm25=["10"]), "Expected `float | null`, got `str` - at `$.pm25[0]`"),
    "half a second": (OBS, batch(5, t0=1763778000.5), "Expected `int | null`, got `float` - at `$.t0`"),
    "no t0": (OBS, batch(6, t0=...), "missing required field `t0`"),
    "log of 7 digits": (OBS, batch(7, log="000000a"), "`$.log`"),
    "sequence 0": (OBS, batch(8, seq=0), "Expected `int` >= 1 - at `$.seq`"),
    "uneven columns": (OBS, batch(9, pm10=[1.0]), "column pm10 has 1 values, another one 2"),
    "no column": (OBS, batch(10, pm25=...), "no column of a known quantity"),
    "61 samples": (OBS, batch(11, pm25=[1.0] * 61), "Expected `array` of length <= 60"),
    "10 MB": (OBS, b" " * 10_000_000, "10000000 bytes, at most 8192 are allowed"),
    "10 MB of info": (f"{ROOT}/hana/n1/info", b"7" * 10_000_000, "10000000 bytes, at most 8192 are allowed"),
    "10 MB of a stranger": (
        f"{ROOT}/hana/x/obs",
        b"7" * 10_000_000,
        "10000000 bytes, at most 8192 are allowed",
    ),
    "wrong info": (f"{ROOT}/hana/n1/info", b'{"log":"xyz"}', "`$.log`"),
    "wrong reply": (f"{ROOT}/hana/n1/reply", b'{"gone":[[1]]}', "`$.gone[0]`"),
    "wrong state": (f"{ROOT}/hana/n1/state", b'{"level":-1}', "`$.level`"),
    "wrong status": (f"{ROOT}/hana/n1/status", b"maybe", "status is neither `online` nor `offline`"),
    "wrong time": (f"{ROOT}/time", b"noon", "not a UTC second"),
}
IMPOSSIBLE = {"1970": 3, "2000": 946_684_900, "2101": 4_150_000_000, "two hours ahead": ...}


@pytest.fixture
def broker(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A Mosquitto that lets 16 MB pass."""
    return start_mosquitto(keeps=True, size_limit=16_000_000)


@pytest.fixture
def gateway(tmp_path: Path, network: Path, broker: Mosquitto) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path, network, broker.port)
    gateway.start()
    wait_until(lambda: gateway.counted("connected") == 1, 10)
    yield gateway
    gateway.stop()


@pytest.fixture
def line(broker: Mosquitto, gateway: Gateway) -> Iterator[Publisher]:
    """A publisher, once the gateway has subscribed."""
    line = Publisher(Broker("127.0.0.1", broker.port), "bad-input")
    line.start()
    wait_until(lambda: _heard(line, gateway), 20, 0.1)
    yield line
    line.stop()


def _heard(line: Publisher, gateway: Gateway) -> bool:
    line.publish(f"{ROOT}/hana/n1/status", b"online")
    return gateway.counted("messages") > 0


def letters(gateway: Gateway) -> dict[tuple[str, bytes], str]:
    """The dead letters' reasons by topic and payload."""
    journal = Journal(gateway.data / "journal.sqlite")
    found = {(topic, payload): reason for _, topic, payload, reason in journal.letters(1000)}
    journal.close()
    return found


def stored(gateway: Gateway, node: str = "n1", log: str = "0000000a") -> list[list[int]]:
    return list(gateway.ledger().get((node, log), {"stored": []})["stored"])


def test_each_bad_message_gets_its_word_and_the_stream_goes_on(gateway: Gateway, line: Publisher) -> None:
    line.publish(OBS, batch(1))
    for topic, payload, _ in BAD.values():
        line.publish(topic, payload)
    for own in (b'{"issued":1763778059,"quantity":"pm25","value":[48]}', b"no JSON"):
        line.publish(f"{ROOT}/hana/n1/forecast", own)  # a node's own: counted, and no more
    line.publish(OBS, batch(2, nonsense=1, more=[2]))
    line.publish(OBS, batch(2))
    line.publish(OBS, batch(2, pm25=[5.0, 6.0]))
    wait_until(lambda: stored(gateway) == [[1, 2]], 20, 0.1)
    wait_until(lambda: gateway.counted("conflicts") == 1, 10, 0.1)
    found = letters(gateway)
    for name, (topic, payload, reason) in BAD.items():
        assert reason in found.get((topic, payload[:4096]), ""), name
    assert max(len(payload) for _, payload in found) == 4096
    assert (
        found[OBS, batch(2, pm25=[5.0, 6.0])]
        == "conflict: batch 2 of log 0000000a is stored with other content"
    )
    assert gateway.counted("letters") == len(BAD)
    assert gateway.counted("unknown_topics") == 2
    assert gateway.counted("unknown_fields") == 2
    assert gateway.counted("doubles") == 1
    assert gateway.counted("stage_failures") == 0
    alarms = json.dumps(gateway.ask("sites/hana?lang=en"), ensure_ascii=False)
    assert "conflict" in alarms.lower(), alarms


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_samples_of_an_impossible_time_are_kept_untimed(gateway: Gateway, line: Publisher, name: str) -> None:
    t0 = IMPOSSIBLE[name] if IMPOSSIBLE[name] != ... else int(time.time()) + 7200
    payload = batch(1, t0=t0)
    line.publish(OBS, payload)
    wait_until(lambda: stored(gateway) == [[1, 1]], 10, 0.05)
    assert gateway.counted("impossible_times") == 1
    assert gateway.counted("untimed") == 2
    assert letters(gateway)[OBS, payload] == f"t0 {t0} is impossible: samples kept untimed"
    line.publish(OBS, batch(2, boot=1))
    wait_until(lambda: gateway.counted("placed") == 2, 10, 0.05)


def test_an_unknown_node_waits_in_quarantine_until_the_files_name_it(
    gateway: Gateway, line: Publisher, network: Path
) -> None:
    topic = f"{ROOT}/hana/n3/obs"
    for seq in (1, 2, 3):
        line.publish(topic, batch(seq))
    line.publish(topic, b"{broken")
    line.publish(OBS, batch(1))
    wait_until(lambda: stored(gateway) == [[1, 1]], 10, 0.05)
    assert gateway.counted("quarantined") == 4
    wait_until(lambda: _new_nodes(gateway) == {"n3": 4}, 15, 0.2)
    network.write_text(network_text(*NODES, "n3"), "utf-8")
    wait_until(lambda: stored(gateway, "n3") == [[1, 3]], 15, 0.1)
    assert "not JSON" in letters(gateway)[topic, b"{broken"]
    wait_until(lambda: _new_nodes(gateway) == {}, 15, 0.2)
    line.publish(topic, batch(4))
    wait_until(lambda: stored(gateway, "n3") == [[1, 4]], 10, 0.1)
    gateway.kill()
    gateway.start()
    assert stored(gateway, "n3") == [[1, 4]]


def _new_nodes(gateway: Gateway) -> dict[str, int]:
    return {one["id"]: one["messages"] for one in gateway.ask("sites/hana")["new_nodes"]}


def test_network_files_with_five_mistakes_are_refused_whole(
    gateway: Gateway, line: Publisher, network: Path
) -> None:
    good = network.read_text("utf-8")
    bad = (good + network_text("n3").split("[[site]]")[0]).replace('tz = "Asia/Seoul"', 'tz = "Asia/Soul"')
    bad = bad.replace("volume = 180.0", "volume = -1").replace("sample_s = 600", 'sample_s = "ten"', 1)
    bad = bad.replace('room = "1-1", placement', 'room = "9-9", placement', 1).replace(
        '"pms5003"', '"pms5033"', 1
    )
    network.write_text(bad, "utf-8")
    wait_until(lambda: gateway.ask("sites/hana")["refused"], 15, 0.2)
    said = gateway.ask("sites/hana")["refused"]
    for word in ("5 mistakes", "Asia/Soul", "-1", "ten", "9-9", "pms5033"):
        assert word in said, (word, said)
    assert gateway.counted("reloads") == 1
    line.publish(OBS, batch(1))
    wait_until(lambda: stored(gateway) == [[1, 1]], 10, 0.05)
    network.write_text(good + "# again\n", "utf-8")
    wait_until(lambda: not gateway.ask("sites/hana")["refused"], 15, 0.2)


PURIFIER = """
[[actuator]]
id = "p1"
kind = "purifier"
site = "hana"
room = "1-1"
levels = [{{power = 1}}, {{cadr = 250, power = 12}}{more}]
"""


def test_a_level_that_an_actuator_lacks_stops_no_decision(
    gateway: Gateway, line: Publisher, network: Path
) -> None:
    """Neither one that it reports, nor one that changed network files have no more."""
    topic = f"{ROOT}/hana/p1/state"
    network.write_text(network_text(*NODES) + PURIFIER.format(more=", {cadr = 500, power = 28}"), "utf-8")
    wait_until(lambda: gateway.counted("reloads") == 1, 10, 0.1)
    line.publish(topic, b'{"level":3}')
    line.publish(topic, b'{"level":2}')
    wait_until(lambda: gateway.counted("letters") == 1, 10, 0.1)
    assert letters(gateway)[topic, b'{"level":3}'] == "level 3, where p1 has 0 to 2"
    network.write_text(network_text(*NODES) + PURIFIER.format(more=""), "utf-8")
    wait_until(lambda: gateway.counted("reloads") == 2, 10, 0.1)
    line.publish(OBS, batch(1, t0=int(time.time()) - 10))
    wait_until(lambda: gateway.counted("decisions") + gateway.counted("stage_failures") > 0, 10, 0.1)
    assert gateway.counted("stage_failures") == 0
