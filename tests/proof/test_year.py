"""A year of a city at a smaller size: all of it comes through, whatever dies on the way.

A table of 25 stations is replayed through a real Mosquitto into `gongi serve` and InfluxDB; the gateway is
killed three times, InfluxDB is stopped and started, the broker is killed and has forgotten its sessions.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.check import evaluate
from edge.readings import SECOND, Flag
from gateway import table as tables
from gateway.archive import Archive
from gateway.broker import Broker as NatsServer
from gateway.command.replay import replay
from gateway.history import History
from gateway.journal import Journal
from gateway.network import load
from gateway.table import Table, Words, ordered
from tests.proof.bench import EVER
from tests.proof.gateway import Gateway
from tests.servers import Influx, Mosquitto, wait_until

STATIONS, HOURS = 25, 240
BEGIN = 1_483_196_400
PER_BATCH = 4


def city() -> Table:
    """Hourly rows of 25 stations with -1 codes, missing cells, spikes, frozen values and holes."""
    random = np.random.default_rng(2017)
    hour, code = np.divmod(np.arange(HOURS * STATIONS), STATIONS)
    level = 35 + 20 * np.sin(hour / 12) + random.normal(0, 5, hour.size)
    pm25 = np.clip(np.round(level), 0, None)
    pm10 = np.round(pm25 * 1.6)
    luck = random.random(hour.size)
    pm25[luck < 0.01] = -1
    pm25[(luck > 0.01) & (luck < 0.03)] = np.nan
    pm10[(luck > 0.03) & (luck < 0.035)] = 3403
    pm25[(code == 7) & (hour > 100) & (hour < 143)] = 21
    kept = luck < 0.985
    names = tuple(str(101 + number) for number in range(STATIONS))
    words = {"station": Words(names, code[kept].astype(np.int32))}
    columns = {"pm25": pm25[kept], "pm10": pm10[kept]}
    return ordered(Table("city", (BEGIN + hour[kept] * 3600) * SECOND, words, columns))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The table, and the network file made of it."""
    tables.write(city(), tmp_path / "city.csv")
    (tmp_path / "network").mkdir()
    command = [str(tmp_path / "city.csv"), "--batch", str(PER_BATCH), "--write-network"]
    assert CliRunner().invoke(replay, [*command, str(tmp_path / "network" / "network.toml")]).exit_code == 0
    return tmp_path


@pytest.fixture
def begin(folder: Path, influx: Influx) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway for that table at a broker."""
    gateways: list[Gateway] = []

    def start(port: int, *options: str) -> Gateway:
        gateway = Gateway(folder, folder / "network" / "network.toml", port, influx, *options)
        gateways.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in gateways:
        gateway.stop()


class Replay:
    """`gongi replay` as a process of its own."""

    def __init__(self, folder: Path, port: int, gateway: Gateway, speed: float) -> None:
        command = [sys.executable, "-m", "gateway", "replay", str(folder / "city.csv")]
        command += ["--as", str(folder / "network" / "network.toml"), "--json", "--wait", "60"]
        command += ["--mqtt", f"127.0.0.1:{port}", "--gateway", gateway.url, "--speed", str(speed)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)

    def report(self) -> dict[str, Any]:
        """What it says in the end."""
        output, _ = self.process.communicate(timeout=120)
        return dict(json.loads(output))


def stored(gateway: Gateway) -> int:
    """How many batches the ledger has."""
    return sum(high - low + 1 for row in gateway.ledger().values() for low, high in row["stored"])


def holds(gateway: Gateway, influx: Influx) -> None:
    """History and InfluxDB have each row of the table once, with its values and the flags of one pass."""
    expected = city()
    journal = Journal(gateway.data / "journal.sqlite")
    rows = History(journal, Archive(gateway.data / "archive", journal)).read(-EVER, EVER)
    names = np.array(rows.nodes)[rows.node].astype(int) - 101
    order = np.lexsort((names, rows.time))
    rows = rows.take(order)
    there = np.lexsort((expected.device.code, expected.time))
    assert rows.time.tolist() == expected.time[there].tolist()
    assert names[order].tolist() == expected.device.code[there].tolist()
    for name in ("pm25", "pm10"):
        np.testing.assert_array_equal(rows.columns[name].raw, expected.numbers[name][there])
    passed = evaluate(rows, load(gateway.network))
    for name in ("pm25", "pm10"):
        np.testing.assert_array_equal(rows.columns[name].flag, passed.columns[name].flag)
    points = influx.query_influxql("SELECT pm25_raw, pm25_flag FROM air GROUP BY node")
    found = {(p["time"] // SECOND, int(p["node"]) - 101): (p["pm25_raw"], p["pm25_flag"]) for p in points}
    assert len(points) == len(found) == len(expected)
    pm25 = rows.columns["pm25"]
    for at, (second, node) in enumerate(
        zip((rows.time // SECOND).tolist(), names[order].tolist(), strict=True)
    ):
        raw, flag = found[second, node]
        assert flag == pm25.flag[at]
        assert np.isnan(pm25.raw[at]) if raw is None else raw == pm25.raw[at]
    journal.close()


def averaged(gateway: Gateway, influx: Influx) -> None:
    """Each hour's mean in InfluxDB is that of its one row, where that is good; the others say 0 of 1."""
    journal = Journal(gateway.data / "journal.sqlite")
    rows = History(journal, Archive(gateway.data / "archive", journal)).read(-EVER, EVER)
    journal.close()
    pm25, names = rows.columns["pm25"], np.array(rows.nodes)[rows.node]
    good = np.where(pm25.flag == Flag.GOOD, pm25.raw, np.nan)
    told = zip(rows.time.tolist(), names.tolist(), good.tolist(), strict=True)
    want = {(time, node): (None, 0) if np.isnan(raw) else (raw, 1) for time, node, raw in told}

    def held() -> dict[tuple[int, str], tuple[float | None, int]]:
        points = influx.query_influxql("SELECT pm25_raw, pm25_n FROM air_1h GROUP BY node")
        return {(p["time"], p["node"]): (p["pm25_raw"], p["pm25_n"]) for p in points}

    wait_until(lambda: held() == want, 90, 0.5)


