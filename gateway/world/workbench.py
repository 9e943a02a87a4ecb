"""A workbench for firmware: a device that connects finds a PMS5003 on every UART, an SCD4x on every I2C bus.

`python -m gateway.world.workbench --port 7000 --speed 60` serves known, steady air until Ctrl-C and prints
every level that an actuator turns to. Tests use `Workbench` and change its `words` and `gas` themselves.
"""

import argparse
import time
from dataclasses import dataclass, field

from gateway.world.bus import I2c, Output, Port
from gateway.world.pace import Pace
from gateway.world.plantower import Pms5003, Words
from gateway.world.sensirion import ADDRESS, Gas, Scd4x
from gateway.world.wiring import Wiring

WORDS: Words = (0, 8, 8, 0, 8, 8, 210, 70, 45, 30, 0, 0)
"""The words of a recorded frame."""


@dataclass(slots=True)
class Workbench:
    """Known air for any device: `words` for every PMS5003, `gas` for every SCD4x (None: silent).

    `ports` holds what stands at each (bus, device) wire, `levels` each actuator's turns as (time, level).
    """

    words: Words | None = WORDS
    gas: Gas | None = (612.0, 21.5, 43.0)
    ports: dict[tuple[str, str], Port] = field(default_factory=dict)
    levels: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    loud: bool = False

    def wiring(self, start: float | None = None, speed: float = 1.0) -> Wiring:
        """A wiring server of this bench that runs from `start` [simulated UTC s; default: now]."""
        pace = Pace(time.time() if start is None else start, speed)
        return Wiring(pace, self.attach, lambda now: float("inf"))

    def attach(self, bus: str, device: str) -> Port | None:
        """The port of a wire; made when first asked for."""
        made = next((make for name, make in _PORTS.items() if bus.startswith(name)), None)
        if made and (bus, device) not in self.ports:
            self.ports[bus, device] = made(self, device)
        return self.ports.get((bus, device))

    def _uart(self, device: str) -> Port:
        return Pms5003(lambda now, awake: self.words)

    def _i2c(self, device: str) -> Port:
        return I2c({ADDRESS: Scd4x(lambda now: self.gas)})

    def _gpio(self, device: str) -> Port:
        turns = self.levels.setdefault(device, [])
        return Output(lambda level, now: self._turned(device, turns, level, now))

    def _turned(self, device: str, turns: list[tuple[float, int]], level: int, now: float) -> None:
        turns.append((now, level))
        if self.loud:
            print(f"{now:.1f} {device} LEVEL {level}", flush=True)


_PORTS = {"uart": Workbench._uart, "i2c": Workbench._i2c, "gpio": Workbench._gpio}


def main() -> None:
    """Serve a bench until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--start", type=float, default=None, help="simulated UTC seconds; default: now")
    options = parser.parse_args()
    wiring = Workbench(loud=True).wiring(options.start, options.speed)
    print(f"wiring 127.0.0.1:{wiring.start(options.port)}", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        wiring.stop()


if __name__ == "__main__":
    main()
