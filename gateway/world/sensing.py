"""From true air to what cheap sensors say of it: gain of the serial, water, noise, drift, faults."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gateway.world.air import Air, Floats, growth
from gateway.world.people import mood
from gateway.world.plantower import Words
from gateway.world.sensirion import Gas

KAPPA = 0.25
"""Hygroscopicity of the particles in the sensor's eyes."""
WARMER = 2.0
"""How much warmer than the room the inside of a node is [°C]: it dries the particles a little."""
DRIER = 0.94
"""What is left of the relative humidity for each degree of that."""
WARM_UP = 12.0
"""Seconds in which the fan comes up to its speed."""
NUMBERS = np.array([[150, 0, 0], [50, 0, 0], [0, 6, 0], [0, 0, 0.2], [0, 0, 0.1], [0, 0, 0.02]])
"""Particles of 0.3–0.5, 0.5–1, 1–2.5, 2.5–5, 5–10, > 10 µm [1/0.1 L] (rows) for each µg/m³ of PM1, PM1–2.5,
PM2.5–10 (columns)."""
DRAWN = 4093
"""Length of a serial's table of noise (a prime)."""
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Character:
    """What a serial was born with: gain, gain on coarse dust, offset [µg/m³], share of noise, drift [1/year];
    of a gas sensor: offsets of CO2 [ppm], temperature [°C], humidity [%]."""

    gain: float
    coarse: float
    offset: float
    noise: float
    drift: float
    co2: float
    temp: float
    rh: float


def character(seed: int, serial: str) -> Character:
    """The same for the same seed and serial, in any order and on any machine."""
    random = np.random.default_rng([seed, int(mood(seed, serial) * 2**48)])
    z = random.standard_normal(8)
    return Character(
        gain=float(1.35 * np.exp(0.09 * z[0])),
        coarse=float(0.45 * np.exp(0.20 * z[1])),
        offset=float(0.8 * z[2]),
        noise=float(0.03 * np.exp(0.3 * z[3])),
        drift=float(-0.04 + 0.03 * z[4]),
        co2=float(22.0 * z[5]),
        temp=float(0.4 * z[6]),
        rh=float(2.0 * z[7]),
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """What a serial suffers from `since` until `until` [UTC s]: `stuck`, `spikes`, `silent` or `dying`."""

    serial: str
    kind: str
    since: float
    until: float = float("inf")

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"{self.serial}: no fault {self.kind!r}; there are {', '.join(FAULTS)}")

    def acts(self, time: float) -> bool:
        """Whether it shows at `time`."""
        return self.since <= time < self.until


