"""The virtual world of a network: weather, schools, sensors, wires, and the clock that they all run on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from edge.network import Network, in_force
from gateway.world import sensirion as scd4x
from gateway.world import sht4x
from gateway.world.air import Air
from gateway.world.bus import Chip, I2c, Output, Port
from gateway.world.nova import Sds011
from gateway.world.pace import Pace
from gateway.world.people import mood
from gateway.world.plantower import Pms5003
from gateway.world.school import SCENARIOS, Exposure, Machine, School
from gateway.world.sensing import DAY, Fault, Sense
from gateway.world.sps30 import Core, Sps30Uart
from gateway.world.weather import Episode, Weather, overlaid
from gateway.world.wiring import Wiring

STEP = 10.0
"""Simulated seconds of one step of the physics; exact at any length, but people and levels stand still."""
BEFORE, COARSE = 12 * 3600.0, 300.0
"""Simulated seconds lived through before the start, and their step."""
SECOND = 1_000_000_000
UARTS: dict[str, Callable[[Sense], Port]] = {
    "pms5003": lambda sense: Pms5003(sense.words),
    "pms7003": lambda sense: Pms5003(sense.words),
    "sds011": lambda sense: Sds011(sense.dust),
    "sps30": lambda sense: Sps30Uart(Core(sense.cloud)),
}
"""The virtual sensor of each type that hangs on a UART."""
SCD = (scd4x.ADDRESS, lambda sense: scd4x.Scd4x(sense.gas, int(mood(0, "serial", sense.serial) * 2**48)))
SHT = (sht4x.ADDRESS, lambda sense: sht4x.Sht4x(sense.climate))
I2CS: dict[str, tuple[int, Callable[[Sense], Chip]]] = {
    **dict.fromkeys(("scd4x", "scd40", "scd41"), SCD),
    **dict.fromkeys(("sht4x", "sht40", "sht41", "sht45"), SHT),
}
"""Address and virtual sensor of each type that hangs on the node's I2C bus."""
WIRED = dict.fromkeys(UARTS, "uart") | dict.fromkeys(I2CS, "i2c")
"""Which bus a type of sensor hangs on."""


