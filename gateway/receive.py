"""The gateway's MQTT connection: messages in blocks, acknowledged after their commit.

Everything happens in the thread that calls `poll`: paho's own threads aren't used, so no message is handled
while the block before it is being committed, and the socket's buffer is what holds the broker back.
"""

import random
import select
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from paho.mqtt.client import Client, ConnectFlags, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.problem import Problem

log = structlog.get_logger()

SLOWEST = 60.0
"""Seconds between attempts to reach a broker that stays away."""
ECHO = 10.0
"""Seconds after which our own status must have come back to us."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, who we are there, and by which CA we know it (None: no TLS; see `believing`)."""

    host: str = "127.0.0.1"
    port: int = 1883
    user: str | None = None
    password: str | None = None
    ca: Path | None = None


def believing(ca: Path) -> ssl.SSLContext:
    """A TLS context for an authority and, while it is being renewed, the next one: `ca-next.pem` beside
    `ca.pem`. Raises `Problem` for a file that is no certificate."""
    try:
        context = ssl.create_default_context(cafile=str(ca))
        believe_more(context, ca)
    except OSError as error:  # what the library finds wrong with it, too
        advice = "name the authority's certificate (PEM): gongi ca show tells which there are"
        raise Problem(f"this is no certificate: {error}", str(ca), advice) from None
    return context


def believe_more(context: ssl.SSLContext, ca: Path) -> None:
    """Also believe what has come into these files since; an authority that left them is believed until the
    context's end."""
    for path in (ca, ca.with_name(f"{ca.stem}-next{ca.suffix}")):
        if path.is_file():
            context.load_verify_locations(path)


