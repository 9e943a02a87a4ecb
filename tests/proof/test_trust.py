"""TLS and a password for every device: the files in docker/mosquitto, a real node, and what refusals say."""

import os
import secrets
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.firmware.workshop import NODE, ROOT, Process, Wires
from tests.parts import need
from tests.proof.gateway import Gateway
from tests.servers import Mosquitto, wait_until

CONFIGURATION = Path(__file__).parents[2] / "docker" / "mosquitto"
NETWORK = """
[[site]]
id = "hana"
[[site.room]]
id = "3-2"
volume = 189.0
[[node]]
id = "{node}"
placed = [{{since = 2020-01-01, site = "hana", room = "3-2", placement = "indoor"}}]
fitted = [{{since = 2020-01-01, sensors = [{{type = "pms5003", serial = "P-0001"}}]}}]
"""
GATEWAY, NODE_ID = "gateway", "3-2-a"


class Guarded(Mosquitto):
    """Mosquitto as docker/mosquitto has it, in a folder of its own; `secret` holds each user's password."""

    def __init__(self, program: str, folder: Path, authority: trustme.CA) -> None:
        super().__init__(program, folder)
        lines = (CONFIGURATION / "passwords.example").read_text().splitlines()
        self.secret = {line.split(":")[0]: secrets.token_hex(12) for line in lines}
        self._authority = authority

    def command(self) -> list[str]:
        kept = self.folder / "secrets"
        if not kept.exists():
            kept.mkdir(parents=True)
            (self.folder / "data").mkdir()
            self._certify(kept)
            self._enter(kept / "passwords")
        text = (CONFIGURATION / "mosquitto.conf").read_text()
        text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1")
        text = text.replace(" /mosquitto/config", f" {CONFIGURATION}")
        text = text.replace(" /mosquitto/", f" {self.folder}/")
        text = text.replace("log_dest stdout", f"log_dest file {self.folder}/mosquitto.log\nlog_type debug")
        text += "user root\n" if os.geteuid() == 0 else ""
        path = self.folder / "mosquitto.conf"
        path.write_text(text)
        return [self.program, "-c", str(path)]

    def _certify(self, folder: Path) -> None:
        certificate = self._authority.issue_cert("localhost", "127.0.0.1")
        (folder / "server.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())

    def _enter(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text("".join(f"{user}:{secret}\n" for user, secret in self.secret.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True, capture_output=True)

    def ready(self) -> bool:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), 1) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                return True
        except OSError:
            return False

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")


class Scene:
    """A guarded broker, a gateway and nodes, started one by one."""

    def __init__(
        self, folder: Path, broker: Guarded, authority: trustme.CA, micropython: str, wires: Wires
    ) -> None:
        self.folder, self.broker = folder, broker
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        self.started: list[Process] = []
        self.gateways: list[Gateway] = []
        self._micropython, self._wires = micropython, wires

    def gateway(self, ca: Path | None = None, password: str | None = None, user: str = GATEWAY) -> Gateway:
        """`gongi serve` with TLS; user and password in its environment."""
        network = self.folder / "network" / "network.toml"
        network.parent.mkdir(exist_ok=True)
        network.write_text(NETWORK.format(node=NODE_ID), "utf-8")
        os.environ["GONGI_MQTT_USER"] = user
        os.environ["GONGI_MQTT_PASSWORD"] = password or self.broker.secret[user]
        options = ("--mqtt", f"localhost:{self.broker.port}", "--mqtt-ca", str(ca or self.ca), "--json")
        place = self.folder / f"gateway-{len(self.gateways)}"
        gateway = Gateway(place, network, self.broker.port, None, *options)
        self.gateways.append(gateway)
        gateway.start()
        return gateway

    def node(self, ca: Path | None = None, **more: Any) -> Process:
        """A MicroPython node with TLS and its own password."""
        folder = self.folder / f"node-{len(self.started)}"
        config = NODE | {
            "id": NODE_ID,
            "site": "hana",
            "root": ROOT,
            "brokers": [["localhost", self.broker.port]],
            "user": NODE_ID,
            "password": self.broker.secret[NODE_ID],
            "tls": {"ca": [str(ca or self.ca)]},
            "sim": {"wiring": ["127.0.0.1", self._wires.port], "speed": 120, "flash": None},
        }
        node = Process(self._micropython, folder, config | more)
        self.started.append(node)
        node.start()
        return node


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    wires.close()


@pytest.fixture
def scene(
    tmp_path: Path, authority: trustme.CA, micropython: str, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setenv("GONGI_MQTT_USER", "")
    monkeypatch.setenv("GONGI_MQTT_PASSWORD", "")
    broker = Guarded(need("mosquitto"), tmp_path / "mosquitto", authority)
    broker.start()
    scene = Scene(tmp_path, broker, authority, micropython, wires)
    yield scene
    for node in scene.started:
        node.kill()
    for gateway in scene.gateways:
        gateway.stop()
    broker.stop()


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of an authority that signed nothing here."""
    path = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def stored(gateway: Gateway) -> float:
    return gateway.counted("samples_stored")


def said(gateway: Gateway, *words: str) -> Callable[[], bool]:
    return lambda: all(word in gateway.log.read_text() for word in words)


def test_a_node_is_heard_over_tls(scene: Scene) -> None:
    gateway, node = scene.gateway(), scene.node()
    wait_until(lambda: stored(gateway) >= 12, 30)
    assert node.alive
    assert "Denied" not in scene.broker.log
    assert "our own status" not in gateway.log.read_text()
    ((name, _),) = gateway.ledger()
    assert name == NODE_ID
    assert gateway.counted("nodes_fresh") >= 0


def test_a_gateway_with_a_wrong_password_or_authority_says_so(scene: Scene, stranger: Path) -> None:
    """It goes on trying: what is put right at the broker needs nothing here."""
    unknown = scene.gateway(password="wrong")
    wait_until(said(unknown, "broker refuses us", "Not authorized", GATEWAY), 20)
    unbelieving = scene.gateway(ca=stranger)
    wait_until(said(unbelieving, "broker not believed", "certificate verify failed", stranger.name), 20)
    for gateway in (unknown, unbelieving):
        assert stored(gateway) == 0
        assert gateway.stop() == 0


def test_a_gateway_whose_rights_end_short_of_the_root_says_so(scene: Scene) -> None:
    gateway = scene.gateway(user=NODE_ID)
    wait_until(said(gateway, "our own status", "its ACL must let this user"), 30)
    assert gateway.log.read_text().count("our own status") < 10  # it doesn't storm the broker


def test_a_node_that_is_refused_says_so_and_breaks_nothing(scene: Scene, stranger: Path) -> None:
    gateway = scene.gateway()
    wrong = scene.node(password="wrong")
    wait_until(lambda: "not authorised" in wrong.log, 30)
    unbelieving = scene.node(ca=stranger)
    wait_until(lambda: "certificate is not correctly signed" in unbelieving.log, 30)
    assert "Traceback" not in wrong.log + unbelieving.log
    assert stored(gateway) == 0
    wrong.kill()
    unbelieving.kill()
    scene.node()
    wait_until(lambda: stored(gateway) > 0, 30)


def test_a_device_speaks_for_nobody_else(scene: Scene) -> None:
    """A purifier that publishes as a node is dropped by the broker; the node itself goes on."""
    gateway = scene.gateway()
    thief = scene.node(user="3-2-p", password=scene.broker.secret["3-2-p"])
    wait_until(lambda: f"Denied PUBLISH from gongi-{NODE_ID}" in scene.broker.log, 30)
    wait_until(lambda: "may this user publish here?" in thief.log, 30)
    assert stored(gateway) == 0
    thief.kill()
    scene.node()
    wait_until(lambda: stored(gateway) > 0, 30)
