"""A workshop bench for devices: the ends of their wires, their processes, and an ear at the broker."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from gateway.world import compiled
from tests.servers import wait_until

FRAME_S = 0.9
SPEED = 120
ROOT = "gongi/v1"
NODE: dict[str, Any] = {
    "kind": "node",
    "id": "1-2-a",
    "sensors": [
        {"type": "pms5003", "serial": "P-0001", "bus": "uart1"},
        {"type": "scd4x", "serial": "S-0001", "bus": "i2c1"},
    ],
    "sample_s": 10,
    "batch_s": 60,
    "spool_bytes": 1 << 20,
}
ACTUATOR: dict[str, Any] = {
    "kind": "actuator",
    "id": "p-1",
    "levels": 4,
    "safe_level": 1,
    "room_nodes": [["hana", "1-2-a"]],
    "ttl_default": 300,
}


def plantower(pm25: int) -> bytes:
    words = (pm25, pm25, pm25, pm25, pm25, pm25, 210, 70, 45, 30, 0, 0, 0x9700)
    body = b"BM\0\x1c" + struct.pack(">13H", *words)
    return body + struct.pack(">H", sum(body))


def crc8(data: bytes) -> int:
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x131 if crc & 0x80 else crc << 1
    return crc


def sensirion(*words: int) -> bytes:
    return b"".join(w.to_bytes(2, "big") + bytes([crc8(w.to_bytes(2, "big"))]) for w in words)


class Wires:
    """The other end of every bus: sensors that say what the test sets, outputs that are written down."""

    def __init__(self, speed: int = SPEED) -> None:
        self.speed = speed
        self.pm25 = 12
        self.co2 = 500
        self.silent = False
        self.noise = b""
        self.levels: list[int] = []
        self.links: dict[str, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._over = False
        self._links: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._over = True
        for link in (self._listener, *self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(link)
            self._threads.append(threading.Thread(target=self._serve, args=(link,)))
            self._threads[-1].start()

    def _serve(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError), link, link.makefile("rb") as stream:
            bus = stream.readline().decode()
            self.links[bus.split()[0]] = link
            {"u": self._uart, "i": self._i2c, "g": self._gpio}[bus[0]](link, stream)

    def _uart(self, link: socket.socket, stream: Any) -> None:
        while not self._over:
            if not self.silent:
                link.sendall(self.noise + plantower(self.pm25))
                self.noise = b""
            time.sleep(FRAME_S / self.speed)

    def _i2c(self, link: socket.socket, stream: Any) -> None:
        while head := stream.read(4):
            size = int.from_bytes(head[2:4], "big")
            if head[:1] == b"W":
                stream.read(size)
                answer = b""
            else:
                answer = sensirion(0x8006) if size == 3 else sensirion(self.co2, 0x6667, 0x5EB9)
            link.sendall(b"N" if self.silent else b"A" + answer)

    def _gpio(self, link: socket.socket, stream: Any) -> None:
        for line in stream:
            self.levels.append(int(line.split()[1]))


class Ear:
    """Hears everything below the root, and says what the gateway would."""

    def __init__(self, port: int) -> None:
        self.messages: dict[str, list[bytes]] = defaultdict(list)
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"ear-{os.urandom(4).hex()}")
        self.client.reconnect_delay_set(0.05, 0.2)
        self.client.on_message = lambda client, data, message: self.messages[message.topic].append(
            message.payload
        )
        self.client.on_connect = lambda client, *rest: client.subscribe(f"{ROOT}/#", qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(self.client.is_connected)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, leaf: str, message: Any, device: str = "hana/1-2-a") -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.client.publish(f"{ROOT}/{device}/{leaf}", text).wait_for_publish(5)

    def time(self, utc: int) -> None:
        self.client.publish(f"{ROOT}/time", str(utc)).wait_for_publish(5)

    def heard(self, leaf: str, device: str = "hana/1-2-a") -> list[Any]:
        return [json.loads(payload) for payload in tuple(self.messages[f"{ROOT}/{device}/{leaf}"])]

    def statuses(self, device: str = "hana/1-2-a") -> list[str]:
        return [payload.decode() for payload in tuple(self.messages[f"{ROOT}/{device}/status"])]


class Process:
    """One device: a MicroPython process with an ESP32's heap; its flash outlives it."""

    heap = "128k"

    def __init__(self, program: str, folder: Path, config: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.program = program
        self.folder = folder
        self.config = config
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "output.log").read_text()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config))
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-X", f"heapsize={self.heap}", str(compiled.main()), str(path)],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(5)
            self.process = None

    def cpu_s(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


CAUSES = {70: "crash", 71: "reboot", 72: "update"}
"""What a boot that ended says for the next one."""


def copied(folder: Path) -> Path:
    """The main.py of a copy of the compiled firmware: the cache keeps the sources' newest states alone."""
    shutil.copytree(compiled.main().parents[1], folder)
    return folder / compiled.MAIN


class Board(Process):
    """A device whose every boot is a process of its own, as a reset leaves nothing in an ESP32's heap; it has
    one firmware, whatever the sources become meanwhile."""

    def __init__(self, program: str, folder: Path, config: dict[str, Any], main: Path) -> None:
        super().__init__(program, folder, config)
        self._main = main
        self._switch = threading.Lock()
        (folder / "config.json").write_text(json.dumps(config))

    def start(self, cause: str = "power") -> None:
        with (self.folder / "output.log").open("ab") as log:
            words = ["-X", f"heapsize={self.heap}", str(self._main), str(self.folder / "config.json"), cause]
            self.process = subprocess.Popen([self.program, *words], stdout=log, stderr=log)
        threading.Thread(target=self._watch, args=(self.process,)).start()

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        cause = CAUSES.get(process.wait())
        with self._switch:
            if cause and self.process is process:
                self.start(cause)

    def kill(self) -> None:
        with self._switch:
            process, self.process = self.process, None
        if process:
            process.kill()
            process.wait(5)
