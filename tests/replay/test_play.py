"""Replay through a real Mosquitto, with a subscriber that decodes what comes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge.readings import SECOND
from edge.wire import decode
from gateway import table as tables
from gateway.command.replay import replay
from gateway.network.of_table import from_table
from gateway.publish import Publisher, PublishError, broker_of
from gateway.receive import Broker
from gateway.replay import Cut, Player, cut
from gateway.table import Table, Words, ordered
from tests.servers import Mosquitto, free_port, wait_until

START = 1_483_196_400
ROOT = "gongi/v1"


def table(nodes: int, samples: int, dt: int = 60) -> Table:
    """A series of some nodes that differ."""
    code = np.repeat(np.arange(nodes, dtype=np.int32), samples)
    time_s = START + np.tile(np.arange(samples) * dt, nodes)
    values = 20 + 10 * np.sin(np.arange(code.size) / 9)
    words = {"station": Words(tuple(f"s{n}" for n in range(nodes)), code)}
    columns = {"pm25": values.round(1), "pm10": (values * 1.5).round(1), "no2": values}
    return ordered(Table("seoul", time_s * SECOND, words, columns))


class Listener:
    """A subscriber that keeps all that comes, in order."""

    def __init__(self, port: int, topic: str = f"{ROOT}/#") -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _, __, m: self.heard.append((m.topic, m.payload, m.retain))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def of(self, kind: str, node: str = "") -> list[bytes]:
        return [payload for topic, payload, _ in self.heard if topic.endswith(f"{node}/{kind}")]

    def tell(self, topic: str, command: dict[str, object]) -> None:
        self._client.publish(topic, json.dumps(command), 0)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    listener = Listener(mosquitto.port)
    yield listener
    listener.leave()


@pytest.fixture
def play(mosquitto: Mosquitto) -> Iterator[Callable[..., Player]]:
    """Start players of a table; they leave with the test."""
    players: list[Player] = []

    def start(parts: Cut, **options: float) -> Player:
        players.append(Player(parts.spools, ROOT, "c0ffee00", Broker("127.0.0.1", mosquitto.port), **options))
        players[-1].start()
        return players[-1]

    yield start
    for player in players:
        player.stop()


def cut_of(whole: Table) -> Cut:
    return cut(whole, from_table(whole))


def test_everything_arrives_as_it_stands_in_the_table(
    listener: Listener, play: Callable[..., Player]
) -> None:
    whole = table(5, 500)
    parts = cut_of(whole)
    play(parts).run()
    wait_until(lambda: len(listener.of("obs")) == parts.batches)
    topics, payloads = zip(*((t, p) for t, p, _ in listener.heard if t.endswith("/obs")), strict=True)
    decoded = decode([topic.split("/")[-2] for topic in topics], topics, payloads, None)
    assert not decoded.letters
    rows = decoded.readings.take(np.lexsort((decoded.readings.time, decoded.readings.node)))
    assert len(rows) == len(whole)
    for code, name in enumerate(rows.nodes):
        mine, theirs = rows.node == code, whole.device.code == whole.device.names.index(name)
        np.testing.assert_array_equal(rows.time[mine], whole.time[theirs])
        np.testing.assert_array_equal(rows.columns["pm25"].raw[mine], whole.numbers["pm25"][theirs])


def test_time_runs_forward_and_never_behind_the_batches(
    listener: Listener, play: Callable[..., Player]
) -> None:
    parts = cut_of(table(3, 2000))
    play(parts).run()
    wait_until(lambda: len(listener.of("obs")) == parts.batches)
    now = 0
    for topic, payload, _ in listener.heard:
        if topic == f"{ROOT}/time":
            assert int(payload) >= now
            now = int(payload)
        elif topic.endswith("/obs"):
            assert not now or json.loads(payload)["t0"] <= now
    assert now >= START + 1000 * 60


def test_info_and_status_say_what_is_held(
    mosquitto: Mosquitto, listener: Listener, play: Callable[..., Player]
) -> None:
    parts = cut_of(table(2, 130))
    player = play(parts)
    player.run()
    wait_until(lambda: any(json.loads(info)["next"] == 4 for info in listener.of("info", "s1")))
    first = json.loads(listener.of("info", "s0")[0])
    assert (first["first"], first["next"], first["cursor"], first["log"]) == (1, 1, 1, parts.spools[0].log)
    assert listener.of("status", "s0") == [b"online"]
    late = Listener(mosquitto.port, f"{ROOT}/+/+/info")
    wait_until(lambda: len(late.heard) == 2)
    late.leave()
    assert all(retained and json.loads(info)["cursor"] == 4 for _, info, retained in late.heard)
    player.stop()
    wait_until(lambda: listener.of("status", "s0") == [b"online", b"offline"])


def test_gaps_are_filled_on_request(listener: Listener, play: Callable[..., Player]) -> None:
    parts = cut_of(table(2, 600))
    player = play(parts)
    player.run()
    spool = parts.spools[1]
    topic = f"{ROOT}/s1/s1/cmd"
    listener.tell(topic, {"op": "resend", "log": spool.log, "from": 3, "to": 5, "id": "7-1"})
    listener.tell(topic, {"op": "resend", "log": "00000001", "from": 1, "to": 2, "id": "7-2"})
    listener.tell(topic, {"op": "resend", "log": spool.log, "from": 9, "to": 99, "id": "7-3"})
    listener.tell(topic, {"op": "resend", "log": spool.log, "from": "1", "to": None, "id": "7-4"})
    listener.tell(topic, {"op": "identify", "id": "7-5"})
    listener.tell(topic, {"op": "dance", "id": "7-6"})
    assert player.answer(lambda: len(listener.of("reply", "s1")) == 6, 10)
    replies = {reply["id"]: reply for reply in map(json.loads, listener.of("reply", "s1"))}
    assert replies["7-1"] == {
        "op": "resend",
        "id": "7-1",
        "log": spool.log,
        "from": 3,
        "to": 5,
        "sent": 3,
        "gone": [],
    }
    assert (replies["7-2"]["error"], replies["7-2"]["log"]) == ("log", spool.log)
    assert (replies["7-3"]["sent"], "error" in replies["7-4"], replies["7-5"]["ok"]) == (2, True, True)
    assert replies["7-6"]["error"] == "unknown op"
    assert player.resent == 5
    again = [payload for payload in listener.of("obs", "s1") if payload == spool.batches[3].payload]
    assert len(again) == 2


def test_at_a_speed_batches_come_at_their_time(listener: Listener, play: Callable[..., Player]) -> None:
    parts = cut(table(1, 6, 60), from_table(table(1, 6, 60), samples=1))
    began = time.monotonic()
    play(parts, speed=600.0).run()
    took = time.monotonic() - began
    assert took >= 0.5
    wait_until(lambda: len(listener.of("obs")) == 6)
    assert all(START <= int(now) <= START + 600 * took for now in listener.of("time"))


def test_many_nodes_share_a_connection(listener: Listener, play: Callable[..., Player]) -> None:
    parts = cut_of(table(70, 3))
    play(parts).run()
    wait_until(lambda: len(listener.of("obs")) == 70)
    wait_until(lambda: len(listener.of("status")) == 70)


def test_the_broker_is_killed_in_the_middle(
    mosquitto: Mosquitto, listener: Listener, play: Callable[..., Player]
) -> None:
    """Its sessions are gone with it, so the subscriber misses what was under way, and asks for it."""
    parts = cut_of(table(1, 60 * 400))
    (spool,) = parts.spools
    player = play(parts)
    thread = threading.Thread(target=player.run)
    thread.start()
    wait_until(lambda: len(listener.of("obs")) > 20)
    mosquitto.kill()
    mosquitto.forget()
    mosquitto.start()
    thread.join(60)
    assert not thread.is_alive()
    whole = {batch.payload for batch in spool.batches}
    ask = {"op": "resend", "log": spool.log, "from": 1, "to": 400, "id": "7-1"}
    for _ in range(30):  # a command is QoS 0: it is repeated, as the gateway does
        listener.tell(f"{ROOT}/s0/s0/cmd", ask)
        if player.answer(lambda: set(listener.of("obs")) == whole, 1):
            break
    assert set(listener.of("obs")) == whole
    assert listener.of("status", "s0").count(b"online") >= 2


def test_a_broker_that_is_not_there_is_said() -> None:
    with pytest.raises(PublishError, match="can't be reached"):
        Publisher(Broker("127.0.0.1", free_port()), "x").start()
    for wrong in ("host:", "host:mqtt", ":1883", "host:70000"):
        with pytest.raises(PublishError, match="is no address"):
            broker_of(wrong)
    assert (broker_of("box").host, broker_of("box").port) == ("box", 1883)


def test_no_more_than_the_window_is_in_flight(mosquitto: Mosquitto, listener: Listener) -> None:
    publisher = Publisher(Broker("127.0.0.1", mosquitto.port), "w", window=5)
    publisher.start()
    most = 0
    for number in range(300):
        publisher.publish(f"{ROOT}/a/b/obs", str(number).encode())
        most = max(most, publisher.unacknowledged())
    assert publisher.drain(10)
    publisher.stop()
    assert 0 < most <= 5
    wait_until(lambda: listener.of("obs") == [str(number).encode() for number in range(300)])


def test_command_reports_what_was_published(mosquitto: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    path, network, address = tmp_path / "seoul.csv.gz", tmp_path / "seoul.toml", f"127.0.0.1:{mosquitto.port}"
    tables.write(table(3, 100), path)
    written = CliRunner().invoke(replay, [str(path), "--write-network", str(network), "--json"])
    assert (written.exit_code, json.loads(written.output)["nodes"]) == (0, 3)
    options = ["--as", str(network), "--mqtt", address, "--json"]
    report = json.loads(CliRunner().invoke(replay, [str(path), *options], catch_exceptions=False).stdout)
    assert (report["published"]["samples"], report["published"]["batches"]) == (300, 6)
    assert (report["columns_left_out"], report["complete"]) == (["no2"], None)
    wait_until(lambda: len(listener.of("obs")) == 6)
    shown = CliRunner().invoke(replay, [str(path), *options[:-1]], catch_exceptions=False)
    assert "published: 300 samples of 3 nodes in 6 batches" in shown.stdout
    assert "columns left out: no2" in shown.stdout
    wait_until(lambda: len(listener.of("obs")) == 12)
    assert len(set(listener.of("obs"))) == 6
