"""A node's own forecast: on the same history it says what the gateway would, to the last integer."""

import json
import random
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge.predict.feature import MISSING, calendar, inputs, level, local
from edge.predict.infer import forecast
from edge.predict.model import Column, Form, Head, Kind, Model, ModelError, Role, Term
from edge.predict.ring import DEPTH, MINUTE, Ring, Rolling
from edge.readings import SECOND
from firmware.toolkit.foresight import calendar_of, installed
from gateway.world import compiled
from tests.cortex import Cortex
from tests.firmware.conftest import Start
from tests.firmware.workshop import ACTUATOR, NODE, Ear, Process, Wires
from tests.parts import need
from tests.servers import wait_until

T = 1_763_778_007
ZONE = "Asia/Seoul"
HOLIDAYS = frozenset({date(2025, 11, 22)})
COLUMNS = (("pm25", 10), ("temp", 100), ("co2", 1))
"""What the node measures; the model asks for more."""
WARN = -40

PROGRAM = """
import json, sys
sys.path[:0] = [{firmware!r}]
from lib.clock import Clock
from lib.ticks import Ticks
from lib.wire import text
from node.outlook import Outlook
class Node: pass
node = Node()
node.device = node.sensors = node.sampler = node
node.clock = node
node.dt, node.offset, node.columns = {dt}, None, {columns!r}
node.at = lambda up: None if node.offset is None else up + node.offset
node.said = []
node.publish = lambda leaf, facts: node.said.append(text(facts))
def run(path, rows):
    one = Outlook(node, path)
    for up, offset, row in rows:
        node.offset = offset
        one.take(up, row)
    print(json.dumps([one.model, one.unsaid]))
    for said in node.said:
        print(said.decode())
"""


def model() -> Model:
    """One with every kind of input, of what the node has and hasn't."""
    rng = random.Random(5)
    columns = (Column("pm25", 4), Column("outdoor", 4), Column("temp", 11), Column("co2", 1))
    terms = [Term(Kind.CLOCK, 0, which, 0, 0, 300, 8) for which in range(8)]
    for kind in (Kind.LEVEL, Kind.DELTA, Kind.GAP, Kind.TIMES):
        for column in range(4):
            first = rng.randrange(20)
            terms.append(Term(kind, column, first, first + rng.randrange(1, 90), 300, 700, 10))
    heads: list[Head] = []
    for horizon in (600, 1800, 3600):
        hidden = tuple(rng.randrange(-900, 900) for _ in range(6))
        heads.append(
            Head(Role.VALUE, horizon, Form.CHANGE, 12, 99, (2000, 9000), (-300, 400) * 3, hidden,
                 tuple(rng.randrange(-300, 300) for _ in terms))
        )  # fmt: skip
    heads.append(Head(Role.ONSET, 1800, 0, 10, -50, (WARN,), (), tuple(range(-3, 3)), (), (300, 20, 10)))
    weights = np.random.default_rng(3).integers(-60, 60, 6 * len(terms)).astype(np.int8).tobytes()
    biases = tuple(rng.randrange(-9000, 9000) for _ in range(6))
    return Model(columns, tuple(heads), tuple(terms), weights=weights, biases=biases, limit=35 << 8,
                 near=1280, factor=9, shift=6)  # fmt: skip


Row = tuple[int, int | None, list[int | None]]


