"""`python -m bench.homeassistant --hass PATH`: what a real Home Assistant shows of a gateway, and can do.

A Mosquitto, `gongi serve`, a monitor and a purifier of ours on it, and a Home Assistant that is set up from
nothing through its own API (2024.3: the recipe is in docs/homeassistant.md). Prints what was found as JSON.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import click
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.remote import Remote
from tests.dialect.devices import Controller
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, free_port, wait_until

NETWORK = """
homeassistant = true

[[site]]
id = "hana"
ko = "하나초"
tz = "Asia/Seoul"

[[site.room]]
id = "1-1"
ko = "1학년 1반"
volume = 180.0

[[node]]
id = "n-1"
placed = [{since = 2020-01-01T00:00:00Z, site = "hana", room = "1-1", placement = "indoor"}]
fitted = [{since = 2020-01-01T00:00:00Z, sensors = [{type = "pms5003", serial = "P"}]}]

[[actuator]]
id = "p-1"
kind = "purifier"
site = "hana"
room = "1-1"
levels = [{}, {cadr = 200, power = 8}, {cadr = 400, power = 20}, {cadr = 700, power = 45}]
"""
CONFIGURATION = """
homeassistant: {{name: Bench}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
config:
"""


class Home:
    """A Home Assistant, set up from nothing."""

    def __init__(self, hass: str, folder: Path) -> None:
        self.port, self.token = free_port(), ""
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))
        with (folder / "hass.log").open("wb") as log:
            self.process = subprocess.Popen([hass, "-c", str(folder)], stdout=log, stderr=log)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)

    def ask(self, path: str, said: object = None, form: bool = False) -> Any:
        """Its API."""
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        text = urlencode(said) if form and isinstance(said, dict) else json.dumps(said)  # type: ignore[arg-type]
        body = None if said is None else text.encode()
        with urlopen(Request(self.url + path, body, headers), timeout=60) as answer:
            return json.load(answer)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return bool(self.ask("/api/onboarding"))
        except (OSError, HTTPError):
            return False

    def settle(self, broker: int) -> None:
        """Make its user and connect it to the broker."""
        user = {
            "client_id": f"{self.url}/",
            "name": "a",
            "username": "a",
            "password": "abcdefgh",
            "language": "en",
        }
        code = self.ask("/api/onboarding/users", user)["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": f"{self.url}/"}
        self.token = self.ask("/auth/token", grant, form=True)["access_token"]
        flow = self.ask(
            "/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": False}
        )
        path = f"/api/config/config_entries/flow/{flow['flow_id']}"
        found = self.ask(path, {"broker": "127.0.0.1", "port": broker})
        assert found["type"] == "create_entry", found

    def states(self) -> dict[str, Any]:
        """What it shows, by entity."""
        return {one["entity_id"]: one for one in self.ask("/api/states")}

    def call(self, service: str, **said: object) -> None:
        """Call one of its services."""
        self.ask(f"/api/services/{service.replace('.', '/')}", said)


class Monitor:
    """A node that says what it is told to."""

    def __init__(self, port: int) -> None:
        self._client, self._seq = Client(CallbackAPIVersion.VERSION2, "monitor"), 0
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.publish("gongi/v1/hana/n-1/status", "online", 1, True)

    def say(self, pm25: float | None) -> None:
        """A fresh batch."""
        self._seq += 1
        head = {"log": "00000001", "seq": self._seq, "boot": 1, "up": 60 * self._seq, "dt": 10}
        batch = {**head, "t0": int(time.time()) - 5, "pm25": [pm25], "pm10": [40.0]}
        self._client.publish("gongi/v1/hana/n-1/obs", json.dumps(batch), 1)

    def stop(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@click.command()
@click.option("--hass", required=True, help="The program `hass`.")
def main(hass: str) -> None:
    """Set everything up, look, command, and take it away again."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(shutil.which("mosquitto") or "/usr/sbin/mosquitto", folder / "mosquitto")
        (folder / "mosquitto").mkdir(exist_ok=True)
        broker.start()
        ending.callback(broker.stop)
        network = folder / "network.toml"
        network.write_text(NETWORK)
        gateway = Gateway(folder / "gateway", network, broker.port)
        gateway.start()
        ending.callback(gateway.kill)
        purifier, monitor = Controller(broker.port, "p-1"), Monitor(broker.port)
        ending.callback(purifier.stop)
        ending.callback(monitor.stop)
        home = Home(hass, folder / "home")
        ending.callback(home.stop)
        wait_until(home.answers, 300)
        home.settle(broker.port)
        walk = Walk(home, gateway, purifier)
        walk.look(monitor)
        walk.act()
        walk.leave(network)
        json.dump(walk.found, sys.stdout, indent=1, ensure_ascii=False)
        if "never" in walk.found:
            print(gateway.log.read_text()[-3000:], file=sys.stderr)
            raise SystemExit(1)


@dataclass
class Walk:
    """What is looked at and done, and what was found, each within a minute (`never` names what wasn't)."""

    home: Home
    gateway: Gateway
    purifier: Controller
    found: dict[str, object] = field(default_factory=dict)

    def note(self, name: str, met: Callable[[], object], said: Callable[[], object]) -> None:
        try:
            wait_until(lambda: bool(met()), 60)
        except AssertionError:
            self.found.setdefault("never", []).append(name)  # type: ignore[attr-defined]  # it is that list
        self.found[name] = said()

    def sensor(self, kind: str) -> Any:
        of = (one for one in self.home.states().values() if one["attributes"].get("device_class") == kind)
        return next(of, {"state": None})

    def fan(self) -> Any:
        of = (one for id, one in self.home.states().items() if id.startswith("fan."))
        return next(of, {"state": None, "attributes": {}})

    def asked(self) -> Any:
        return Remote(self.gateway.url).get("actuators/p-1")["now"]["override"]

    def look(self, monitor: Monitor) -> None:
        """Values, and none."""
        self.note("announced", lambda: self.sensor("pm25")["state"], lambda: self.sensor("pm25")["state"])
        monitor.say(47.4)
        self.note("pm25", lambda: self.sensor("pm25")["state"] == "47.4", lambda: self.sensor("pm25"))
        monitor.say(None)
        state = {kind: lambda kind=kind: self.sensor(kind)["state"] for kind in ("pm25", "pm10")}
        self.note("no value", lambda: state["pm25"]() == "unknown", state["pm25"])
        self.note("beside it", lambda: state["pm10"]() == "40.0", state["pm10"])

    def act(self) -> None:
        """A speed, off, on, and back to the gateway."""
        fan = self.fan()["entity_id"]
        self.home.call("fan.set_percentage", entity_id=fan, percentage=66)
        self.note("level 2", lambda: self._is(2, "on"), self.fan)
        self.note("hand", lambda: self.fan()["attributes"]["preset_mode"] == "hand", self.asked)
        self.home.call("fan.turn_off", entity_id=fan)
        self.note("off", lambda: self._is(0, "off"), lambda: self.fan()["state"])
        self.home.call("fan.turn_on", entity_id=fan)
        self.note("on", lambda: self._is(1, "on"), lambda: self.fan()["state"])
        self.home.call("fan.set_preset_mode", entity_id=fan, preset_mode="auto")
        self.note("auto", lambda: self.fan()["attributes"]["preset_mode"] == "auto", self.asked)

    def _is(self, level: int, state: str) -> bool:
        return bool(self.purifier.level == level and self.fan()["state"] == state)

    def leave(self, network: Path) -> None:
        """Taken out of the network files, it goes."""
        network.write_text(NETWORK.replace("homeassistant = true", "homeassistant = false"))
        left = lambda: [id for id in self.home.states() if id.startswith(("fan.", "sensor.hana"))]  # noqa: E731
        self.note("gone", lambda: not left(), left)


if __name__ == "__main__":
    main()
