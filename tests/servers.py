"""Real servers for the tests: on free loopback ports, awaited by condition, ended with the test run."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import leash
from gateway.broker import answers, free_port
from tests.parts import influxd

READY_S = 30.0
STOP_S = 15.0

MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages {flying}
max_queued_messages {queued}
message_size_limit {size}
log_dest file {folder}/mosquitto.log
"""
MOSQUITTO_KEEPS = "persistence true\npersistence_location {folder}/\nautosave_interval 1\n"


class NotReady(Exception):
    """A server didn't answer in time; the message holds the end of its log."""


def wait_until(condition: Callable[[], object], within_s: float = 10.0, every_s: float = 0.01) -> None:
    """Return as soon as `condition()` is true; `AssertionError` when that takes too long."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, (
            f"not within {within_s} s: {getattr(condition, '__name__', condition)}"
        )
        time.sleep(every_s)


class Server:
    """A child process with a folder and a port, which can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.pid = 0
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server and return when it answers."""
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, *self.command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline() or 0)
        self.await_ready()

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.ready():
            if not self.alive or time.monotonic() > deadline:
                self.stop()
                raise NotReady((self.folder / "output.log").read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server as an administrator would, and wait for it."""
        if (process := self.process) is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(STOP_S)
        process.stdout.close()
        self.process = None

    def kill(self) -> None:
        """End the server at this instant."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        self.stop()


class Mosquitto(Server):
    """A Mosquitto on 127.0.0.1; with `keeps` its sessions survive `stop`, with `forget` they are gone; of
    more messages for a session than `queued` (0: no limit) it drops the newest."""

    def __init__(
        self, program: str, folder: Path, keeps: bool = False, size_limit: int = 262_144, queued: int = 0
    ) -> None:
        super().__init__(folder)
        self.program = program
        self.keeps = keeps
        self.size_limit = size_limit
        self.queued = queued

    def command(self) -> list[str]:
        words = {"port": self.port, "size": self.size_limit, "folder": self.folder}
        words |= {"queued": self.queued, "flying": min(self.queued, 20)}
        text = MOSQUITTO.format(**words)
        text += MOSQUITTO_KEEPS.format(**words) if self.keeps else ""
        # Run by root it would become the user mosquitto, who can't write here.
        text += "user root\n" if os.geteuid() == 0 else ""
        path = self.folder / "mosquitto.conf"
        path.write_text(text)
        return [self.program, "-c", str(path)]

    def ready(self) -> bool:
        return answers("127.0.0.1", self.port)

    def forget(self) -> None:
        """Delete the session store of a stopped broker."""
        (self.folder / "mosquitto.db").unlink(missing_ok=True)


class Influx(Server):
    """An InfluxDB 2.7 with one organisation; `bucket` is the bucket of the running test."""

    token = "gongi-test-token"
    org = "gongi"

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(folder)
        self.program = program
        self.bucket = "first"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def authorization(self) -> str:
        return f"Token {self.token}"

    def command(self) -> list[str]:
        return influxd.command(self.program, self.folder, self.port)

    def ready(self) -> bool:
        try:
            return bool(self.ask("/health")["status"] == "pass")
        except OSError:
            return False

    def setup(self) -> None:
        """Make the first user, organisation, bucket and token of an empty server."""
        user = {"username": "gongi", "password": "gongi-test-password"}
        self.ask("/api/v2/setup", user | {"org": self.org, "bucket": self.bucket, "token": self.token})

    def new_bucket(self, name: str, shard_days: int = 0) -> None:
        """Make a bucket, of shards that long where it is said, and write all that follows there."""
        org = self.ask(f"/api/v2/orgs?org={self.org}")["orgs"][0]["id"]
        rule = {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": shard_days * 86400}
        rules = [rule] if shard_days else []
        self.ask("/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": rules})
        self.bucket = name

    def query_influxql(self, text: str) -> list[dict[str, Any]]:
        """The rows that an InfluxQL query answers, each with the tags of its group; time [ns]."""
        query = urllib.parse.urlencode({"db": self.bucket, "q": text, "epoch": "ns"})
        rows = []
        for result in self.ask(f"/query?{query}")["results"]:
            if "error" in result:
                raise ValueError(result["error"])
            for series in result.get("series", []):
                tags = series.get("tags", {})
                rows += [tags | dict(zip(series["columns"], row, strict=True)) for row in series["values"]]
        return rows

    def ask(self, path: str, content: object = None) -> dict[str, Any]:
        """One request with the token: GET, or POST of JSON content."""
        body = None if content is None else json.dumps(content).encode()
        head = {"Authorization": self.authorization, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, head)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return dict(json.loads(reply.read() or b"{}"))
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{path}: {error.code} {error.read().decode(errors='replace')}") from error

    def kill(self) -> None:
        """End the server at this instant; a container by its engine."""
        if self.program in influxd.ENGINES:
            subprocess.run(
                [self.program, "kill", f"gongi-influxd-{self.port}"], check=True, capture_output=True
            )
            self.stop()
        else:
            super().kill()

    def forget(self) -> None:
        """Delete all that a stopped server holds."""
        shutil.rmtree(self.folder, ignore_errors=True)


class OldInflux(Influx):
    """An InfluxDB 1.6 that wants a login; `bucket` is the database of the running test."""

    user, password = "gongi", "gongi-test-password"

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def command(self) -> list[str]:
        path, spare = self.folder / "influxdb.conf", free_port()
        path.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{spare}"
[meta]
dir = "{self.folder}/meta"
[data]
dir = "{self.folder}/data"
wal-dir = "{self.folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
"""
        )
        return [self.program, "run", "-config", str(path)]

    def ready(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/ping", timeout=5).close()
        except OSError:
            return False
        return True

    def setup(self) -> None:
        """Make the first user of an empty server."""
        self.say(f"CREATE USER {self.user} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")

    def new_bucket(self, name: str) -> None:
        """Make a database and write all that follows there."""
        self.say(f'CREATE DATABASE "{name}"')
        self.bucket = name

    def say(self, text: str) -> None:
        """One statement."""
        self.ask(f"/query?{urllib.parse.urlencode({'q': text})}", {})
