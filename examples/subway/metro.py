"""A metro platform that doesn't exist: it makes the tables, and it answers to its fans and cleaners.

    python examples/subway/metro.py table OUT --days 22      OUT/past.csv, told.csv, day.csv
    python examples/subway/metro.py broker PORT              an MQTT broker until it is ended
    python examples/subway/metro.py live TABLE OUT           plays the table as a platform that answers

`live` takes any table with pm10 of a platform (and of outdoor air, placement "outdoor"), recorded ones too.
The table tells how the air went with everything off; what the machines change is added to it by a mass
balance of the platform's own, whose numbers stand below and not in the network file: the controller doesn't
know them.
"""

import argparse
import csv
import json
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from edge.network import Network
from edge.readings import SECOND
from gateway.broker import Broker as EmbeddedBroker
from gateway.network import load
from gateway.publish import Publisher, PublishError, broker_of
from gateway.table import read
from gateway.world.weather import Weather

FILES = Path(__file__).with_name("network.toml")
ZONE = ZoneInfo("Asia/Seoul")
FIRST = datetime(2026, 3, 2, tzinfo=ZONE)
SETTLING = 0.2
"""PM10 that settles [1/h]."""
PISTON, LEAK = 0.05, 2.0
"""Air change that a train an hour adds, and that of no trains [1/h]."""
BRAKES = 13.0
"""PM10 that a train raises [µg/m³]."""
DELIVERED, PASSING = 0.8, 0.7
"""The share of clean air that arrives, and of outdoor PM10 that comes through the fans."""
COLUMNS = ("time", "node", "placement", "pm10", "temp", "trains")
MINUTE = 1 / 60
BATCH = 5
NOISE = np.random.default_rng(0)


def trains(moment: datetime) -> int:
    """Trains an hour by the timetable, both directions."""
    hour, weekend = moment.hour + moment.minute / 60, moment.weekday() > 4
    if 0.5 <= hour < 5.5:
        return 0
    rush = 7.5 <= hour < 9.5 or 17.5 <= hour < 19.5
    return 12 if weekend or hour < 6.5 or hour >= 22.5 else 30 if rush else 16


def rows(days: int, seed: int) -> Iterator[list[tuple[object, ...]]]:
    """A day at a time, a row of the platform and one of the street a minute."""
    random = np.random.default_rng(seed)
    begun = FIRST.timestamp()
    weather, air, wear = Weather(seed, begun - 86400), 60.0, 0.0
    for day in range(days):
        found: list[tuple[object, ...]] = []
        for minute in range(1440):
            second = begun + 60 * (1440 * day + minute)
            moment = datetime.fromtimestamp(second, ZONE)
            busy = trains(moment)
            wear += -wear / 240 + 0.03 * random.normal()
            loss = LEAK + PISTON * busy + SETTLING
            outdoor = min(weather.at(second).pm10, 400.0)
            gain = 0.8 * (loss - SETTLING) * outdoor + BRAKES * busy * math.exp(wear)
            air = gain / loss + (air - gain / loss) * math.exp(-loss * MINUTE)
            stamp = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            noise = 1 + 0.03 * random.normal(size=2)
            found.append((stamp, "platform", "indoor", round(air * noise[0]), 19, busy))
            found.append((stamp, "street", "outdoor", round(outdoor * noise[1]), 8, busy))
        yield found