def whole(gateway: Gateway, report: dict[str, Any]) -> None:
    """The ledger has no gap, names nothing lost, and knows of no conflict."""
    assert report["complete"], report
    assert report["gateway"]["stored_samples"] == report["published"]["samples"] == len(city())
    assert report["gateway"]["conflicts"] == report["gateway"]["letters"] == 0
    assert all(not row["gaps"] and not row["lost"] for row in gateway.ledger().values())
    assert gateway.counted("conflicts") == gateway.counted("stage_failures") == 0


@pytest.mark.parametrize("clock", ["system", "data"])
def test_all_comes_through_whatever_dies(
    folder: Path, mosquitto: Mosquitto, influx: Influx, begin: Callable[..., Gateway], clock: str
) -> None:
    gateway = begin(mosquitto.port, "--clock", clock)
    playing = Replay(folder, mosquitto.port, gateway, 60_000)
    batches = len(city()) / PER_BATCH
    wait_until(lambda: stored(gateway) > batches / 10, 30, 0.05)
    gateway.kill()
    gateway.start()
    wait_until(lambda: stored(gateway) > batches / 5, 30, 0.05)
    influx.stop()
    wait_until(lambda: stored(gateway) > batches / 3, 30, 0.05)
    gateway.kill()
    mosquitto.kill()
    mosquitto.forget()
    mosquitto.start()
    gateway.start()
    wait_until(lambda: stored(gateway) > batches / 2, 30, 0.05)
    influx.start()
    gateway.kill()
    gateway.start()
    whole(gateway, playing.report())
    settled(gateway)
    holds(gateway, influx)


def test_killed_at_random_instants_while_it_archives(
    folder: Path, mosquitto: Mosquitto, influx: Influx, begin: Callable[..., Gateway]
) -> None:
    """Hours become files, are rewritten and released while rows of them still come."""
    random = np.random.default_rng(os.getpid())
    gateway = begin(mosquitto.port, "--archive-quiet", "0.5")
    playing = Replay(folder, mosquitto.port, gateway, 60_000)
    wait_until(lambda: stored(gateway) > 0, 30, 0.05)
    for _ in range(8):
        time.sleep(random.uniform(0.05, 2.0))  # an instant that no condition chose
        gateway.kill()
        gateway.start()
    whole(gateway, playing.report())
    wait_until(lambda: gateway.counted("archive_files") > 0, 30, 0.1)
    gateway.kill()
    gateway.start()
    settled(gateway)
    holds(gateway, influx)
    averaged(gateway, influx)


def settled(gateway: Gateway) -> None:
    """Wait until no row waits for its flags and InfluxDB has every block."""
    journal = Journal(gateway.data / "journal.sqlite")
    wait_until(lambda: not journal.late() and not journal.untimed(), 40, 0.1)
    wait_until(lambda: journal.cursor("influx") >= newest_of_influx(journal), 30, 0.1)
    journal.close()


def newest_of_influx(journal: Journal) -> int:
    """The newest block that goes to InfluxDB."""
    return max((*journal.heads("readings", 1), *journal.heads("revision", 1)))


def test_all_comes_through_the_embedded_broker(
    folder: Path, nats: NatsServer, influx: Influx, begin: Callable[..., Gateway]
) -> None:
    """NATS in the place of Mosquitto: the gateway killed once, the broker killed and its store deleted."""
    gateway = begin(nats.port)
    playing = Replay(folder, nats.port, gateway, 60_000)
    batches = len(city()) / PER_BATCH
    wait_until(lambda: stored(gateway) > batches / 6, 30, 0.05)
    gateway.kill()
    gateway.start()
    wait_until(lambda: stored(gateway) > batches / 3, 30, 0.05)
    nats.kill()
    nats.forget()
    nats.start()
    whole(gateway, playing.report())
    settled(gateway)
    holds(gateway, influx)
