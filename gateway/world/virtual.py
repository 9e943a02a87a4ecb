"""Nodes and actuators in Python, where no MicroPython can be had, and for more of them than processes fit.

They speak the same wire as the firmware, in one thread for all, but they are not the firmware: sensors are
asked for numbers, not bytes; the spool is memory; an actuator whose command has expired goes straight to its
safe level. What the firmware promises is not tested by them.
"""

import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from gateway.world.configuration import Brokers, configuration, everything
from gateway.world.python_device import KINDS, Actuator, Device, Flash
from gateway.world.world import World

TURN = 0.05
"""The machine's seconds between two rounds of the thread."""


class VirtualDevices:
    """The same as `Devices`, in Python and in one thread: for thousands of nodes, or without MicroPython."""

    def __init__(self, world: World, brokers: Brokers, names: Sequence[str] | None = None) -> None:
        self.world, self.brokers = world, brokers
        self.names = tuple(names if names is not None else everything(world))
        self._flashes: dict[str, Flash] = {}
        self._on: dict[str, Device] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="virtual devices", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Switch every device on; the world must be running."""
        for name in self.names:
            self.switch_on(name)
        self._thread.start()

    def stop(self) -> None:
        """Cut every device's power and wait for the thread."""
        self._stopping.set()
        if self._thread.ident is not None:  # a start that was interrupted may not have come so far
            self._thread.join(timeout=10)

    def switch_on(self, name: str) -> None:
        """Start a device that isn't running, with the memory that it had."""
        self._jobs.append(lambda: self._power(name))

    def kill(self, name: str) -> None:
        """Cut a device's power: its connection breaks without a word."""
        self._jobs.append(lambda: self._cut(name))

    def restart(self, name: str) -> None:
        """Cut a device's power and give it back."""
        self.kill(name)
        self.switch_on(name)

    def erase(self, name: str) -> None:
        """Cut a device's power and forget its memory: what comes next has a new log."""
        self.kill(name)
        self._jobs.append(lambda: self._forget(name))

    @property
    def dead(self) -> tuple[str, ...]:
        """The devices that are switched off."""
        return tuple(name for name in self.names if name not in self._on)

    def _run(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            while not self._stopping.is_set():
                self._turn()
            for name in tuple(self._on):
                self._cut(name)

    def _turn(self) -> None:
        while self._jobs:
            self._jobs.popleft()()
        for device in self._on.values():
            device.link.turn()
            device.live()
        until = time.monotonic() + TURN
        while (left := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                key.data()

    def _power(self, name: str) -> None:
        if name not in self._on:
            config = configuration(self.world, name, self.brokers, 0, None)
            flash = self._flashes.setdefault(name, Flash())
            device = self._on[name] = KINDS[config["kind"]](self.world, config, self.brokers, flash)
            device.link.watch(self._selector)

    def _cut(self, name: str) -> None:
        device = self._on.pop(name, None)
        if device:
            device.link.cut(self._selector)
        if isinstance(device, Actuator):
            self.world.wiring.call(lambda: self.world.machines[name].turn(0))

    def _forget(self, name: str) -> None:
        self._flashes.pop(name, None)
