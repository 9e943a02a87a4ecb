"""The firmware's types against MicroPython's own stubs, port by port."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import need

FIRMWARE = Path(__file__).parents[2] / "firmware"
PORTS = {
    "esp32": ("lib", "node", "actuator", "esp32", "boot"),
    "unix": ("lib", "node", "actuator", "boot", "sim"),
}


def readable(text: str) -> str:
    """A module as a type checker reads it: MicroPython has no `Any`, so the sources say `object`."""
    lines = re.sub(r"(?<=[:>] )object\b", "Any", text).splitlines()
    # On the docstring's last line, so that all lines keep their numbers.
    lines[(ast.parse(text).body[0].end_lineno or 1) - 1] += "; from typing import Any"
    return "\n".join(lines) + "\n"


def findings(folder: Path, port: str) -> list[str]:
    """What mypy says of the port's modules; what it says of the stubs is theirs."""
    stubs = need(f"{port}-stubs")
    for name in PORTS[port]:
        (folder / name).mkdir(parents=True)
        for source in (FIRMWARE / name).glob("*.py"):
            (folder / name / source.name).write_text(readable(source.read_text()))
    path = ":".join([stubs, "esp32", "boot", "."])
    command = [sys.executable, "-m", "mypy", "--config-file=", "--custom-typeshed-dir", stubs]
    command += ["--no-site-packages", "--explicit-package-bases", "--no-error-summary"]
    command += ["--warn-unused-ignores", *PORTS[port]]
    env = {"MYPYPATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=170)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("/") and ": error:" in line]


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    text = '"""A module."""\n\nimport machine\n\n\ndef f(x: object) -> int:\n    return machine.Pin(x)\n'
    assert readable(text).splitlines()[5] == "def f(x: Any) -> int:"
    (tmp_path / "lib" / "wrong.py").write_text(readable(text))
    command = [sys.executable, "-m", "mypy", "--config-file=", "--custom-typeshed-dir", need("esp32-stubs")]
    env = {"MYPYPATH": need("esp32-stubs")}
    done = subprocess.run(
        [*command, "lib"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=170
    )
    assert "lib/wrong.py:7: error:" in done.stdout


@pytest.mark.parametrize("port", PORTS)
def test_types(port: str, tmp_path: Path) -> None:
    assert findings(tmp_path / "firmware", port) == []
