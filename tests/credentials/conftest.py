"""A place with a network file, secrets made by `gongi credentials`, and the real brokers that read them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge.problem import Problem
from gateway.broker import answers, free_port, nats_server
from gateway.command.credentials import credentials
from tests.credentials.mqtt import Client, Refused
from tests.parts import need
from tests.servers import Server

SCHOOL = Path(__file__).parents[2] / "examples/school/network.toml"


@dataclass(frozen=True)
class Place:
    """A folder in which a technician calls `gongi credentials`."""

    folder: Path

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def register(self) -> Path:
        return self.folder / "flashed.csv"

    def say(self, verb: str, *more: object, status: int = 0) -> str:
        """The subcommand's standard output."""
        where = ["--network", SCHOOL, "--register", self.register, "--secrets", self.secrets]
        done = CliRunner().invoke(credentials, [verb, *map(str, more), *map(str, where)])
        if isinstance(done.exception, Problem):
            raise done.exception
        assert done.exit_code == status, (done.output, done.exception)
        return done.stdout

    def call(self, verb: str, *more: object, status: int = 0) -> dict[str, Any]:
        """The subcommand's --json."""
        return dict(json.loads(self.say(verb, "--json", *more, status=status)))

    def password(self, device: str, generation: int = -1) -> tuple[str, str]:
        """User and password, by default of the newest generation."""
        valid = self.call("show", device, "--reveal")["valid"]
        return valid[generation]["user"], valid[generation]["password"]


class Ready(Server):
    """A broker on the files that were rendered; it answers where it refuses a stranger."""

    place: Place

    def __init__(self, folder: Path, place: Place) -> None:
        super().__init__(folder)
        self.place = place

    def ready(self) -> bool:
        return answers("127.0.0.1", self.port)

    @property
    def pid_file(self) -> Path:
        path = self.folder / "test.pid"
        path.write_text(f"{self.pid}\n")
        return path

    def connect(self, user: str, password: str, name: str = "") -> Client:
        return Client(self.port, user, password, name)

    def lets_in(self, user: str, password: str) -> bool:
        try:
            self.connect(user, password).close()
        except Refused:
            return False
        return True


class RenderedMosquitto(Ready):
    """Mosquitto; its log is a proof of who connected."""

    @property
    def proof(self) -> tuple[str, object]:
        return "--log", self.folder / "broker.log"

    def command(self) -> list[str]:
        rendered = self.place.secrets / "mosquitto"
        path = self.folder / "mosquitto.conf"
        path.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {rendered}/passwords\n"
            f"acl_file {rendered}/acl\nlog_dest file {self.folder}/broker.log\nlog_type notice\n"
            "log_type error\nlog_type warning\n" + ("user root\n" if os.geteuid() == 0 else "")
        )
        return [need("mosquitto"), "-c", str(path)]


class RenderedNats(Ready):
    """A NATS server; its monitoring is a proof of who is connected."""

    def __init__(self, folder: Path, place: Place) -> None:
        super().__init__(folder, place)
        self.monitor = free_port()

    @property
    def proof(self) -> tuple[str, object]:
        return "--nats", f"http://127.0.0.1:{self.monitor}"

    def command(self) -> list[str]:
        path = self.folder / "nats.conf"
        users = os.path.relpath(self.place.secrets / "nats/users.conf", self.folder)
        path.write_text(
            f'server_name: test\nlisten: "127.0.0.1:-1"\nhttp: "127.0.0.1:{self.monitor}"\n'
            f'log_file: "{self.folder}/broker.log"\njetstream {{ store_dir: "{self.folder}/data" }}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.port}" }}\ninclude "{users}"\n'
        )
        return [nats_server(), "-c", str(path)]


BROKERS: dict[str, type[RenderedMosquitto] | type[RenderedNats]] = {
    "mosquitto": RenderedMosquitto,
    "nats": RenderedNats,
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=list(BROKERS))
def broker(place: Place, request: pytest.FixtureRequest) -> Iterator[RenderedMosquitto | RenderedNats]:
    """A real broker that runs on the rendered files."""
    need(request.param)
    place.call("render")
    broker = BROKERS[request.param](place.folder / request.param, place)
    broker.start()
    yield broker
    broker.stop()