class Message(NamedTuple):
    """A message as it came; `connection` numbers the connection whose `mid` it is."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int


class _Reader(Client):
    """A paho client that hands PUBLISH packets over as they are and acknowledges many at once.

    paho asks the socket four times for each packet, builds a message object, matches it against filters and
    logs it, which costs more than all the stages behind it. Connection, keepalive, subscription, publishing
    and everything else stays paho's.
    """

    def __init__(self, inbox: list[Message], client_id: str) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, clean_session=False, manual_ack=True)
        self._inbox = inbox
        self.connection = 0
        self.forget()

    @property
    def ahead(self) -> bool:
        """Whether bytes wait that the socket no longer shows."""
        return self._at < len(self._ahead)

    def forget(self) -> None:
        """Begin a new connection: drop what the last one left."""
        self._ahead, self._at = b"", 0
        self._inbox.clear()
        self.connection += 1

    def acknowledge(self, mids: Iterable[int]) -> None:
        """Send a PUBACK for each packet id, all in one piece."""
        packets = b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids)
        if packets:
            self._packet_queue(0x40, packets, 0, 0)

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.ahead:
            self._ahead, self._at = super()._sock_recv(1 << 16), 0
        data = self._ahead[self._at : self._at + bufsize]
        self._at += len(data)
        return data

    def _handle_publish(self) -> MQTTErrorCode:
        packet, qos = self._in_packet["packet"], (self._in_packet["command"] & 6) >> 1
        start = 2 + int.from_bytes(packet[:2], "big")
        end = start + 2 if qos else start
        if qos > 1 or len(packet) < end:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        topic = packet[2:start].decode("utf-8", "backslashreplace")
        mid = int.from_bytes(packet[start:end], "big")
        self._inbox.append(Message(topic, bytes(packet[end:]), mid, qos, self.connection))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class Receiver:
    """A persistent session: what arrives is handed out in blocks and acknowledged when the caller says so."""

    def __init__(
        self, broker: Broker, client_id: str, topics: Sequence[tuple[str, int]], will: str, most: int = 1000
    ) -> None:
        self._broker = broker
        self._topics = list(topics)
        self._first = len(self._topics)
        self._will = will
        self._most = most
        self._inbox: list[Message] = []
        self._retry_at = 0.0
        self._failures = 0
        self.connected = False
        self.fresh_session = False
        self._echo_by: float | None = None
        self._context: ssl.SSLContext | None = None
        self._client = self._make(client_id)

    def _make(self, client_id: str) -> _Reader:
        client = _Reader(self._inbox, client_id)
        client.on_connect, client.on_disconnect = self._joined, self._left
        client.on_subscribe = self._subscribed
        client.will_set(self._will, b"offline", qos=1, retain=True)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.ca is not None:
            self._context = believing(self._broker.ca)
            client.tls_set_context(self._context)
        return client

    # -- in ---------------------------------------------------------------------------------------------

    def poll(self, timeout: float, linger: float = 0.1) -> list[Message]:
        """What has arrived, at most `most`: waits `timeout` [s] for the first, `linger` [s] for the rest."""
        if not self._reach():
            time.sleep(min(timeout, 0.2))
            return []
        end = time.monotonic() + timeout
        while len(self._inbox) < self._most and self._alive():
            seen = len(self._inbox)
            self._heed(self._client.loop_read())
            if len(self._inbox) > seen:
                end = min(end, time.monotonic() + linger) if not seen else end
            elif not self._wait(end - time.monotonic()):
                break
        messages = self._inbox.copy()
        self._inbox.clear()
        if self._echo_by is not None:
            self._echo(messages, self._echo_by)
        return messages

    def listen(self, topics: Sequence[str]) -> None:
        """Subscribe to these topics beside the first ones, and no longer to others of an earlier call."""
        wanted, now = dict.fromkeys(topics), [topic for topic, _ in self._topics[self._first :]]
        new, gone = [one for one in wanted if one not in now], [one for one in now if one not in wanted]
        if not new and not gone:
            return
        self._topics[self._first :] = [(topic, 1) for topic in wanted]
        if self.connected and new:
            self._client.subscribe([(topic, 1) for topic in new])
        if self.connected and gone:
            self._client.unsubscribe(gone)

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledge committed messages; those of an earlier connection the broker sends again by itself."""
        current = self._client.connection
        self._client.acknowledge(m.mid for m in messages if m.qos and m.connection == current)

    def idle(self) -> None:
        """Keep the connection alive while no message may be taken in."""
        if self._alive():
            self._heed(self._client.loop_misc())

    # -- out --------------------------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Send one message; False where there is no connection (nothing is queued then)."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos, retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def close(self) -> None:
        """Say `offline` and leave; the session stays at the broker."""
        self._echo_by = None
        if self.connected:
            self.publish(self._will, b"offline", qos=1, retain=True)
            end = time.monotonic() + 2
            while self._client.want_write() and time.monotonic() < end:
                self._client.loop_write()
            self._client.disconnect()

    # -- the connection ---------------------------------------------------------------------------------

    def _alive(self) -> bool:
        return self._client.socket() is not None

    def _reach(self) -> bool:
        if self._alive():
            self._heed(self._client.loop_misc())
            return self._alive()
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + random.uniform(0.5, 1.0) * min(SLOWEST, 0.5 * 2 ** min(self._failures, 10))
        self._failures += 1
        return self._dial()

    def _dial(self) -> bool:
        self._client.forget()
        try:
            if self._context and self._broker.ca:
                believe_more(self._context, self._broker.ca)
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except ssl.SSLError as error:
            log.error(
                "broker not believed", host=self._broker.host, ca=str(self._broker.ca), error=str(error)
            )
            return False
        except OSError as error:
            log.warning(
                "broker unreachable", host=self._broker.host, port=self._broker.port, error=str(error)
            )
            return False
        return True

    def _wait(self, seconds: float) -> bool:
        sock = self._client.socket()
        if sock is None or seconds <= 0:
            return False
        pending = getattr(sock, "pending", None)
        if self._client.ahead or (pending is not None and pending()):
            return True
        writing = [sock] if self._client.want_write() else []
        ready, writable, _ = select.select([sock], writing, [], seconds)
        if writable:
            self._heed(self._client.loop_write())
        return bool(ready or writable)

    def _heed(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.connected = False

    def _joined(self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, __: Any) -> None:
        if reason.is_failure:
            log.error("broker refuses us", reason=str(reason), user=self._broker.user)
            return
        self.connected = True
        self.fresh_session = self.fresh_session or not flags.session_present
        client.subscribe(self._topics)
        client.publish(self._will, b"online", qos=1, retain=True)
        log.info("connected", host=self._broker.host, port=self._broker.port, session=flags.session_present)

        if any(topic_matches_sub(topic, self._will) for topic, _ in self._topics):
            self._echo_by = time.monotonic() + ECHO
        else:
            self._welcome()

    def _subscribed(self, _: Client, __: Any, ___: int, reasons: list[ReasonCode], ____: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._unheard("broker refuses our subscription")

    def _echo(self, messages: Sequence[Message], by: float) -> None:
        """Say it once where the broker grants a subscription and delivers nothing, or drops what we say."""
        if any(message.topic == self._will and message.payload == b"online" for message in messages):
            self._welcome()
        elif len(messages) == self._most:
            self._echo_by = time.monotonic() + ECHO  # a backlog comes first
        elif time.monotonic() > by:
            self._unheard("broker keeps our own status from us")

    def _welcome(self) -> None:
        """The connection is of use: the next one needn't wait."""
        self._echo_by, self._failures, self._retry_at = None, 0, 0.0

    def _unheard(self, word: str) -> None:
        self._echo_by = None
        acl = "its ACL must let this user read and write all below the root"
        advice = f"{acl}; no other gateway may use our --name"
        log.error(word, topic=self._will, user=self._broker.user, advice=advice)

    def _left(self, *_: Any) -> None:
        self.connected = False
        if self._echo_by is not None:
            self._unheard("broker ends the connection before our own status is back")
