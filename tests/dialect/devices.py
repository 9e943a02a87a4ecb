"""Small devices of each dialect on a real broker: they obey, report, keep a timer, and note what was kept."""

import json
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion


class Thing:
    """A device at the broker; its own clock only moves by `pass_time`."""

    orders = ""

    def __init__(self, port: int, address: str) -> None:
        self.address, self.level, self.left = address, 0, 0
        self.heard: list[tuple[str, str]] = []
        self.retained: list[str] = []
        self._client = Client(CallbackAPIVersion.VERSION2, f"thing-{address.replace('/', '-')}")
        self._client.on_connect, self._client.on_message = self._joined, self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def pass_time(self, seconds: int) -> None:
        """The device's timer runs down; at its end it is off."""
        if self.left and self.left <= seconds:
            self.left = 0
            self.switch(0)
        self.left = max(self.left - seconds, 0)

    def switch(self, level: int) -> None:
        """Set its level, by its button too, and say so."""
        self.level = level
        self.report()

    def report(self) -> None:
        """Say its level."""
        raise NotImplementedError

    def obey(self, topic: str, word: str) -> None:
        """A command."""
        raise NotImplementedError

    def say(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain)

    def _joined(self, client: Client, *_: Any) -> None:
        client.subscribe(self.orders.format(self.address), 1)
        self.announce()

    def announce(self) -> None:
        """What it says when it comes."""

    def _arrived(self, _: Client, __: Any, message: MQTTMessage) -> None:
        word = message.payload.decode()
        self.heard.append((message.topic, word))
        if message.retain:
            self.retained.append(message.topic)
        self.obey(message.topic, word)


class TasmotaPlug(Thing):
    """A plug with a meter that is asked for: PulseTime starts anew with every POWER ON."""

    orders = "cmnd/{}/#"
    pulse = 0
    watts = 45.0

    def announce(self) -> None:
        self.say(f"tele/{self.address}/LWT", "Online", True)

    def obey(self, topic: str, word: str) -> None:
        command = topic.rsplit("/", 1)[-1]
        lines = word.split(";") if command == "Backlog" else [f"{command} {word}"]
        for line in lines:
            self._run(*line.split())

    def _run(self, command: str, word: str = "") -> None:
        if command == "PulseTime":
            self.pulse = int(word)
        elif command == "POWER" and word:
            self.left = self.pulse - 100 if word == "ON" and self.pulse else 0
            self.switch(int(word == "ON"))
        elif command == "POWER":
            self.report()
        elif command == "Status" and word == "10":
            self.say(f"stat/{self.address}/STATUS10", json.dumps({"StatusSNS": self.meter()}))

    def meter(self) -> dict[str, Any]:
        """What hangs on it draws."""
        return {"ENERGY": {"Power": self.watts * self.level}}

    def report(self) -> None:
        word = "ON" if self.level else "OFF"
        self.say(f"stat/{self.address}/RESULT", json.dumps({"POWER": word}))
        self.say(f"stat/{self.address}/POWER", word)


class SleepingPlug(TasmotaPlug):
    """The same with a purifier that waits for its button: it draws next to nothing."""

    watts = 0.6


class TasmotaFan(Thing):
    """A fan with three speeds and no timer."""

    orders = "cmnd/{}/#"

    def announce(self) -> None:
        self.say(f"tele/{self.address}/LWT", "Online", True)

    def obey(self, topic: str, word: str) -> None:
        if topic.endswith("/FanSpeed"):
            self.switch(int(word) if word else self.level)

    def report(self) -> None:
        self.say(f"stat/{self.address}/RESULT", json.dumps({"FanSpeed": self.level}))


class ZigbeePurifier(Thing):
    """A purifier with the modes off, auto, 1 to 9."""

    orders = "zigbee2mqtt/{}/+"
    modes = ("off", *map(str, range(1, 10)))

    def announce(self) -> None:
        self.say(f"zigbee2mqtt/{self.address}/availability", '{"state":"online"}', True)

    def obey(self, topic: str, word: str) -> None:
        said = json.loads(word) if topic.endswith("/set") else {}
        if said.get("fan_state") == "OFF":
            self.switch(0)
        elif "fan_mode" in said:
            self.switch(self.modes.index(said["fan_mode"]))

    def report(self) -> None:
        state = {"fan_state": "ON" if self.level else "OFF", "fan_mode": self.modes[self.level], "pm25": 0}
        self.say(f"zigbee2mqtt/{self.address}", json.dumps(state))


class ZigbeePlug(Thing):
    """A plug whose firmware knows `on_time`."""

    orders = "zigbee2mqtt/{}/+"

    def announce(self) -> None:
        self.say(f"zigbee2mqtt/{self.address}/availability", "online", True)

    def obey(self, topic: str, word: str) -> None:
        said = json.loads(word) if topic.endswith("/set") else {}
        if "state" in said:
            self.left = said.get("on_time", 0)
            self.switch(int(said["state"] == "ON"))

    def report(self) -> None:
        state = {"state": "ON" if self.level else "OFF", "power": 38.0 * self.level}
        self.say(f"zigbee2mqtt/{self.address}", json.dumps(state))


class EspHomeFan(Thing):
    """A fan of three speeds that announces itself to Home Assistant, as ESPHome's do."""

    orders = "{}/+/command"

    def announce(self) -> None:
        config = {
            "name": "Purifier",
            "cmd_t": f"{self.address}/fan/command",
            "stat_t": f"{self.address}/fan/state",
            "pct_cmd_t": f"{self.address}/speed/command",
            "pct_stat_t": f"{self.address}/speed/state",
            "spd_rng_max": 3,
            "avty_t": f"{self.address}/status",
        }
        self.say(f"{self.address}/status", "online", True)
        self.say(f"homeassistant/fan/{self.address}/config", json.dumps(config), True)

    def obey(self, topic: str, word: str) -> None:
        if topic.endswith("/speed/command"):
            self.switch(int(word))
        else:
            self.switch(0 if word == "OFF" else self.level or 1)

    def report(self) -> None:
        self.say(f"{self.address}/fan/state", "ON" if self.level else "OFF", True)
        self.say(f"{self.address}/speed/state", str(self.level), True)


class Controller(Thing):
    """Our own purifier as the wire has it, at site hana."""

    orders = "gongi/v1/hana/{}/set"
    obeyed: str | None = None

    def announce(self) -> None:
        self.say(f"gongi/v1/hana/{self.address}/status", "online", True)
        self.report()

    def obey(self, topic: str, word: str) -> None:
        command = json.loads(word)
        self.obeyed = command["id"]
        self.switch(command["level"])

    def report(self) -> None:
        said = {"level": self.level, "cause": "command" if self.obeyed else "safe", "id": self.obeyed}
        self.say(f"gongi/v1/hana/{self.address}/state", json.dumps(said), True)
