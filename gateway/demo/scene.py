"""When and in what weather the demonstration plays: a school morning into which haze moves."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.network import Network
from edge.problem import Problem
from gateway.world import Episode, World

START = datetime(2026, 11, 24, 9, 10, tzinfo=ZoneInfo("Asia/Seoul"))
"""A Tuesday in term, within the second lesson."""
HAZE_BEFORE, HAZE_HOURS, HAZE_RAMP = 900.0, 8.0, 0.5
"""The haze began a quarter of an hour [s] before, lasts so long [h] and takes so long [h] to rise."""
HAZE_PM25, HAZE_PM10 = 120.0, 170.0
"""What it brings [µg/m³]: without purifiers every room passes 35 µg/m³ within half an hour."""
PLACES = (Path(__file__).parent / "school", Path(__file__).parents[2] / "examples" / "demo")
"""Where its network files are: in an installed distribution, in a checkout."""


def network_file() -> Path:
    """The demonstration's network file; raises `Problem` where it isn't installed."""
    found = next((place / "network.toml" for place in PLACES if (place / "network.toml").exists()), None)
    if found is None:
        raise Problem(
            "the demonstration's network files are missing", str(PLACES[-1]), "name one: --network FILE"
        )
    return found


def scene(network: Network, seed: int, speed: float) -> World:
    """The world at its start time, not yet running."""
    start = START.timestamp()
    haze = Episode(start - HAZE_BEFORE, HAZE_HOURS, HAZE_PM25, HAZE_PM10, HAZE_RAMP)
    return World(network, start=start, seed=seed, speed=speed, episodes=(haze,))
