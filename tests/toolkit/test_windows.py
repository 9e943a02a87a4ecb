"""The way to a flashed board imports nothing that Windows lacks."""

import subprocess
import sys
from pathlib import Path

BLOCKED = ("fcntl", "termios", "pty", "pwd", "grp", "resource", "tty")
PROGRAM = f"""
import sys, types
for name in {BLOCKED!r}:
    sys.modules[name] = None
import pkgutil, firmware.toolkit
for module in pkgutil.iter_modules(firmware.toolkit.__path__):
    __import__("firmware.toolkit." + module.name)
import gateway.command.flash
from gateway.command import main

def call(*arguments):
    try:
        main(["flash", "--node", "3-2-a", "--site", "hana", "--no-wait", *arguments])
    except SystemExit as end:
        print(end.code)
"""
# pyserial's own Windows side can't be had here; what it would list can.
PORTS = """
usb = {"serial_number": None, "location": None}
found = [
    types.SimpleNamespace(device=name, vid=vid, pid=pid, **usb)
    for name, vid, pid in (("COM4", 0x10C4, 0xEA60), ("COM12", 0x1A86, 0x7523), ("COM1", None, None))
]
for name in ("serial", "serial.tools", "serial.tools.list_ports"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["serial.tools"].list_ports = types.SimpleNamespace(comports=lambda: found)
SENSOR = ("--sensor", "scd4x:S-1")
"""
WIFI = '[[network]]\nssid = "school"\npassword = "chalk and slate"\n[[broker]]\nhost = "b"\nport = 1883\n'


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in an empty folder."""
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_imports_without_posix(tmp_path: Path) -> None:
    loaded = "print([name for name in sys.modules if name.startswith('esp')])"
    done = run(f"{PROGRAM}\ncall()\n{loaded}", tmp_path)
    assert done.stdout == "1\n[]\n", f"esptool is a program, and never imported: {done.stderr}"
    assert "wifi.toml: there is no such file" in done.stderr


def test_it_goes_without_posix_as_far_as_the_ports(tmp_path: Path) -> None:
    """Settings, secrets, the compiled application and the choice of a port, with `SENSOR` on a board."""
    (tmp_path / "wifi.toml").write_text(WIFI)
    done = run(f"{PROGRAM}{PORTS}\ncall(*SENSOR)\ncall(*SENSOR, '--port', 'com9')", tmp_path)
    assert done.stdout == "1\n1\n", done.stderr
    assert "2 boards are connected: COM12 (CH340), COM4 (CP2102/CP2104)" in done.stderr
    assert "com9: there is no such port\n  there is: COM12, COM4" in done.stderr
    assert (tmp_path / "secrets").is_dir()
