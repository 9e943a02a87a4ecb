"""The connection to the broker: whatever comes over it, and what is acknowledged after it broke."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.publish import Publisher
from gateway.receive import Broker, Message, Receiver
from tests.servers import Mosquitto, wait_until

TOPIC, WILL = "gongi/v1/hana/n1/obs", "gongi/v1/gateway/test/status"
CONNACK = b"\x20\x02\x00\x00"


def receiver(port: int) -> Receiver:
    return Receiver(Broker("127.0.0.1", port), "gongi-test", [("gongi/v1/#", 1)], WILL)


class Liar:
    """A server that says CONNACK and then `words`, and hangs up; `calls` counts connections."""

    def __init__(self) -> None:
        self.words, self.calls = b"", 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    connection.recv(4096)
                    connection.sendall(CONNACK + self.words)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass
            self.calls += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    liar = Liar()
    yield liar
    liar.close()


PACKET = st.builds(
    lambda first, body: bytes([first, len(body)]) + body, st.integers(0, 255), st.binary(max_size=100)
)


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.lists(PACKET, max_size=4).map(b"".join)))
@example(b"\x90\x03\x00\x01\x7f")  # a SUBACK with a reason that doesn't exist
@example(b"\x32\x02\x00\x09")  # a PUBLISH shorter than its topic
@example(b"\x36\x05\x00\x01a\x00\x01")  # QoS 3
@example(b"\x30\xff\xff\xff\xff\xff")  # a length without end
@example(b"\x20\x02\x00\x05")  # a second CONNACK that refuses
@example(b"\x32\x07\x00\x02\xff\xfe\x00\x01x")  # a topic that is no UTF-8
def test_no_bytes_of_a_broker_end_the_gateway(liar: Liar, words: bytes) -> None:
    """They are messages or a broken connection, and after that there is a new one."""
    liar.words, calls = words, liar.calls
    one = receiver(liar.port)
    deadline = time.monotonic() + 10
    while liar.calls < calls + 2:
        assert time.monotonic() < deadline
        one._retry_at = 0.0  # without its pause
        for message in one.poll(0.05, 0.0):
            assert isinstance(message.topic, str)
    one.close()
    one._client.loop_misc()
    if sock := one._client.socket():
        sock.close()


@pytest.fixture
def line(mosquitto: Mosquitto) -> Callable[[bytes], None]:
    """Publishes on a topic, over a connection of its own each time."""

    def send(payload: bytes) -> None:
        publisher = Publisher(Broker("127.0.0.1", mosquitto.port), "line")
        publisher.start()
        publisher.publish(TOPIC, payload)
        assert publisher.drain(10)
        publisher.stop()

    return send


def taken(one: Receiver, wanted: int = 1) -> list[Message]:
    """The next messages of that topic; our own status is acknowledged on the way."""
    found: list[Message] = []

    def poll() -> bool:
        messages = one.poll(0.05, 0.0)
        one.ack([message for message in messages if message.topic != TOPIC])
        found.extend(message for message in messages if message.topic == TOPIC)
        return len(found) >= wanted

    wait_until(poll, 20)
    return found


def joined(port: int) -> Receiver:
    one = receiver(port)

    def ready() -> bool:
        messages = one.poll(0.05, 0.0)
        one.ack(messages)
        return any(message.topic == WILL for message in messages)

    wait_until(ready, 20)
    return one


def test_what_is_not_acknowledged_comes_again(mosquitto: Mosquitto, line: Callable[[bytes], None]) -> None:
    one = joined(mosquitto.port)
    line(b"1")
    line(b"2")
    first, second = taken(one, 2)
    one.ack([first])
    one.poll(0.1, 0.0)
    one._client.socket().close()
    (again,) = taken(one)
    assert (again.payload, again.connection) == (b"2", second.connection + 1)
    one.close()


def test_acknowledgements_of_an_earlier_connection_are_dropped(
    mosquitto: Mosquitto, line: Callable[[bytes], None]
) -> None:
    """A broker that lost its sessions begins its packet ids anew: an old one would name another message."""
    one = joined(mosquitto.port)
    line(b"old")
    (old,) = taken(one)
    mosquitto.kill()
    mosquitto.forget()
    mosquitto.start()
    one.fresh_session = False
    said: list[Message] = []
    wait_until(lambda: said.extend(one.poll(0.05, 0.0)) or any(m.payload == b"online" for m in said), 20)
    assert one.fresh_session
    line(b"new")
    (new,) = taken(one)
    assert (new.payload, new.connection) == (b"new", old.connection + 1)
    one.ack([old._replace(mid=new.mid)])
    one.poll(0.1, 0.0)
    one._client.socket().close()
    (again,) = taken(one)
    assert again.payload == b"new"
    one.ack([again])
    one.close()


def test_the_will_says_offline_when_the_gateway_dies(mosquitto: Mosquitto) -> None:
    heard: list[bytes] = []
    ear = Publisher(
        Broker("127.0.0.1", mosquitto.port), "ear", [WILL], told=lambda topic, payload: heard.append(payload)
    )
    ear.start()
    one = joined(mosquitto.port)
    wait_until(lambda: heard[-1:] == [b"online"], 10)
    one._client.socket().close()
    wait_until(lambda: heard[-1:] == [b"offline"], 10)
    ear.stop()


def test_a_broker_that_stays_away_is_asked_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    one = receiver(port)
    now = [0.0]
    monkeypatch.setattr("gateway.receive.time.monotonic", lambda: now[0])
    tried = []
    for _ in range(3600):
        now[0] += 1.0
        before = one._failures
        one._reach()
        tried += [now[0]] * (one._failures - before)
    pauses = [b - a for a, b in pairwise(tried)]
    assert pauses[0] <= 2
    assert all(25 <= pause <= 61 for pause in pauses[10:])
    assert len(tried) > 50
