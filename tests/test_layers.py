"""The shape of the code: who may import what, and what the linters say."""

import ast
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Programs of MicroPython: they share bytes with the host, not code.
DEVICE = ("firmware/node", "firmware/actuator", "firmware/lib", "firmware/sim")
HOST = ("edge", "gateway", "firmware", "dashboards")
# One third-party I/O library, one importing module (pyarrow: tables, the packed block, the archive;
# msgspec does no I/O: in edge it reads what devices send, in the gateway it is the JSON of everyone).
IMPORTERS = {
    # the virtual nodes of the world are MQTT clients of their own
    "tomlkit": {"gateway/calibration_entry.py"},
    "paho": {"gateway/receive.py", "gateway/publish.py", "gateway/world/link.py"},
    "influxdb_client": {"gateway/influx.py"},
    "sqlite3": {"gateway/journal.py"},
    "pyarrow": {"gateway/table.py", "gateway/archive.py", "gateway/pack.py"},
    "prometheus_client": {"gateway/metrics.py"},
    "msgspec": {"edge/wire.py", "edge/report.py", "edge/dialect/speech.py", "gateway"},
    "fastapi": {"gateway/console"},
    "uvicorn": {"gateway/console"},
    "grafana_api": {"dashboards"},
    "serial": {"firmware/toolkit"},
    # influx: only the errors that influxdb-client lets through; influx1: influxdb-client can't delete there
    "urllib3": {"gateway/influx.py", "gateway/influx1.py", "gateway/reference/transport.py"},
    "cryptography": {"firmware/toolkit/authority.py"},
}
# What edge may import beside itself and the pure part of the standard library.
EDGE = {"edge", "numpy", "msgspec", "sklearn", "lightgbm", "threadpoolctl"}
LONGEST_FUNCTION = 40


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if not str(path.relative_to(ROOT)).startswith(DEVICE)]


def imports(path: Path) -> Iterator[str]:
    """The top-level names of the packages that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def test_one_module_imports_each_library() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}, which belongs to {', '.join(sorted(IMPORTERS[name]))}"
        for path in sources(*HOST)
        for name in set(imports(path)) & set(IMPORTERS)
        if not any(path.is_relative_to(ROOT / owner) for owner in IMPORTERS[name])
    ]
    assert not wrong, "\n".join(wrong)


def test_edge_imports_no_library_but_numpy_and_msgspec() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("edge")
        for name in set(imports(path)) - EDGE - sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_fit_a_page() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines(node)} lines"
        for path in sources(*HOST)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines(node) > LONGEST_FUNCTION
    ]
    assert not wrong, "\n".join(wrong)


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize(
    "command",
    ["ruff check .", "ruff format --check .", "mypy", "lint-imports --no-cache"],
    ids=["ruff", "format", "mypy", "imports"],
)
def test_linter(command: str) -> None:
    program, *arguments = command.split()
    path = Path(sysconfig.get_path("scripts")) / program
    done = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