@dataclass(slots=True)
class Sense:
    """One sensor: `see` the air where it hangs, `born` [UTC s] when drift began; same time, same noise."""

    seed: int
    serial: str
    see: Callable[[], Air]
    born: float
    faults: tuple[Fault, ...] = ()
    character: Character = field(init=False)
    held: dict[Fault, Words] = field(default_factory=dict)
    """What it said when it stuck."""
    _noise: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.character = character(self.seed, self.serial)
        random = np.random.default_rng([self.seed, int(mood(self.seed, "noise", self.serial) * 2**48)])
        self._noise = random.standard_normal((DRAWN, 6))

    def words(self, time: float, awake: float) -> Words | None:
        """What a PMS5003 says at `time`, `awake` [s] after its fan started; None: nothing."""
        said = particles(self.see(), self.character, self._age(time), self._drawn(time))
        words: Words | None = tuple(int(word) for word in np.rint(said * min(awake / WARM_UP, 1.0)))
        for fault in self._acting(time):
            words = FAULTS[fault.kind](self, words, fault, time) if words else None
        return words

    def gas(self, time: float) -> Gas | None:
        """What an SCD4x says at `time`; None: nothing."""
        if any(fault.kind == "silent" for fault in self._acting(time)):
            return None
        air, own, noise = self.see(), self.character, self._drawn(time)
        co2 = air.co2 * (1 + own.drift * self._age(time)) + own.co2 + 6 * noise[0]
        rh = min(max(air.rh + own.rh + 0.15 * noise[2], 0.0), 100.0)
        return max(float(co2), 0.0), float(air.temp + own.temp + 0.03 * noise[1]), float(rh)

    def dust(self, time: float, awake: float) -> tuple[float, float] | None:
        """What an SDS011 says at `time`: PM2.5, PM10 [µg/m³]; None: nothing."""
        words = self.words(time, awake)
        return (words[1], words[2]) if words else None

    def cloud(self, time: float, awake: float) -> tuple[float, ...] | None:
        """What an SPS30 says at `time`: its masses, its numbers [1/cm³] up to a size, its typical size."""
        words = self.words(time, awake)
        if words is None:
            return None
        pm1, pm25, pm10 = (float(word) for word in words[:3])
        above = [count / 100 for count in words[6:]]
        upto = [above[0] - count for count in above[1:4]]
        pm4 = pm25 + 0.4 * (pm10 - pm25)
        return (pm1, pm25, pm4, pm10, *upto, above[0] - above[4] / 2, above[0] - above[5], 0.6)

    def climate(self, time: float) -> tuple[float, float] | None:
        """What an SHT4x says at `time`: temperature [°C], humidity [%]; None: nothing."""
        gas = self.gas(time)
        return (gas[1], gas[2]) if gas else None

    def _acting(self, time: float) -> list[Fault]:
        return [fault for fault in self.faults if fault.acts(time)]

    def _age(self, time: float) -> float:
        return (time - self.born) / (365 * DAY)

    def _drawn(self, time: float) -> Floats:
        """The noise of this second: hashed, so that it depends on nothing but seed, serial and time."""
        drawn: Floats = self._noise[(int(time) * 2_654_435_761 >> 7) % DRAWN]
        return drawn


def particles(air: Air, own: Character, years: float, noise: Floats) -> Floats:
    """(12,) what a Plantower would say in fractions: water is dust to it, coarse dust it misses."""
    wet = growth(air.rh * DRIER**WARMER, KAPPA) * own.gain * (1 + own.drift * years)
    sizes = np.array([air.pm1, air.pm25 - air.pm1, (air.pm10 - air.pm25) * own.coarse]) * wet
    sizes *= 1 + own.noise * noise[:3]
    offset = own.offset * (air.pm25 > 3) + 0.35 * noise[3]
    cf1 = np.maximum(np.cumsum(sizes) + offset, 0.0)
    counts = NUMBERS @ np.maximum(sizes, 0.0) * (1 + own.noise * noise[4])
    return np.concatenate([cf1, atmospheric(cf1), np.cumsum(counts[::-1])[::-1]])


def atmospheric(cf1: Floats) -> Floats:
    """Plantower's second scale: the same up to 30 µg/m³, two thirds from about 100 on, growing between."""
    share = np.interp(cf1, [30.0, 100.0], [1.0, 2 / 3])
    return share * cf1


def _stuck(sense: Sense, words: Words, fault: Fault, time: float) -> Words | None:
    return sense.held.setdefault(fault, words)


def _spikes(sense: Sense, words: Words, fault: Fault, time: float) -> Words | None:
    if mood(sense.seed, sense.serial, int(time)) > 0.01:
        return words
    return tuple(word + 400 for word in words[:6]) + words[6:]


def _silent(sense: Sense, words: Words, fault: Fault, time: float) -> Words | None:
    return None


def _dying(sense: Sense, words: Words, fault: Fault, time: float) -> Words | None:
    """The laser loses half its light every 10 days; the fan turns on."""
    left = 0.5 ** ((time - fault.since) / (10 * DAY))
    return tuple(round(word * left) for word in words)


FAULTS: dict[str, Callable[[Sense, Words, Fault, float], Words | None]] = {
    "stuck": _stuck,
    "spikes": _spikes,
    "silent": _silent,
    "dying": _dying,
}