def history(minutes: int, dt: int = 10) -> list[Row]:
    """Rows of a node: uptime, offset to UTC, values; some missing, some minutes silent."""
    rng = random.Random(7)
    rows: list[Row] = []
    for n in range(minutes * 60 // dt):
        up = dt * (n + 1)
        if 40 <= up // 60 < 43:
            continue
        row = [120 + n % 200 + rng.randrange(9), -150 + rng.randrange(900), 500 + n]
        rows.append((up, T - 5, [None if rng.random() < 0.05 else value for value in row]))
    return rows


def gateway(one: Model, rows: list[Row]) -> list[dict[str, Any]]:
    """What the gateway says at the end of each minute of these rows."""
    rings = {name: Ring() for name, _ in COLUMNS}
    for ring in rings.values():
        ring.grow(1)
    found = []
    for up, offset, row in rows:
        assert offset is not None
        second = up + offset
        for (name, scale), value in zip(COLUMNS, row, strict=True):
            if value is not None:
                rings[name].add(np.array([0]), np.array([second * SECOND]), np.array([value / scale]))
        if row[0] is not None and (second + 10) // 60 > second // 60:
            found.append(said(one, rings, second))
    return found


def said(one: Model, rings: dict[str, Ring], second: int) -> dict[str, Any]:
    minute = np.array([second * SECOND // MINUTE])
    none = np.full((1, DEPTH), np.nan)
    cells = [rings[c.name].cells(np.array([0]), minute) if c.name in rings else none for c in one.columns]
    clock = calendar(local(ZoneInfo(ZONE), minute * 60), HOLIDAYS)
    view = Rolling(cells, [c.bits for c in one.columns], clock)
    last = level(one.columns, one.now, view)
    assert last[0] != MISSING
    told = forecast(one, inputs(one.columns, one.terms, one.now, one.unit_s, view), last)
    assert told.logit is not None
    hundredths = [
        [(200 * int(v) + 256) >> 9 for v in part[0]] for part in (told.value, told.lower, told.upper)
    ]
    value, lower, upper = ([v / 100 for v in part] for part in hundredths)
    return {
        "issued": second, "ttl": 180, "model": one.id, "quantity": "pm25", "ahead": [600, 1800, 3600],
        "value": value, "lower": lower, "upper": upper, "warn": [None, bool(told.logit[0, 0] >= WARN), None],
    }  # fmt: skip


def test_it_says_the_same_on_a_cortex(tmp_path: Path) -> None:
    one, rows = model(), history(70)
    firmware = compiled.main().parents[1]
    files = installed(one.encode(), calendar_of(ZONE, HOLIDAYS, T))
    paths = [path for folder in ("lib", "node") for path in firmware.glob(f"{folder}/*.mpy")]
    files |= {f"firmware/{path.parent.name}/{path.name}": path.read_bytes() for path in paths}
    files["rows.json"] = json.dumps(rows).encode()
    with Cortex(need("cortex-m3")) as board:
        board.repl.copy(files, lambda share: None)
        board.restart()
        board.repl.run(program("/firmware"))
        said = board.repl.run("run('/model', json.load(open('/rows.json')))\n", 120)
    assert answer(said) == (one.id, 0, gateway(one, rows))
    assert len(answer(said)[2]) > 50


HEAP = "160k"
"""A model takes its memory on top; pointers are twice an ESP32's here."""

RISING = Model(
    (Column("pm25", 4), Column("outdoor", 4)),
    tuple(Head(Role.VALUE, s, Form.CHANGE, 0, (s // 60) << 8, (0, 0), (-100, 100) * 3) for s in (600, 1800)),
    near=1280,
)
"""In ten minutes ten µg/m³ more, in thirty minutes thirty."""


def carrying(micropython: str, folder: Path, one: Model) -> None:
    """Put a model on the flash of the next device to be started in `folder`."""
    folder.mkdir()
    (folder / "model").write_bytes(one.encode())
    script = Path(__file__).parent / "on_device" / "install.py"
    command = [micropython, str(script), str(folder / "flash.img"), str(folder / "model"), "/flash/model"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_its_rooms_actuator_starts_ahead_when_the_gateway_is_silent(
    ear: Ear,
    start: Start,
    wires: Wires,
    micropython: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Process, "heap", HEAP)
    carrying(micropython, tmp_path / "device-0", RISING)
    wires.pm25 = 12
    node = start(NODE)
    start(ACTUATOR)
    wait_until(lambda: ear.heard("forecast"))
    said = ear.heard("forecast")[-1]
    assert said["model"] == RISING.id
    assert (said["issued"], said["ttl"], said["value"]) == (None, 180, [22, 42])
    wait_until(lambda: ear.heard("state", "hana/p-1")[-1]["level"] == 3)
    assert ear.heard("state", "hana/p-1")[-1]["cause"] == "fallback"
    ear.time(T)
    wait_until(lambda: ear.heard("forecast")[-1]["issued"])
    assert T <= ear.heard("forecast")[-1]["issued"] < T + 3600
    assert (ear.heard("forecast")[-1]["issued"] + 10) % 60 < 10
    wait_until(lambda: ear.heard("info")[-1]["up"] > 590, 20)
    found = ear.heard("info")[-1]
    assert (found["model"], found["unsaid"]) == (RISING.id, 0)
    print(f"free of {HEAP}: {found['heap']}")
    node.kill()
    wait_until(lambda: ear.heard("state", "hana/p-1")[-1]["cause"] == "safe")


def test_a_file_that_is_no_model_is_said_and_harms_nothing(
    ear: Ear, start: Start, micropython: str, tmp_path: Path
) -> None:
    carrying(micropython, tmp_path / "device-0", replace(RISING, unit_s=3600))
    start(NODE)
    wait_until(lambda: ear.heard("info") and len(ear.heard("obs")) >= 2)
    assert ear.heard("info")[-1]["model"] == "not for minutes of a room"
    assert not ear.heard("forecast")


def program(firmware: str, dt: int = 10) -> str:
    return PROGRAM.format(firmware=firmware, dt=dt, columns=COLUMNS)


Told = tuple[str, int, list[dict[str, Any]]]


def told(micropython: str, folder: Path, rows: object, files: dict[str, bytes]) -> Told:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "rows.json").write_text(json.dumps(rows))
    text = program(str(compiled.main().parents[1]))
    text += f"run({str(folder / 'model')!r}, json.load(open({str(folder / 'rows.json')!r})))\n"
    (folder / "ask.py").write_text(text)
    done = subprocess.run([micropython, str(folder / "ask.py")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return answer(done.stdout)


def answer(printed: str) -> Told:
    """The model's id, how many forecasts failed, and those that were said."""
    first, *said = map(json.loads, printed.splitlines())
    return first[0], first[1], said


def test_it_says_what_the_gateway_says_of_the_same_history(micropython: str, tmp_path: Path) -> None:
    one, rows = model(), history(150)
    files = installed(one.encode(), calendar_of(ZONE, HOLIDAYS, T))
    name, unsaid, found = told(micropython, tmp_path, rows, files)
    assert (name, unsaid) == (one.id, 0)
    expected = gateway(one, rows)
    assert len(expected) > 120
    assert found == expected
    assert len({tuple(one["value"]) for one in found}) > 100
    assert {one["warn"][1] for one in found} == {True, False}


def test_the_calendar_knows_summer_time_and_the_holidays_to_come() -> None:
    found = calendar_of("Europe/Berlin", {date(2025, 12, 25), date(2020, 1, 1)}, T)
    zone = found["zone"]
    assert isinstance(zone, list)
    assert [ahead for _, ahead in zone] == [3600, 7200, 3600, 7200, 3600]
    assert zone[1][0] == 1_774_746_000
    assert found["rest"] == [(date(2025, 12, 25) - date(1970, 1, 1)).days]


def test_a_model_of_stations_is_not_for_a_node() -> None:
    with pytest.raises(ModelError, match="steps of 3600 s"):
        installed(replace(RISING, unit_s=3600).encode())
    assert installed(RISING.encode()) == {"model": RISING.encode()}
