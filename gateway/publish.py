"""Publishing at QoS 1 with a bounded number of messages in flight: replay, virtual nodes, the demo's time."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.problem import Problem
from gateway.receive import Broker, believing

log = structlog.get_logger()

CONNECT_S = 10.0
ADVICE = "is the broker running there, and are GONGI_MQTT_USER and GONGI_MQTT_PASSWORD right?"


class PublishError(Problem):
    """The broker can't be reached at the start, or refuses us."""


def broker_of(address: str, **more: Any) -> Broker:
    """The broker at `host:port` or `host`, with the user of the environment; raises `PublishError`."""
    host, _, port = (
        address.removeprefix("mqtt://").rpartition(":") if ":" in address else (address, "", "1883")
    )
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise PublishError(f'"{address}" is no address of a broker', advice="write it as HOST:PORT")
    user, password = os.environ.get("GONGI_MQTT_USER"), os.environ.get("GONGI_MQTT_PASSWORD")
    return Broker(**{"host": host, "port": int(port), "user": user, "password": password, **more})


class Publisher:
    """One connection of a publishing device; paho's thread keeps it and makes it again when it breaks.

    `told` gets (topic, payload) of what comes on `topics`, `kept` (default: `told`) of what the broker had
    retained, `joined` is called on each connection: all in paho's thread, so they only note what came and
    never publish at QoS 1, which may wait for that thread.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        topics: Sequence[str] = (),
        will: str | None = None,
        told: Callable[[str, bytes], None] = lambda topic, payload: None,
        joined: Callable[[], None] = lambda: None,
        window: int = 500,
        kept: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._broker, self._topics, self._window = broker, topics, window
        self._told, self._kept, self._joined = told, kept or told, joined
        self._flying: deque[MQTTMessageInfo] = deque()
        self._turn = threading.Lock()
        self._answered = threading.Event()
        self._refusal = ""
        self._client = self._make(client_id, will)

    def _make(self, client_id: str, will: str | None) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=True)
        client.max_inflight_messages_set(self._window)
        client.reconnect_delay_set(1, 10)
        client.on_connect, client.on_message = self._connected, self._took
        if will is not None:
            client.will_set(will, b"offline", qos=1, retain=True)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.ca is not None:
            client.tls_set_context(believing(self._broker.ca))
        return client

    def start(self) -> None:
        """Connect and subscribe; raises `PublishError` where that fails now (later breaks are mended)."""
        where = f"{self._broker.host}:{self._broker.port}"
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except OSError as error:
            raise PublishError(f"broker can't be reached: {error}", where, ADVICE) from None
        self._client.loop_start()
        if not self._answered.wait(CONNECT_S) or self._refusal:
            self._client.loop_stop()
            raise PublishError(f"broker refuses us: {self._refusal or 'no answer'}", where, ADVICE)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Send one message; at QoS 1 waits while `window` messages are unacknowledged and sends again after
        a broken connection; at QoS 0 it may be lost."""
        with self._turn:
            while qos and self._unacknowledged() >= self._window:
                self._flying[len(self._flying) // 2].wait_for_publish(1.0)
            info = self._client.publish(topic, payload, qos, retain)
            if qos:
                if info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN:
                    info.rc = MQTTErrorCode.MQTT_ERR_SUCCESS  # paho keeps it for the next connection
                self._flying.append(info)

    def _unacknowledged(self) -> int:
        while self._flying and self._flying[0].is_published():
            self._flying.popleft()
        return len(self._flying)

    def unacknowledged(self) -> int:
        """How many messages were sent, or kept for a new connection, since the oldest unacknowledged one."""
        with self._turn:
            return self._unacknowledged()

    def drain(self, seconds: float) -> bool:
        """Wait until the broker has acknowledged everything; False where it hasn't in time."""
        with self._turn:
            waits = int(seconds * 10)
            while self._unacknowledged() and waits > 0:
                self._flying[-1].wait_for_publish(0.1)
                waits -= 1
            return not self._flying

    def stop(self) -> None:
        """Leave the broker; what isn't acknowledged by then is lost."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, _: Any, __: ConnectFlags, reason: ReasonCode, ___: Any) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        if not self._refusal and self._topics:
            client.subscribe([(topic, 0) for topic in self._topics])
        self._answered.set()
        if self._refusal:
            log.error("broker refuses us", reason=self._refusal, user=self._broker.user)
        else:
            self._joined()

    def _took(self, _: Client, __: Any, message: MQTTMessage) -> None:
        (self._kept if message.retain else self._told)(message.topic, bytes(message.payload))
