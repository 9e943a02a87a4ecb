"""The way to a flashed board imports nothing that Windows lacks."""

import subprocess
import sys

BLOCKED = ("fcntl", "termios", "pty", "pwd", "grp", "resource", "tty")
PROGRAM = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
import pkgutil, firmware.toolkit
for module in pkgutil.iter_modules(firmware.toolkit.__path__):
    __import__("firmware.toolkit." + module.name)
import gateway.command.flash
from gateway.command import main
try:
    main(["flash", "--node", "3-2-a", "--site", "hana", "--wifi", "nowhere.toml"])
except SystemExit as end:
    print(end.code)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_it_imports_without_posix() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "1\n", done.stderr
    assert "nowhere.toml: there is no such file" in done.stderr


def test_esptool_is_a_program_and_never_imported() -> None:
    program = PROGRAM + "\nprint([name for name in sys.modules if name.startswith('esp')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