def make(folder: Path, days: int, seed: int) -> None:
    """Write all days but the last as past.csv, the same without the train frequency, which no node tells a
    gateway, as told.csv, and the last, which nobody learns from, as day.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    *past, last = rows(days, seed)
    whole = [row for day in past for row in day]
    told = [row[:-1] for row in whole]
    for name, head, content in (
        ("past", COLUMNS, whole),
        ("told", COLUMNS[:-1], told),
        ("day", COLUMNS[:-1], [row[:-1] for row in last]),
    ):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *content])
    print(f"{folder}/past.csv, told.csv: {len(past)} days; {folder}/day.csv: the day after")


@dataclass
class Platform:
    """The platform's machines and what they have changed so far [µg/m³]."""

    network: Network
    levels: dict[str, int] = field(default_factory=dict)
    until: dict[str, int] = field(default_factory=dict)
    moved: float = 0.0

    def obey(self, name: str, payload: bytes) -> bytes:
        """Take a command in; the state that acknowledges it."""
        command = json.loads(payload)
        self.levels[name] = command["level"]
        self.until[name] = command["issued"] + command["ttl"]
        return self.state(name, "command", command["id"])

    def state(self, name: str, cause: str, command: str | None = None) -> bytes:
        """What an actuator says of itself."""
        level = self.levels.get(name, 0)
        power = self.network.actuators[name].levels[level].power
        return json.dumps({"level": level, "cause": cause, "id": command, "power": power}).encode()

    def expired(self, second: int) -> list[str]:
        """The machines whose last command has ended by then, which go off."""
        over = [name for name, end in self.until.items() if second > end and self.levels[name]]
        self.levels.update(dict.fromkeys(over, 0))
        return over

    def step(self, recorded: float, outdoor: float) -> float:
        """One minute on: PM10 [µg/m³] with the machines as they run, where the table says `recorded`."""
        volume = self.network.sites["metro"].rooms["platform"].volume
        running = [self.network.actuators[name].levels[level] for name, level in self.levels.items()]
        clean = DELIVERED * sum(level.cadr for level in running) / volume
        flow = sum(level.flow for level in running) / volume
        loss = LEAK + 16 * PISTON + SETTLING + clean + flow
        brought = PASSING * outdoor if math.isfinite(outdoor) else recorded  # unknown: fans change nothing
        steady = (flow * (brought - recorded) - clean * recorded) / loss
        self.moved = steady + (self.moved - steady) * math.exp(-loss * MINUTE)
        return max(recorded + self.moved, 0.0)


@dataclass
class Node:
    """A measuring device: noise of 2 %, five samples a message."""

    publisher: Publisher
    topic: str
    seq: int = 0
    log: str = field(default_factory=lambda: f"{time.time_ns() & 0xFFFFFFFF:08x}")
    held: list[float] = field(default_factory=list)

    def sample(self, second: int, value: float) -> None:
        """Take a sample [µg/m³] where there is one, and send when five are there."""
        if not math.isfinite(value):
            return
        self.held.append(round(value * (1 + 0.02 * NOISE.normal()), 1))
        if len(self.held) < BATCH:
            return
        self.seq += 1
        begun = second - 60 * (BATCH - 1)
        said = {"log": self.log, "seq": self.seq, "boot": 1, "up": 60 * BATCH * self.seq, "t0": begun}
        self.publisher.publish(self.topic, json.dumps({**said, "dt": 60, "pm10": self.held}).encode())
        self.held = []


def minutes(path: Path, first: float, hours: float) -> Iterator[tuple[int, float, float]]:
    """(second, platform, outdoors) of each minute of some hours, the `first` counted from the table's begin;
    between its rows a straight line."""
    table = read(path)
    words = table.words.get("placement")
    outdoors = (
        np.array([words.names[code] == "outdoor" for code in words.code])
        if words
        else np.zeros(len(table), bool)
    )
    pm10, second = table.numbers["pm10"], table.time // SECOND
    series = []
    for rows_of in (~outdoors, outdoors):
        known = np.flatnonzero(rows_of & np.isfinite(pm10))
        order = known[np.argsort(second[known])]
        series.append((second[order], pm10[order]))
    (when, inside), (when_out, outside) = series
    begin = int(when[0] + 3600 * first)
    for at in range(begin, min(int(when[-1]), int(begin + 3600 * hours)), 60):
        out = float(np.interp(at, when_out, outside)) if when_out.size else math.nan
        yield at, float(np.interp(at, when, inside)), out


