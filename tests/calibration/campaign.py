"""Generated co-locations: sensors with a gain, an offset, thirst for humidity and a late reference."""

from pathlib import Path

import numpy as np

from edge.correction.inputs import Inputs
from edge.fit.sample import Colocation
from edge.readings import Array

HOUR = 3_600_000_000_000
START = 1_764_547_200_000_000_000
"""2025-12-01T00:00Z [ns]."""


def weather(hours: int, seed: int) -> tuple[Array, Array, Array]:
    """True PM2.5 [µg/m³] with plumes of some hours, RH [%] and temperature [°C] with a day's course."""
    chance = np.random.default_rng(seed)
    slow, quick = _walk(chance, hours, 0.99), _walk(chance, hours, 0.8)
    truth = np.exp(2.3 + 0.55 * slow + 0.35 * quick)
    day = np.sin(np.arange(hours) * 2 * np.pi / 24)
    temp = 12 + 6 * day + 4 * _walk(chance, hours, 0.98)
    rh = np.clip(60 - 18 * day + 9 * _walk(chance, hours, 0.97), 8, 99.9)
    return truth, rh, temp


def _walk(chance: np.random.Generator, hours: int, memory: float) -> Array:
    noise = chance.normal(size=hours) * np.sqrt(1 - memory**2)
    walk = np.empty(hours)
    last = chance.normal()
    for hour in range(hours):
        last = memory * last + noise[hour]
        walk[hour] = last
    return walk


def colocation(
    node: str = "n1",
    site: str = "hana",
    hours: int = 1500,
    seed: int = 1,
    late: float = 0.0,
    gain: float = 1.4,
    humid: float = 0.05,
    noise: float = 0.8,
    blocks: int = 10,
    channels: bool = False,
) -> Colocation:
    """One sensor: raw = gain·truth + humid·RH + noise; its reference is `late` by parts of an hour."""
    truth, rh, temp = weather(hours + 24, seed)
    chance = np.random.default_rng([seed, *node.encode()])
    raw = np.maximum(gain * truth + humid * rh + chance.normal(size=truth.size) * noise, 0)
    whole, part = int(np.floor(late)), late - np.floor(late)
    shown = (1 - part) * np.roll(truth, whole) + part * np.roll(truth, whole + 1)
    reference = np.maximum(shown + np.random.default_rng([seed, 7]).normal(size=truth.size) * 0.6, 0)
    kept = slice(12, 12 + hours)
    columns = {"pm25": raw[kept], "rh": rh[kept], "temp": temp[kept]}
    if channels:
        columns |= {"pm25_a": raw[kept] * 0.97, "pm25_b": raw[kept] * 1.03}
    time = START + np.arange(hours, dtype=np.int64) * HOUR
    return Colocation(
        node=node,
        site=site,
        inputs=Inputs.of("pm25", time, HOUR, columns),
        reference=reference[kept],
        suspect=np.zeros(hours, bool),
        offset=np.full(hours, 9 * HOUR),
        blocks=blocks,
    )


def fleet(hours: int = 1000) -> list[Colocation]:
    """Five sensors at three sites of one city."""
    return [
        colocation("n1", "hana", hours, 1, late=0.5, gain=1.3),
        colocation("n2", "hana", hours, 1, late=0.5, gain=1.6),
        colocation("n3", "hana", hours, 1, late=0.5, gain=1.1),
        colocation("n4", "duri", hours, 2, late=0.5, gain=1.5),
        colocation("n5", "sebo", hours, 3, late=0.5, gain=1.2),
    ]


def table(members: list[Colocation], path: Path) -> Path:
    """The co-locations as an exchange table."""
    lines = ["time,site,node,pm25,rh,temp,ref_pm25"]
    for one in members:
        seconds = (one.inputs.time // 1_000_000_000).astype("datetime64[s]")
        columns = one.inputs.columns
        lines += [
            f"{time}Z,{one.site},{one.node},{raw:.3f},{rh:.2f},{temp:.2f},{reference:.3f}"
            for time, raw, rh, temp, reference in zip(
                seconds, columns["pm25"], columns["rh"], columns["temp"], one.reference, strict=True
            )
        ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
