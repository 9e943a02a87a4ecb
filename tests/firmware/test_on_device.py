"""What runs on MicroPython itself: each script is executed there, with the heap that it needs."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "on_device"


@pytest.mark.parametrize(
    "script",
    [
        "booting",
        "caring",
        "controlling",
        "drivers",
        "joining",
        "keeping",
        "saying",
        "sending",
        "timing",
        "turning",
        "updating",
    ],
)
def test_on_micropython(micropython: str, script: str) -> None:
    command = [micropython, "-X", "heapsize=4m", str(HERE / "run.py"), script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    passed, failed = (int(word) for word in done.stdout.splitlines()[-1].split()[1::2])
    assert passed >= (HERE / f"{script}.py").read_text().count("\ndef test_") > 0
    assert failed == 0


def test_a_wrong_assertion_fails(micropython: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    (tmp_path / "run.py").write_text((HERE / "run.py").read_text())
    done = subprocess.run([micropython, str(tmp_path / "run.py"), "wrong"], capture_output=True, timeout=60)
    assert done.returncode == 1
