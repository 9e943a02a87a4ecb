"""A person's level for a purifier: through the API of a real gateway, to a plug on a real Mosquitto."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from gateway.journal import Journal
from gateway.remote import Remote, Unanswered
from tests.dialect.devices import SleepingPlug, TasmotaPlug, ZigbeePurifier
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until
from tests.test_command import gongi

NETWORK = """
[[site]]
id = "hana"
tz = "Asia/Seoul"

[[site.room]]
id = "1-1"
volume = 180.0

[[actuator]]
id = "plug"
kind = "purifier"
site = "hana"
room = "1-1"
dialect = "tasmota"
address = "plug"
levels = [{}, {cadr = 600, power = 45}]

[[actuator]]
id = "sleeper"
kind = "purifier"
site = "hana"
room = "1-1"
dialect = "tasmota"
address = "sleeper"
levels = [{}, {cadr = 600, power = 45}]

[[actuator]]
id = "zigbee"
kind = "purifier"
site = "hana"
room = "1-1"
dialect = "zigbee2mqtt"
address = "zigbee"
levels = [{}, {cadr = 200, say = "3"}, {cadr = 400, say = "6"}]
"""


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Gateway]:
    network = tmp_path / "network.toml"
    network.write_text(NETWORK, "utf-8")
    one = Gateway(tmp_path / "gateway", network, mosquitto.port)
    one.start()
    yield one
    one.kill()


@pytest.fixture
def plug(mosquitto: Mosquitto) -> Iterator[TasmotaPlug]:
    one = TasmotaPlug(mosquitto.port, "plug")
    yield one
    one.stop()


def now(gateway: Gateway, actuator: str, lang: str = "en") -> dict[str, Any]:
    found: dict[str, Any] = gateway.ask(f"actuators/{actuator}?lang={lang}")["now"]
    return found


def told(gateway: Gateway) -> list[tuple[str, str, int]]:
    journal = Journal(gateway.data / "journal.sqlite")
    try:
        rows = [row for block in journal.blocks(0, ("override",)) for row in json.loads(block.body or b"")]
    finally:
        journal.close()
    return [(row["event"], row["override"]["who"], row["override"]["level"]) for row in rows]


def test_a_persons_level_holds_over_a_restart_and_ends_when_it_is_let_go(
    gateway: Gateway, plug: TasmotaPlug
) -> None:
    remote = Remote(gateway.url)
    wait_until(lambda: now(gateway, "plug")["online"], 20)
    said = {"level": 1, "minutes": 30, "who": "김보건", "why": "parents visit"}
    answered = remote.post("actuators/plug/override", said)["now"]["override"]
    assert (answered["level"], answered["who"]) == (1, "김보건")
    wait_until(lambda: plug.level == 1 and now(gateway, "plug")["acknowledged"])
    assert now(gateway, "plug", "ko")["override"]["said"].startswith("김보건")
    with urlopen(f"{gateway.url}/site/hana?lang=ko") as page:
        assert "parents visit" in page.read().decode(), "the page says who, until when, and why"

    gateway.kill()
    plug.pass_time(400)
    assert plug.level == 0, "its own timer ended, as nobody commanded it"
    gateway.start()
    assert now(gateway, "plug")["override"] == answered
    wait_until(lambda: plug.level == 1)

    assert remote.delete("actuators/plug/override", who="김보건")["now"]["override"] is None
    remote.delete("actuators/plug/override")  # nothing is there to end
    assert told(gateway) == [("set", "김보건", 1), ("released", "김보건", 1)]
    assert gateway.counted("overrides") == 1, "of this life: the release"


def test_it_ends_by_its_time_and_by_the_button_at_the_device(gateway: Gateway, plug: TasmotaPlug) -> None:
    remote = Remote(gateway.url)
    wait_until(lambda: now(gateway, "plug")["online"], 20)
    remote.post("actuators/plug/override", {"level": 1, "minutes": 0.01})
    wait_until(lambda: now(gateway, "plug")["override"] is None)

    remote.post("actuators/plug/override", {"level": 1, "minutes": 30})
    wait_until(lambda: plug.level == 1 and now(gateway, "plug")["acknowledged"])
    plug.switch(0)
    wait_until(lambda: [event for event, *_ in told(gateway)] == ["set", "expired", "set", "button"])
    assert now(gateway, "plug")["override"] is None
    assert now(gateway, "plug")["cause"] == "button"


REFUSED: list[tuple[str, dict[str, object], int]] = [
    ("plug", {"level": 2}, 422),
    ("plug", {"level": 1, "minutes": 0}, 422),
    ("plug", {"level": 1, "minutes": 1e9}, 422),
    ("plug", {"level": 1, "forever": True}, 422),
    ("plgu", {"level": 1}, 404),
]


def test_what_cant_be_done_is_refused_with_a_reason(gateway: Gateway) -> None:
    for actuator, said, status in REFUSED:
        path = f"{gateway.url}/api/v1/actuators/{actuator}/override"
        request = Request(path, json.dumps(said).encode(), {"Content-Type": "application/json"})
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        with refused.value as answer:
            assert (answer.code, json.load(answer)["status"]) == (status, status)
    assert told(gateway) == []
    away = gongi("actuator", "list", "--url", "http://127.0.0.1:9")
    assert (away.returncode, "no gateway answers" in away.stderr) == (1, True)
    with pytest.raises(Unanswered, match="plug, sleeper, zigbee"):
        Remote(gateway.url).get("actuators/plgu")


def test_levels_are_proved_by_power_and_a_purifier_that_stays_off_is_named(
    gateway: Gateway, plug: TasmotaPlug, mosquitto: Mosquitto
) -> None:
    sleeper = SleepingPlug(mosquitto.port, "sleeper")
    wait_until(lambda: now(gateway, "plug")["online"] and now(gateway, "sleeper")["online"], 20)
    called = ("--url", gateway.url, "--json", "--settle", "0")
    proved = gongi("actuator", "test", "plug", *called)
    assert proved.returncode == 0, proved.stderr
    levels = json.loads(proved.stdout)["levels"]
    assert [(one["finding"], one["power"]) for one in levels] == [("off", 0.0), ("power", 45.0)]
    assert now(gateway, "plug")["override"] is None, "the gateway decides again"

    asleep = gongi("actuator", "test", "sleeper", *called)
    assert asleep.returncode == 1
    last = json.loads(asleep.stdout)["levels"][1]
    assert (last["acknowledged"], last["finding"], last["proved"]) == (True, "asleep", False)
    assert "button" in last["said"]["en"]
    assert "버튼" in last["said"]["ko"]
    sleeper.stop()


def test_a_person_sets_lists_and_releases_on_the_command_line(gateway: Gateway, mosquitto: Mosquitto) -> None:
    purifier = ZigbeePurifier(mosquitto.port, "zigbee")
    wait_until(lambda: now(gateway, "zigbee")["online"], 20)
    set_ = gongi("actuator", "set", "zigbee", "2", "--minutes", "5", "--who", "kim", "--url", gateway.url)
    assert (set_.returncode, set_.stderr) == (0, "")
    assert set_.stdout.startswith("zigbee: set by kim until ")
    wait_until(lambda: purifier.level == 6)
    listed = json.loads(gongi("actuator", "list", "--json", "--url", gateway.url).stdout)["actuators"]
    assert [one["now"]["override"] is None for one in listed] == [True, True, False]
    gone = gongi("actuator", "release", "zigbee", "--url", gateway.url)
    assert gone.stdout == "zigbee: The gateway decides.\n"
    purifier.stop()
