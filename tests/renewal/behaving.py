"""A device that behaves by the protocol of `reconfigure` at a real broker."""

import hmac
import json
import threading
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import paho.mqtt.client as mqtt

ROOT = "gongi/v1"


class Behaving:
    """Takes a change and starts anew on it; `word` is its refusal, `given_back` why it returns;
    `proves()` the authority that it finds at the broker."""

    def __init__(self, port: int, name: str, key: str, site: str = "hana") -> None:
        self.port, self.name, self.key = port, name, bytes.fromhex(key)
        self.config: dict[str, Any] = {"site": site, "ca": [], "brokers": [["old", 1]], "wifi": []}
        self.facts: dict[str, Any] = {"turn": 0, "turning": None, "turned": None}
        self.last = 0
        self.word = self.given_back = ""
        self.proves: Callable[[], str] = lambda: ""
        self.boots = 0
        self.refused: list[str] = []
        self.client: mqtt.Client | None = None
        self.over = threading.Lock()

    # -- power ---------------------------------------------------------------------------------------------

    def on(self) -> None:
        self.boots += 1
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"gongi-{self.name}")
        client.on_connect, client.on_message = self._joined, self._heard
        client.will_set(self._topic("status"), b"offline", 1, True)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        self.client = client

    def off(self) -> None:
        if self.client:
            self.client.publish(self._topic("status"), b"offline", 1, True)
            self.client.disconnect()
            self.client.loop_stop()
        self.client = None

    def _again(self) -> None:
        with self.over:
            if self.client:
                self.off()
                self.on()

    # -- words ---------------------------------------------------------------------------------------------

    def _topic(self, leaf: str) -> str:
        return f"{ROOT}/{self.config['site']}/{self.name}/{leaf}"

    def _joined(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._topic("cmd"))
        client.publish(self._topic("status"), b"online", 1, True)
        if self.facts["turning"]:
            turning, self.facts["turning"] = self.facts["turning"], None
            if self.given_back:
                self.facts["turned"] = [turning, self.given_back]
            else:
                self.facts["turn"] = turning
        trusts = [sha256(b64decode(one)).hexdigest()[:8] for one in self.config["ca"]]
        proves = self.proves() if self.proves() in trusts else next(iter(trusts), None)
        host, port = self.config["brokers"][0]
        told = self.facts | {"trusts": trusts, "ca": proves, "broker": f"{host}:{port}"}
        client.publish(self._topic("info"), json.dumps(told), 1, True)

    def _heard(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        command = json.loads(message.payload)
        if command["op"] == "reboot":
            client.publish(self._topic("reply"), json.dumps({"op": "reboot", "ok": True}), 1)
            threading.Thread(target=self._again).start()
            return
        word = self._judge(command)
        self.refused += [word] if word else []
        answer = {"op": command["op"], "id": command["id"], "turn": command["turn"]}
        client.publish(
            self._topic("reply"), json.dumps(answer | ({"error": word} if word else {"trial": True})), 1
        )
        if not word:
            threading.Thread(target=self._again).start()

    def _judge(self, command: dict[str, Any]) -> str:
        turn, change = command["turn"], command["change"]
        wanted = hmac.new(self.key, f"reconfigure\n{turn}\n{change}".encode(), "sha256").hexdigest()
        if self.word or wanted != command["mac"]:
            return self.word or "mac"
        if turn <= self.last:
            return "older"
        self.last, self.facts["turning"] = turn, turn
        if not self.given_back:
            self.config |= json.loads(change)
        return ""
