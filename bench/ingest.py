"""Broker to journal: CPU per batch of a bare paho subscriber, divided by that of the gateway, all stages on.

Both get the same messages from the same Mosquitto in the same run, in turns, each in a process of its own and
each from a persistent session in which the broker has queued them. The bare subscriber is paho as its manual
shows it, and only parses each payload (with msgspec, the fastest parser here). CPU is user and system time of
the whole consuming process, from its connection until its last message is acknowledged.

    python -m bench.ingest --json
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.clock import DataClock
from gateway.receive import Broker
from gateway.serve import Gateway, Options
from tests.parts import PARTS
from tests.servers import Mosquitto, wait_until

SCHOOLS, ROOMS = 10, 10
SAMPLES = 6
START = 1_795_000_000
ROOT = "gongi/v1"

SITE = """[[site]]
id = "s{s}"
ko = "학교 {s}"
en = "School {s}"
"""
ROOM = """[[site.room]]
id = "{r}"
ko = "{r}반"
en = "Class {r}"
volume = 180
occupants = 24
timetable = {{mon-sun = "00:00-23:59"}}
"""
DEVICES = """[[node]]
id = "s{s}-{r}"
placed = [{{since = 2026-01-01, site = "s{s}", room = "{r}", placement = "indoor"}}]
fitted = [{{since = 2026-01-01, sensors = [{{type = "pms5003", serial = "P-{s}-{r}"}},
    {{type = "scd4x", serial = "S-{s}-{r}"}}]}}]
[[actuator]]
id = "s{s}-{r}-p"
kind = "purifier"
site = "s{s}"
room = "{r}"
levels = [{{power = 1}}, {{cadr = 250, power = 12}}, {{cadr = 500, power = 28}}]
"""


def network_file(folder: Path) -> Path:
    """Ten schools of ten rooms, each with a node and a purifier."""
    (folder / "sites").mkdir(parents=True)
    for s in range(SCHOOLS):
        text = SITE.format(s=s) + "".join(ROOM.format(r=r) for r in range(ROOMS))
        text += "".join(DEVICES.format(s=s, r=r) for r in range(ROOMS))
        (folder / "sites" / f"s{s}.toml").write_text(text, encoding="utf-8")
    path = folder / "network.toml"
    path.write_text('include = ["sites/*.toml"]\n', encoding="utf-8")
    return path


def messages(batches: int) -> Iterator[tuple[str, bytes]]:
    """Rounds of one batch from each node, each round with its simulated time before it."""
    dice = random.Random(1)
    nodes = [(s, r) for s in range(SCHOOLS) for r in range(ROOMS)]
    for number in range(batches):
        turn, place = divmod(number, len(nodes))
        if place == 0:
            yield f"{ROOT}/time", str(START + 60 * turn + 60).encode()
        s, r = nodes[place]
        yield f"{ROOT}/s{s}/s{s}-{r}/obs", _batch(dice, turn)


def _batch(dice: random.Random, turn: int) -> bytes:
    level = 20 + 15 * (turn % 60) / 60
    body = {"log": "7f3a09c1", "seq": turn + 1, "boot": 1, "up": 60 * turn, "t0": START + 60 * turn, "dt": 10}
    spread = {"pm25": (level, 6), "pm10": (level * 1.5, 9), "rh": (45, 3), "temp": (21, 1)}
    columns = {q: [round(dice.gauss(*form), 1) for _ in range(SAMPLES)] for q, form in spread.items()}
    return json.dumps({**body, **columns}, separators=(",", ":")).encode()


def publish(port: int, batches: int) -> None:
    """Send everything at QoS 1, at most 500 unacknowledged."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages(batches):
        done = client.publish(topic, payload, 1)
        if done.mid % 500 == 0:
            done.wait_for_publish(30)
    done.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


# -- the consumers, each in a process of its own ------------------------------------------------------------