class Outdoors(Protocol):
    """Where outdoor air comes from: `Weather` or `Recorded`."""

    def at(self, time: float) -> Air:
        """The air at `time` [simulated UTC s]."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A sensor of a node and the bus that its board has it on."""

    type: str
    serial: str
    bus: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of it: exposure by (site, room) and scenario, turns and energy [kWh] by actuator."""

    hours: float
    exposures: Mapping[tuple[str, str], Mapping[str, Exposure]]
    turns: Mapping[str, int]
    energy: Mapping[str, float]


def wired(network: Network, node: str, time: float) -> tuple[Wired, ...]:
    """The sensors of a node at `time` [UTC s] that a board can be wired to: UARTs counted up, one I2C bus."""
    fitted = in_force(network.nodes[node].fitted, int(time * SECOND))
    buses: dict[str, int] = {}
    found = []
    for kind, serial in fitted.sensors if fitted else ():
        bus = WIRED.get(kind)
        if bus:
            buses[bus] = buses.get(bus, 0) + 1 if bus == "uart" else 1
            found.append(Wired(kind, serial, f"{bus}{buses[bus]}"))
    return tuple(found)


class World:
    """A running world; see the package's docstring. What changes it runs in the thread of its wiring."""

    def __init__(
        self,
        network: Network,
        *,
        start: float,
        seed: int = 1,
        speed: float = 60.0,
        weather: Outdoors | None = None,
        episodes: tuple[Episode, ...] = (),
        faults: Iterable[Fault] = (),
        filter_hours: Mapping[str, float] | None = None,
        step: float = STEP,
    ) -> None:
        self.network, self.seed, self.speed = network, seed, speed
        self.weather, self.episodes = weather or Weather(seed, start - 2 * DAY), episodes
        self.faults = tuple(faults)
        self.machines = {name: Machine(actuator) for name, actuator in network.actuators.items()}
        self._filter_hours = filter_hours or {}
        self.begun, self._time, self._step = start, start, step
        self._pace = Pace(start, speed)
        self._ports: dict[tuple[str, str], Port] = {}
        """By bus and device; `_plugged` by bus and serial, so that a swapped sensor is another one."""
        self._plugged: dict[tuple[str, str], Port] = {}
        self._senses: dict[str, Sense] = {}
        self.schools = {name: self._school(name) for name, site in network.sites.items() if site.rooms}
        self.wiring = Wiring(self._pace, self._attach, self._tick)

    def start(self, port: int = 0) -> int:
        """Live through the night before, then run from the start time on; returns the port of the wiring."""
        self.settle()
        self._pace = Pace(self.begun, self.speed)
        self.wiring = Wiring(self._pace, self._attach, self._tick)
        return self.wiring.start(port)

    def stop(self) -> None:
        """Cut every wire and end the thread; what was lived through stays readable."""
        self.wiring.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def settle(self) -> None:
        """Bring every room to the state it has at the start time, with all machines off."""
        for name, school in self.schools.items():
            time = self.begun - BEFORE
            school.settle(self.outdoors(name, time))
            while time < self.begun:
                school.advance(time, COARSE / 3600, self.outdoors(name, time))
                time += COARSE
            school.counts = np.zeros_like(school.counts)
        for name, machine in self.machines.items():
            machine.filter_hours, machine.energy = self._filter_hours.get(name, 0.0), 0.0

    def live(self, until: float) -> None:
        """Run the physics to `until` [simulated UTC s], as fast as it goes, where no thread does."""
        while self._time + self._step <= until:
            for name, school in self.schools.items():
                school.advance(self._time, self._step / 3600, self.outdoors(name, self._time))
            self._time += self._step

    def now(self) -> float:
        """Simulated UTC [s since 1970] while it runs."""
        return self._pace.now()

    def second(self) -> int:
        """What `{root}/time` has to say now: whole UTC seconds."""
        return int(self.now())

    def air(self, site: str, room: str = "", scenario: str = "commanded") -> Air:
        """The true air that people of a room breathe now; outdoors where `room` is empty."""
        return self.schools[site].air(room, scenario) if room else self.outdoors(site, self._time)

    def outdoors(self, site: str, time: float) -> Air:
        """The regional air as it is at that site: some per cent more or less dust than the next one has."""
        air, phase = overlaid(self.weather.at(time), self.episodes, time), 6.3 * mood(self.seed, site)
        local = float(np.exp(0.10 * np.sin(time / 5200 + phase) + 0.05 * np.sin(time / 1300 + 2 * phase)))
        return Air(local * air.pm1, local * air.pm25, local * air.pm10, air.co2, air.temp, air.rh)

    def level(self, actuator: str) -> int:
        """The level at which an actuator runs now."""
        return self.machines[actuator].level

    def press(self, actuator: str) -> None:
        """Press the button on an actuator whose wire is connected."""
        port = self._ports.get(("gpio", actuator))
        if isinstance(port, Output):
            self.wiring.call(port.press)

    def sense(self, serial: str, node: str) -> Sense:
        """The sensor of that serial, seeing the air where its node stands."""
        if serial not in self._senses:
            born = self.begun - 400 * DAY * mood(self.seed, "born", serial)
            faults = tuple(fault for fault in self.faults if fault.serial == serial)
            self._senses[serial] = Sense(self.seed, serial, lambda: self._at(node), born, faults)
        return self._senses[serial]

    def summary(self) -> Summary:
        """What became of it so far."""
        rooms = [(site, room) for site, school in self.schools.items() for room in school.site.rooms]
        exposures = {
            (site, room): {scenario: self.schools[site].exposure(room, scenario) for scenario in SCENARIOS}
            for site, room in rooms
        }
        turns = {name: machine.turns for name, machine in self.machines.items()}
        energy = {name: machine.energy for name, machine in self.machines.items()}
        return Summary((self._time - self.begun) / 3600, exposures, turns, energy)

    def _school(self, site: str) -> School:
        machines = {name: machine for name, machine in self.machines.items() if machine.actuator.site == site}
        return School(self.network.sites[site], machines, self.seed)

    def _tick(self, now: float) -> float:
        self.live(now)
        return self._time + self._step

    def _at(self, node: str) -> Air:
        place = self.network.placed(node, int(self._time * SECOND))
        if place is None:
            return self.weather.at(self._time)
        return self.air(place.site, place.room)

    def _attach(self, bus: str, device: str) -> Port | None:
        port = self._output(device) if bus == "gpio" else self._sensors(bus, device)
        if port is not None:
            self._ports[bus, device] = port
        return port

    def _output(self, device: str) -> Port | None:
        machine = self.machines.get(device)
        known = self._ports.get(("gpio", device))
        return known or (Output(lambda level, now: machine.turn(level)) if machine else None)

    def _sensors(self, bus: str, device: str) -> Port | None:
        fitted = wired(self.network, device, self._time) if device in self.network.nodes else ()
        parts = [part for part in fitted if part.bus == bus]
        if not parts:
            return None
        serials = " ".join(part.serial for part in parts)
        known = self._plugged.get((bus, serials))
        if known is None:
            known = self._plugged[bus, serials] = self._plug(parts, device)
        return known

    def _plug(self, parts: Sequence[Wired], device: str) -> Port:
        if parts[0].type in UARTS:
            return UARTS[parts[0].type](self.sense(parts[0].serial, device))
        chips = {I2CS[part.type][0]: I2CS[part.type][1](self.sense(part.serial, device)) for part in parts}
        return I2c(chips)
