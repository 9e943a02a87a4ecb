"""A fleet: MicroPython nodes, Mosquittos with TLS, users and rights, a gateway, the operator's commands."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from firmware.toolkit.secrets import Secrets
from gateway.broker import free_port
from tests.firmware.workshop import ROOT, Board, Wires, copied
from tests.networks import school
from tests.parts import need
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto

TLS = """
per_listener_settings false
allow_anonymous false
password_file {secrets}/passwords
acl_file {secrets}/acl
pid_file {folder}/mosquitto.pid
listener {port} 127.0.0.1
certfile {secrets}/server.crt
keyfile {secrets}/server.key
listener {port_before} 127.0.0.1
certfile {secrets}/server-before.crt
keyfile {secrets}/server-before.key
"""
KEEPS = """
max_inflight_messages 0
max_queued_messages 0
persistence true
persistence_location {folder}/
log_dest file {folder}/mosquitto.log
"""


PATIENCE_S = "20"


class Guarded(Mosquitto):
    """A Mosquitto as docs/renewal.md has it: a listener with the newest certificate, one with that before."""

    def __init__(self, folder: Path, secrets: Path) -> None:
        super().__init__(need("mosquitto"), folder, keeps=True)
        self.port_before = free_port()
        self.secrets = secrets

    @property
    def pid_file(self) -> Path:
        return self.folder / "mosquitto.pid"

    @property
    def addresses(self) -> list[list[Any]]:
        """As a node's configuration has them."""
        return [["localhost", self.port], ["localhost", self.port_before]]

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def command(self) -> list[str]:
        words = {"port": self.port, "port_before": self.port_before, "folder": self.folder}
        text = (TLS + KEEPS).format(secrets=self.secrets / "mosquitto", **words)
        text += "user root\n" if os.geteuid() == 0 else ""
        path = self.folder / "mosquitto.conf"
        path.write_text(text)
        return [self.program, "-c", str(path)]


class Witness:
    """Hears every batch at a broker beside the gateway: what was published there."""

    def __init__(self, broker: Guarded, ca: list[Path], user: str, password: str) -> None:
        self.batches: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"witness-{os.urandom(4).hex()}")
        self.client.username_pw_set(user, password)
        self.client.tls_set(str(ca[0]))
        self.client.reconnect_delay_set(0.05, 0.2)
        self.client.on_message = self._heard
        self.client.on_connect = lambda client, *rest: client.subscribe(f"{ROOT}/+/+/obs", qos=0)
        self.client.connect("localhost", broker.port)
        self.client.loop_start()

    def _heard(self, client: Any, data: Any, message: mqtt.MQTTMessage) -> None:
        batch = json.loads(message.payload)
        self.batches[message.topic.split("/")[-2]].add((batch["log"], batch["seq"]))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Fleet:
    """Everything of one school, in one folder."""

    def __init__(self, folder: Path, micropython: str, wires: Wires, nodes: int) -> None:
        self.folder, self.wires, self._micropython = folder, wires, micropython
        self._main = copied(folder / "firmware")
        self.names = [f"n{n}" for n in range(1, nodes + 1)]
        self.secrets = folder / "secrets"
        self.network = folder / "network.toml"
        self.network.write_text(school(*self.names, more="sample_s = 3\nbatch_s = 6\n"))
        self.kept = Secrets(self.secrets)
        mine = self.kept.of("gateway")
        os.environ |= {"GONGI_MQTT_USER": mine.user, "GONGI_MQTT_PASSWORD": mine.password}
        self.say("credentials", "render", talks=False)
        self.say("ca", "make", "--host", "localhost", "--secrets", str(self.secrets), talks=None)
        self.flashed_ca = folder / "flashed-ca.pem"
        shutil.copyfile(self.secrets / "ca.pem", self.flashed_ca)
        self.brokers: list[Guarded] = []
        self.nodes: dict[str, Board] = {}
        self.witnesses: list[Witness] = []
        self.gateway: Gateway | None = None

    def broker(self) -> Guarded:
        broker = Guarded(self.folder / f"broker-{len(self.brokers)}", self.secrets)
        self.brokers.append(broker)
        broker.start()
        return broker

    def witness(self, broker: Guarded) -> None:
        """An independent ear at a broker; it believes both authorities."""
        both = self.folder / f"both-{len(self.witnesses)}.pem"
        files = [self.secrets / name for name in ("ca.pem", "ca-next.pem")]
        both.write_text("".join(one.read_text() for one in files if one.exists()))
        mine = self.kept.of("gateway")
        self.witnesses.append(Witness(broker, [both], mine.user, mine.password))

    def serve(self, broker: Guarded) -> Gateway:
        """The gateway at this broker, with the data that it had."""
        if self.gateway:
            assert self.gateway.stop() == 0
        options = ("--mqtt", f"localhost:{broker.port}", "--mqtt-ca", str(self.secrets / "ca.pem"))
        self.gateway = Gateway(self.folder / "gateway", self.network, broker.port, None, *options)
        self.gateway.start()
        return self.gateway

    def node(self, name: str, broker: Guarded) -> None:
        """A node as it was flashed for this broker."""
        folder, mine = self.folder / name, self.kept.of(name)
        config = {
            "kind": "node",
            "id": name,
            "site": "hana",
            "root": ROOT,
            "brokers": broker.addresses,
            "user": mine.user,
            "password": mine.password,
            "update_key": mine.key,
            "tls": {"ca": [str(self.flashed_ca)]},
            "sensors": [{"type": "scd4x", "serial": f"S-{name}", "bus": "i2c1"}],
            "sample_s": 3,
            "batch_s": 6,
            "spool_bytes": 1 << 17,
            "sim": {
                "wiring": ["127.0.0.1", self.wires.port],
                "speed": 1,
                "exit": True,
                "flash": str(folder / "flash.img"),
                "flash_bytes": 1 << 19,
            },
        }
        self.nodes[name] = Board(self._micropython, folder, config, self._main)
        self.nodes[name].start()

    def say(self, *words: str, talks: bool | None = True, status: int = 0) -> dict[str, Any]:
        """What a command answers, as a process of its own; it must end so. `talks`: with the brokers."""
        command = [sys.executable, "-m", "gateway", *words, "--json"]
        if talks is not None:
            command += ["--network", str(self.network), "--secrets", str(self.secrets)]
        if talks:
            command += ["--ca", str(self.secrets / "ca.pem"), "--patience", PATIENCE_S]
            for broker in self.brokers:
                command += ["--broker", f"localhost:{broker.port}"] if broker.alive else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self.folder)
        assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr[-3000:])
        return dict(json.loads(done.stdout))

    def published(self) -> dict[str, set[tuple[str, int]]]:
        """Every batch that a witness heard, by node."""
        found: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for witness in self.witnesses:
            for name, batches in tuple(witness.batches.items()):
                found[name] |= set(batches)
        return found

    def stop(self) -> None:
        if self.gateway:
            self.gateway.stop()
        for witness in self.witnesses:
            witness.close()
        threads = [threading.Thread(target=node.kill) for node in self.nodes.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for broker in self.brokers:
            broker.stop()