def joined(address: str, root: str, lines: dict[str, bytes]) -> Publisher:
    """The connection of the platform, once broker and gateway are there; commands are put into `lines`."""
    gateway: list[str] = []

    def told(topic: str, payload: bytes) -> None:
        if topic.endswith("/set"):
            lines[topic.split("/")[-2]] = payload
        else:
            gateway.append(payload.decode())

    topics = [f"{root}/metro/+/set", f"{root}/gateway/+/status"]
    end = time.monotonic() + 60
    while True:
        publisher = Publisher(broker_of(address), "platform", topics, told=told)
        try:
            publisher.start()
            break
        except PublishError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    while not gateway or gateway[-1] != "online":
        if time.monotonic() > end:
            raise SystemExit("no gateway: gongi serve examples/subway/network.toml --clock data")
        time.sleep(0.1)
    return publisher


def live(
    path: Path, folder: Path, files: Path, address: str, speed: float, first: float, hours: float
) -> None:
    """Play a table as a platform that answers; OUT/live.csv says what it was and what it became."""
    platform, lines = Platform(load(files)), dict[str, bytes]()
    root = platform.network.root
    publisher = joined(address, root, lines)
    sent = partial(publisher.publish, retain=True)
    for name in platform.network.actuators:
        sent(f"{root}/metro/{name}/status", b"online")
        sent(f"{root}/metro/{name}/state", platform.state(name, "safe"))
    nodes = {name: Node(publisher, f"{root}/metro/{name}/obs") for name in ("platform", "street")}
    with (folder / "live.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "recorded", "pm10", "outdoor", *platform.network.actuators])
        for second, recorded, outdoor in minutes(path, first, hours):
            due = time.monotonic() + 60 / speed
            publisher.publish(f"{root}/time", str(second).encode(), qos=0)
            pm10 = platform.step(recorded, outdoor)
            nodes["platform"].sample(second, pm10)
            nodes["street"].sample(second, outdoor)
            while time.monotonic() < due:
                for name in list(lines):
                    sent(f"{root}/metro/{name}/state", platform.obey(name, lines.pop(name)))
                time.sleep(0.005)
            for name in platform.expired(second):
                sent(f"{root}/metro/{name}/state", platform.state(name, "expired"))
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            levels = [platform.levels.get(name, 0) for name in platform.network.actuators]
            writer.writerow([stamp, round(recorded, 1), round(pm10, 1), round(outdoor, 1), *levels])
    publisher.drain(5)
    publisher.stop()
    print(f"{folder}/live.csv: {hours:g} hours as they went")


def broker(folder: Path, port: int) -> None:
    """The embedded NATS server as MQTT broker, until this process is ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with EmbeddedBroker(folder, port):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    table = parts.add_parser("table")
    table.add_argument("out", type=Path)
    table.add_argument("--days", type=int, default=22)
    table.add_argument("--seed", type=int, default=7)
    serve = parts.add_parser("broker")
    serve.add_argument("port", type=int)
    serve.add_argument("--folder", type=Path, default=Path("broker"))
    play = parts.add_parser("live")
    play.add_argument("table", type=Path)
    play.add_argument("out", type=Path)
    play.add_argument("--as", dest="network", type=Path, default=FILES, help="the network file")
    play.add_argument("--mqtt", default="127.0.0.1:1883")
    play.add_argument("--speed", type=float, default=300.0, help="how many times faster than life")
    play.add_argument(
        "--from", dest="first", type=float, default=0.0, help="the hour of the table to begin at"
    )
    play.add_argument("--hours", type=float, default=24.0)
    given = parser.parse_args()
    if given.part == "table":
        make(given.out, given.days, given.seed)
    elif given.part == "broker":
        broker(given.folder, given.port)
    else:
        live(given.table, given.out, given.network, given.mqtt, given.speed, given.first, given.hours)


if __name__ == "__main__":
    main()
