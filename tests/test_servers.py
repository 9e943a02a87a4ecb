"""The real parts do what the other tests rely on."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest

from gateway.broker import Broker, BrokerError, answers
from tests.servers import Influx, Mosquitto, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Client(mqtt.Client):
    """A paho client that keeps what arrives."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(mqtt.CallbackAPIVersion.VERSION2, name, clean_session=False)
        self.arrived: list[bytes] = []
        self.granted: list[object] = []
        self.on_message = lambda client, userdata, message: self.arrived.append(message.payload)
        self.on_subscribe = lambda *arguments: self.granted.append(arguments)
        self.connect("127.0.0.1", port)
        self.loop_start()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()
        self.loop_stop()

    def listen(self, topic: str) -> None:
        self.subscribe(topic, 1)
        wait_until(lambda: self.granted)

    def say(self, topic: str, payload: bytes) -> None:
        self.publish(topic, payload, 1).wait_for_publish(10)


def test_a_message_goes_through(broker: Mosquitto | Broker) -> None:
    with Client(broker.port, "ear") as ear, Client(broker.port, "mouth") as mouth:
        ear.listen("gongi/v1/+/+/obs")
        mouth.say("gongi/v1/hana/1-2-a/obs", b"{}")
        wait_until(lambda: ear.arrived == [b"{}"])


def test_a_session_outlives_a_stop_and_ends_by_forgetting(broker: Mosquitto | Broker) -> None:
    with Client(broker.port, "ear") as ear:
        ear.listen("a/b")
    with Client(broker.port, "mouth") as mouth:
        mouth.say("a/b", b"one")
    broker.stop()
    broker.start()
    with Client(broker.port, "ear") as ear:
        wait_until(lambda: ear.arrived == [b"one"])
    with Client(broker.port, "mouth") as mouth:
        mouth.say("a/b", b"two")
    broker.kill()
    broker.forget()
    broker.start()
    with Client(broker.port, "ear") as ear:
        ear.listen("a/b")
        ear.say("a/b", b"three")
        wait_until(lambda: ear.arrived)
        assert ear.arrived == [b"three"]


def test_mosquitto_refuses_a_message_above_its_limit(start_mosquitto: Callable[..., Mosquitto]) -> None:
    broker = start_mosquitto(size_limit=1000)
    with Client(broker.port, "ear") as ear, Client(broker.port, "mouth") as mouth:
        ear.listen("a")
        mouth.publish("a", b"x" * 2000, 0)
        mouth.say("a", b"small")
        wait_until(lambda: ear.arrived)
        assert ear.arrived == [b"small"]


def test_the_embedded_broker_says_why_it_cannot_start(nats: Broker, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=f"127.0.0.1:{nats.port}: another MQTT broker"):
        Broker(tmp_path / "second", nats.port).start()


def test_the_embedded_broker_says_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"127.0.0.1:{port}: the embedded.*\\n.*already in use"):
            Broker(tmp_path / "nats", port).start()


@pytest.mark.parametrize(("password", "refused"), [("wrong", True), ('a "b" \\ c$', False)])
def test_the_embedded_broker_wants_its_password(tmp_path: Path, password: str, refused: bool) -> None:
    with Broker(tmp_path / "nats", user="gateway", password='a "b" \\ c$') as broker:
        answers: list[bool] = []
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.on_connect = lambda client, userdata, flags, reason, properties: answers.append(
            reason.is_failure
        )
        client.username_pw_set("gateway", password)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        wait_until(lambda: answers)
        client.disconnect()
        client.loop_stop()
        assert answers[0] is refused


def test_the_embedded_broker_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, gateway.broker as b; "
        "s = b.Broker(pathlib.Path(sys.argv[1])); s.start(); print(s.port, flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], **pipes) as parent:
        port = int(parent.stdout.readline())
        assert answers("127.0.0.1", port)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not answers("127.0.0.1", port))


def write(influx: Influx, line: str) -> None:
    path = f"/api/v2/write?org={influx.org}&bucket={influx.bucket}&precision=s"
    head = {"Authorization": f"Token {influx.token}"}
    with urllib.request.urlopen(urllib.request.Request(influx.url + path, line.encode(), head)) as reply:
        assert reply.status == 204


@pytest.mark.parametrize("end", [Influx.stop, Influx.kill])
def test_influxdb_keeps_what_was_written(influx: Influx, end: Callable[[Influx], None]) -> None:
    write(influx, "air,node=1-2-a pm25=12.5 1763778000")
    end(influx)
    influx.start()
    rows = influx.query_influxql('SELECT "pm25" FROM "air" GROUP BY "node"')
    assert rows == [{"node": "1-2-a", "time": 1763778000 * 10**9, "pm25": 12.5}]


def test_each_test_has_an_empty_bucket(influx: Influx) -> None:
    assert influx.query_influxql('SELECT * FROM "air"') == []


def test_micropython_has_the_heap_of_an_esp32(micropython: str) -> None:
    command = [micropython, "-X", "heapsize=128k", "-c", "import gc; print(gc.mem_free() + gc.mem_alloc())"]
    answer = subprocess.run(command, capture_output=True, timeout=20, check=True)
    assert 120_000 < int(answer.stdout) <= 131_072


def test_chromium_shows_korean(page: "Page") -> None:
    page.set_content("<p style='font-size:40px'>공기</p>")
    assert page.inner_text("p") == "공기"
