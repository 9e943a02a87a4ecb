"""A virtual device's connection to its brokers, driven from outside: any number of them share one thread."""

import contextlib
import random
import selectors
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.world.configuration import Brokers

RETRY = 1.0
"""The machine's seconds between two attempts, on average."""
KEEPALIVE = 30


@dataclass(frozen=True, slots=True)
class Events:
    """What a link tells its device: connected; lost; a message (topic, payload); a packet acknowledged."""

    joined: Callable[[], None]
    parted: Callable[[], None]
    heard: Callable[[str, bytes], None]
    arrived: Callable[[int], None]


class Link:
    """An MQTT connection with a last will; a clean session, as the firmware's."""

    def __init__(self, name: str, brokers: Brokers, will: tuple[str, str], events: Events) -> None:
        self._brokers = brokers
        self._tries = 0
        self._retry = 0.0
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id=f"gongi-{name}")
        if brokers.user:
            client.username_pw_set(brokers.user, brokers.password)
        client.will_set(*will, qos=1, retain=True)
        client.on_connect = lambda _, __, ___, reason, *____: None if reason.is_failure else events.joined()
        client.on_disconnect = lambda *_: events.parted()
        client.on_message = lambda _, __, message: _hear(events, message)
        client.on_publish = lambda _, __, mid, *___: events.arrived(mid)

    @property
    def connected(self) -> bool:
        """Whether the broker has said yes."""
        return self._client.is_connected()

    def publish(self, topic: str, payload: str, retain: bool = False) -> int:
        """Publish at QoS 1; returns the packet's id."""
        return self._client.publish(topic, payload, 1, retain).mid

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe at QoS 0."""
        self._client.subscribe([(topic, 0) for topic in topics])

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Have `selector` call for what arrives, with the key's data, whenever there is a connection."""
        client = self._client
        client.on_socket_open = lambda _, __, sock: _register(selector, sock, client.loop_read)
        client.on_socket_close = lambda _, __, sock: _unregister(selector, sock)

    def turn(self) -> None:
        """Connect where there is no connection, keep alive, send what waits; called some times a second."""
        if self._client.socket() is None and time.monotonic() >= self._retry:
            self._connect()
        self._client.loop_misc()
        if self._client.want_write():
            self._client.loop_write()

    def cut(self, selector: selectors.BaseSelector) -> None:
        """Break the connection without a word, as a power cut does."""
        sock = self._client.socket()
        if sock is not None:
            _unregister(selector, sock)
            sock.close()

    def _connect(self) -> None:
        self._retry = time.monotonic() + RETRY * random.uniform(0.5, 1.5)
        host, port = self._brokers.addresses[self._tries % len(self._brokers.addresses)]
        self._tries += 1
        with contextlib.suppress(OSError):  # nobody there: tried again after RETRY
            self._client.connect(host, port, KEEPALIVE)


def _hear(events: Events, message: MQTTMessage) -> None:
    events.heard(message.topic, bytes(message.payload))


def _register(selector: selectors.BaseSelector, sock: Any, read: Callable[[], object]) -> None:
    selector.register(sock, selectors.EVENT_READ, read)


def _unregister(selector: selectors.BaseSelector, sock: Any) -> None:
    with contextlib.suppress(KeyError, ValueError):  # closed before it was watched
        selector.unregister(sock)
