"""TLS and a password for every device: the files in docker/, a real node, and what refusals say."""

import os
import re
import secrets
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.broker import free_port, nats_server
from tests.firmware.workshop import NODE, ROOT, Process, Wires
from tests.parts import need
from tests.proof.gateway import Gateway
from tests.servers import Server, wait_until

DOCKER = Path(__file__).parents[2] / "docker"
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
GATEWAY, NODE_ID, OTHER_ID = "gateway", "3-2-a", "3-2-p"


class Guarded(Server):
    """A broker as docker/ has it, in a folder of its own; `secret` holds each user's password."""

    denied = ""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        super().__init__(folder)
        self.secret = {user: secrets.token_hex(12) for user in (GATEWAY, NODE_ID, OTHER_ID)}
        self._authority = authority

    def prepare(self) -> Path:
        """Make the certificate; the folder of secrets."""
        kept = self.folder / "secrets"
        kept.mkdir(parents=True, exist_ok=True)
        certificate = self._authority.issue_cert("localhost", "127.0.0.1")
        for name in ("server", "server-before"):
            (kept / f"{name}.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
            (kept / f"{name}.key").write_bytes(certificate.private_key_pem.bytes())
        return kept

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
        return (self.folder / "broker.log").read_text(errors="replace")


class GuardedMosquitto(Guarded):
    """docker/mosquitto, with the passwords of its example replaced and hashed."""

    denied = f"Denied PUBLISH from gongi-{NODE_ID}"

    @cached_property
    def port_before(self) -> int:
        return free_port()

    def command(self) -> list[str]:
        passwords = self.prepare() / "passwords"
        (self.folder / "data").mkdir(exist_ok=True)
        users = [line.split(":")[0] for line in (DOCKER / "mosquitto/passwords.example").read_text().split()]
        passwords.touch(mode=0o600)
        passwords.write_text("".join(f"{user}:{self.secret[user]}\n" for user in users))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        text = (DOCKER / "mosquitto/mosquitto.conf").read_text()
        text = text.replace("listener 8883", f"listener {self.port} 127.0.0.1")
        text = text.replace("listener 443", f"listener {self.port_before} 127.0.0.1")
        text = text.replace(" /mosquitto/config", f" {DOCKER}/mosquitto")
        text = text.replace(" /mosquitto/", f" {self.folder}/")
        text = text.replace("log_dest stdout", f"log_dest file {self.folder}/broker.log\nlog_type debug")
        text += "user root\n" if os.geteuid() == 0 else ""
        path = self.folder / "mosquitto.conf"
        path.write_text(text)
        return [need("mosquitto"), "-c", str(path)]


class GuardedNats(Guarded):
    """docker/nats, with the passwords of its example replaced."""

    denied = "Publish Violation"

    def command(self) -> list[str]:
        users = self.prepare() / "users.conf"
        text = (DOCKER / "nats/users.example").read_text()
        for user, secret in self.secret.items():
            text, found = re.subn(f'(user: "{user}", password: )"[^"]*"', rf'\1"{secret}"', text)
            assert found == 1
        users.touch(mode=0o600)
        users.write_text(text)
        text = (DOCKER / "nats/nats.conf").read_text().replace("/nats/", f"{self.folder}/")
        text = text.replace("0.0.0.0:8883", f"127.0.0.1:{self.port}").replace(
            "127.0.0.1:4222", "127.0.0.1:-1"
        )
        # Its parser takes an include's path as below the file's folder.
        text = text.replace(f'include "{self.folder}/', 'include "')
        path = self.folder / "nats.conf"
        path.write_text(f'{text}\nlog_file: "{self.folder}/broker.log"\n')
        return [nats_server(), "-c", str(path)]


BROKERS = {"mosquitto": GuardedMosquitto, "nats": GuardedNats}


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

    def node(self, ca: Path | None = None, port: int = 0, **more: Any) -> Process:
        """A MicroPython node with TLS and its own password."""
        folder = self.folder / f"node-{len(self.started)}"
        config = NODE | {
            "id": NODE_ID,
            "site": "hana",
            "root": ROOT,
            "brokers": [["localhost", port or self.broker.port]],
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


@pytest.fixture(params=list(BROKERS))
def scene(
    tmp_path: Path,
    authority: trustme.CA,
    micropython: str,
    wires: Wires,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    monkeypatch.setenv("GONGI_MQTT_USER", "")
    monkeypatch.setenv("GONGI_MQTT_PASSWORD", "")
    need(request.param)
    broker: Guarded = BROKERS[request.param](tmp_path / "broker", authority)
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
    gateway, node = scene.gateway(), scene.node(port=getattr(scene.broker, "port_before", 0))
    wait_until(lambda: stored(gateway) >= 12, 30)
    assert node.alive
    assert scene.broker.denied not in scene.broker.log
    assert "its ACL" not in gateway.log.read_text()
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
    wait_until(said(gateway, "broker", "its ACL must let this user"), 30)
    assert gateway.log.read_text().count("its ACL") < 10  # it doesn't storm the broker


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
    """What a purifier publishes as a node the broker drops; the node itself goes on."""
    gateway = scene.gateway()
    thief = scene.node(user=OTHER_ID, password=scene.broker.secret[OTHER_ID])
    wait_until(lambda: scene.broker.denied in scene.broker.log, 30)
    wait_until(lambda: "may this user speak here?" in thief.log, 30)
    assert stored(gateway) == 0
    thief.kill()
    scene.node()
    wait_until(lambda: stored(gateway) > 0, 30)