def bare(port: int, batches: int, folder: Path) -> dict[str, float]:
    """A persistent paho subscriber that parses every payload."""
    seen = 0

    def took(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        nonlocal seen
        msgspec.json.decode(message.payload)
        seen += message.topic.endswith("/obs")
        if seen == batches:
            client.disconnect()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", clean_session=False)
    client.on_connect = lambda c, *_: c.subscribe(f"{ROOT}/#", 1)
    client.on_message = took
    client.on_subscribe = lambda c, *_: c.disconnect() if not batches else None
    client.connect("127.0.0.1", port)
    began, wall = time.process_time(), time.monotonic()
    client.loop_forever()
    return {"cpu": time.process_time() - began, "wall": time.monotonic() - wall}


def ours(port: int, batches: int, folder: Path) -> dict[str, float]:
    """The gateway with every stage on, until all is committed, decided and acknowledged."""
    options = Options(folder / "network.toml", folder / "data", Broker(port=port))
    gateway = Gateway(options, DataClock())
    gateway.start()
    began, wall = time.process_time(), time.monotonic()
    wait_until(lambda: gateway.metrics.value("batches_stored") >= batches, 120, 0.02)
    wait_until(lambda: gateway.receiver.connected, 10)
    end = {"cpu": time.process_time() - began, "wall": time.monotonic() - wall}
    names = ("samples_stored", "forecasts", "decisions", "commands", "stage_failures", "letters")
    counts = {name: gateway.metrics.value(name) for name in names}
    gateway.stop()
    # After the last connection is closed the write-ahead log is folded into the journal.
    size = (folder / "data" / "journal.sqlite").stat().st_size
    return {**end, **counts, "disk": size, "written": _written()}


def _written() -> float:
    try:
        rows = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0.0
    return float(dict(row.split(": ") for row in rows)["write_bytes"])


CONSUMERS = {"bare": bare, "ours": ours}


def consume(name: str, port: int, batches: int, folder: Path) -> dict[str, float]:
    """Run a consumer in a process of its own and read its report."""
    words = [sys.executable, "-m", "bench.ingest", "--consume", name, str(port), str(batches), str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, timeout=300)
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return report


def measure(batches: int, rounds: int) -> dict[str, Any]:
    """Alternate the two consumers over the same messages."""
    program = PARTS["mosquitto"].find()
    if program is None:
        raise SystemExit("bench.ingest: mosquitto is missing: " + PARTS["mosquitto"].advice)
    reports: dict[str, list[dict[str, float]]] = {name: [] for name in CONSUMERS}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(rounds):
            for name in CONSUMERS:
                folder = Path(scratch) / f"{name}{turn}"
                network_file(folder)
                reports[name].append(_round(program, name, batches, folder))
                cpu_us = reports[name][-1]["cpu"] / batches * 1e6
                _tell(f"round {turn + 1} of {rounds}: {name} {cpu_us:.1f} µs a batch")
    return _summary(reports, batches)


def _round(program: str, name: str, batches: int, folder: Path) -> dict[str, float]:
    broker = Mosquitto(program, folder / "broker")
    broker.start()
    try:
        consume(name, broker.port, 0, folder)
        publish(broker.port, batches)
        return consume(name, broker.port, batches, folder)
    finally:
        broker.stop()


def _summary(reports: dict[str, list[dict[str, float]]], batches: int) -> dict[str, Any]:
    cpu = {
        name: statistics.median(one["cpu"] for one in rows) / batches * 1e6 for name, rows in reports.items()
    }
    last = reports["ours"][-1]
    return {
        "samples_per_s": round(batches * SAMPLES / statistics.median(one["wall"] for one in reports["ours"])),
        "cpu_us_per_batch": round(cpu["ours"], 2),
        "bare_cpu_us_per_batch": round(cpu["bare"], 2),
        "ratio": round(cpu["bare"] / cpu["ours"], 3),
        "disk_bytes_per_batch": round(last["disk"] / batches, 1),
        "written_bytes_per_batch": round(last["written"] / batches, 1),
        "batches": batches,
        "counts": {
            name: last[name] for name in ("forecasts", "decisions", "commands", "stage_failures", "letters")
        },
    }


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--consume", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        name, port, batches, folder = options.consume
        print(json.dumps(CONSUMERS[name](int(port), int(batches), Path(folder))), flush=True)
        os._exit(0)
    figures = measure(options.batches, options.rounds)
    print(
        json.dumps(figures)
        if options.json
        else "\n".join(f"{name}: {value}" for name, value in figures.items())
    )


if __name__ == "__main__":
    main()
