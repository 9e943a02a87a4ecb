"""The nodes and actuators of a virtual school as MicroPython processes with the real firmware."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from gateway.world import compiled, guard
from gateway.world.configuration import Brokers, DeviceError, configuration, everything
from gateway.world.virtual import VirtualDevices
from gateway.world.world import World

log = structlog.get_logger(__name__)
HEAP = "128k"
"""The heap of an ESP32."""
STOP_S = 5.0


def micropython() -> str | None:
    """The MicroPython to run: GONGI_MICROPYTHON, else this environment's, else the PATH's; or None."""
    if named := os.environ.get("GONGI_MICROPYTHON"):
        return shutil.which(named)
    return shutil.which("micropython", path=sysconfig.get_path("scripts")) or shutil.which("micropython")


def devices(world: World, folder: Path, brokers: Brokers) -> "Devices | VirtualDevices":
    """All devices of a world: the firmware where there is MicroPython, else Python's, which one line says."""
    if micropython() and (compiled.SOURCE / compiled.MAIN).exists():
        return Devices(world, folder, brokers)
    log.warning("No MicroPython here: the nodes are virtual ones in Python", advice="apt install micropython")
    return VirtualDevices(world, brokers)


class Devices:
    """One MicroPython process for each of `names` (default: every node placed and every `gongi` actuator).

    Configurations, flash images and logs (`ID.json`, `ID.flash`, `ID.log`) stand in `folder`; the flash
    outlives a device as a board's does. All end with this process, however it ends. Raises `DeviceError`.
    """

    def __init__(
        self, world: World, folder: Path, brokers: Brokers, names: Sequence[str] | None = None
    ) -> None:
        self.world, self.folder, self.brokers = world, folder.resolve(), brokers
        self.names = tuple(names if names is not None else everything(world))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._main = Path()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Switch every device on; the world must be running."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._main = compiled.main()
        for name in self.names:
            self.switch_on(name)

    def stop(self) -> None:
        """End every device, then the guard."""
        for process in self._processes.values():
            process.terminate()
        for name in tuple(self._processes):
            self._reap(name)
        if self._guard:
            self._guard.communicate(timeout=STOP_S)
            self._guard = None

    def switch_on(self, name: str) -> None:
        """Start a device that isn't running, with the flash that it had."""
        if self.alive(name):
            return
        program = micropython()
        if program is None:
            raise DeviceError(
                "there is no MicroPython", advice="apt install micropython, or GONGI_MICROPYTHON=…"
            )
        config = self.folder / f"{name}.json"
        config.write_text(json.dumps(self._configuration(name)), encoding="utf-8")
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [program, "-X", f"heapsize={HEAP}", str(self._main), str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the terminal is ours to handle
            )
        self._tell_guard(f"+{self._processes[name].pid}")

    def kill(self, name: str) -> None:
        """Cut a device's power at this instant (SIGKILL)."""
        if name in self._processes:
            self._processes[name].kill()
            self._reap(name)

    def restart(self, name: str) -> None:
        """Cut a device's power and give it back."""
        self.kill(name)
        self.switch_on(name)

    def erase(self, name: str) -> None:
        """Cut a device's power and erase its flash: what comes next is a new board with a new log."""
        self.kill(name)
        self.flash(name).unlink(missing_ok=True)

    def flash(self, name: str) -> Path:
        """The image of a device's flash."""
        return self.folder / f"{name}.flash"

    def pid(self, name: str) -> int:
        """The process of a running device."""
        return self._processes[name].pid

    def alive(self, name: str) -> bool:
        """Whether a device runs."""
        return name in self._processes and self._processes[name].poll() is None

    @property
    def dead(self) -> tuple[str, ...]:
        """The devices that don't run; their logs say why."""
        return tuple(name for name in self.names if not self.alive(name))

    def _configuration(self, name: str) -> dict[str, Any]:
        return configuration(self.world, name, self.brokers, self.world.wiring.port, self.flash(name))

    def _reap(self, name: str) -> None:
        process = self._processes.pop(name)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._tell_guard(f"-{process.pid}")

    def _tell_guard(self, line: str) -> None:
        if self._guard is None:
            command = [sys.executable, "-I", str(Path(guard.__file__))]
            self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        if self._guard.stdin:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
