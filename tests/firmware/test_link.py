"""The link over what a school may have: NATS, TLS, a password, a network that swallows everything."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.broker import Broker, free_port
from tests.firmware.conftest import Start
from tests.firmware.workshop import NODE, Ear
from tests.parts import need
from tests.servers import Mosquitto, wait_until

TLS = """
listener {port} 127.0.0.1
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
"""


def openssl(folder: Path, *words: str) -> None:
    subprocess.run([need("openssl"), *words], cwd=folder, check=True, capture_output=True)


def authority(folder: Path, name: str, host: str, server: str = "server") -> None:
    """Make a CA of that name and, signed by it, a certificate for the host: P-256, as devices want it."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(folder, "req", "-x509", *curve, "-days", "30", "-subj", f"/CN={name}", *files)
    openssl(
        folder, "req", *curve, "-subj", f"/CN={host}", "-keyout", f"{server}.key", "-out", f"{server}.csr"
    )
    signed = ("-CA", f"{name}.crt", "-CAkey", f"{name}.key", "-CAcreateserial", "-days", "30")
    openssl(folder, "x509", "-req", "-in", f"{server}.csr", *signed, "-out", f"{server}.crt")


class OtherMosquitto(Mosquitto):
    """A Mosquitto with more lines in its configuration."""

    more = ""

    def command(self) -> list[str]:
        command = super().command()
        with Path(command[-1]).open("a") as config:
            config.write(self.more)
        return command


@pytest.fixture
def other(tmp_path: Path) -> Iterator[OtherMosquitto]:
    broker = OtherMosquitto(need("mosquitto"), tmp_path / "other")
    broker.folder.mkdir()
    yield broker
    broker.stop()


@contextmanager
def hearing(port: int) -> Iterator[Ear]:
    ear = Ear(port)
    try:
        yield ear
    finally:
        ear.close()


def test_over_tls_it_trusts_its_authorities_and_nobody_else(start: Start, other: OtherMosquitto) -> None:
    authority(other.folder, "ca", "localhost")
    authority(other.folder, "next", "nobody", "other")
    tls = free_port()
    other.more = TLS.format(port=tls, folder=other.folder)
    other.start()
    with hearing(other.port) as ear:
        where = [["localhost", tls]]
        stranger = start(NODE, brokers=where, tls={"ca": [str(other.folder / "next.crt")]})
        time.sleep(2)
        assert not ear.statuses()
        stranger.kill()
        both = [str(other.folder / name) for name in ("next.crt", "ca.crt")]
        start(NODE, brokers=where, tls={"ca": both})
        wait_until(lambda: len(ear.heard("obs")) >= 3, 20)


def test_a_wrong_password_is_refused_and_the_right_one_heard(start: Start, other: OtherMosquitto) -> None:
    words = ["-b", "-c", str(other.folder / "passwords"), "gongi-1-2-a", "right"]
    subprocess.run(
        [need("mosquitto").replace("sbin", "bin") + "_passwd", *words], check=True, capture_output=True
    )
    other.more = f"password_file {other.folder}/passwords\n"
    other.start()
    with hearing(other.port) as ear:
        where = [["127.0.0.1", other.port]]
        stranger = start(NODE, brokers=where, user="gongi-1-2-a", password="wrong")
        time.sleep(2)
        assert not ear.statuses()
        assert stranger.alive
        stranger.kill()
        start(NODE, brokers=where, user="gongi-1-2-a", password="right")
        wait_until(lambda: ear.heard("obs"), 20)


def test_nats_is_a_broker_like_any_other(nats: Broker, start: Start) -> None:
    with hearing(nats.port) as ear:
        start(NODE, brokers=[["127.0.0.1", nats.port]])
        wait_until(lambda: len(ear.heard("obs")) >= 3, 20)
        assert [batch["seq"] for batch in ear.heard("obs")[:3]] == [1, 2, 3]
        assert ear.statuses()[-1] == "online"


class BlackHole:
    """A proxy to the broker that can begin to swallow everything without closing anything."""

    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.to = port
        self.swallow = False
        self.accepted = 0
        self.ends: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def close(self) -> None:
        for end in (self.server, *self.ends):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self.threads:
            thread.join(5)
        for end in (self.server, *self.ends):
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.accepted += 1
            self.ends += [near, far]
            for pair in ((near, far), (far, near)):
                self.threads.append(threading.Thread(target=self._pass, args=pair))
                self.threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                if not self.swallow:
                    target.sendall(data)
        except OSError:
            return


def test_a_half_open_connection_is_noticed_and_made_anew(
    ear: Ear, start: Start, mosquitto: Mosquitto
) -> None:
    hole = BlackHole(mosquitto.port)
    try:
        start(NODE, brokers=[["127.0.0.1", hole.port]], keepalive_s=2)
        wait_until(lambda: len(ear.heard("obs")) >= 2, 20)
        hole.swallow = True
        wait_until(lambda: hole.accepted >= 2, 20)
        hole.swallow = False
        again = len(ear.heard("obs"))

        def complete() -> bool:
            found = {batch["seq"] for batch in ear.heard("obs")}
            return len(ear.heard("obs")) > again + 3 and found == set(range(1, max(found) + 1))

        wait_until(complete, 40)
    finally:
        hole.close()
