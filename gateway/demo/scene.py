"""When and in what weather the demonstration plays: a school morning into which haze moves."""

import sysconfig
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.network import Network
from edge.problem import Problem
from gateway.world import Episode, World

START = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("Asia/Seoul"))
"""A Tuesday in term, within the first lesson."""
HAZE_HOURS, HAZE_RAMP = 8.0, 0.4
"""How long [h] the haze lasts that begins with it, and how long it takes to rise."""
HAZE_PM25, HAZE_PM10 = 130.0, 180.0
"""What it brings [µg/m³]: without purifiers every room passes 35 µg/m³ within the hour."""
PLACES = (Path(__file__).parents[2], Path(sysconfig.get_path("data")) / "share" / "gongi")
"""Where the examples are: in a checkout, in an installed distribution."""


def network_file() -> Path:
    """The demonstration's network file; raises `Problem` where it isn't installed."""
    files = [place / "examples" / "demo" / "network.toml" for place in PLACES]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        raise Problem(
            "the demonstration's network file is missing", str(files[-1]), "name one: --network FILE"
        )
    return found


def scene(network: Network, seed: int, speed: float) -> World:
    """The world at its start time, not yet running."""
    start = START.timestamp()
    haze = Episode(start, HAZE_HOURS, HAZE_PM25, HAZE_PM10, HAZE_RAMP)
    return World(network, start=start, seed=seed, speed=speed, episodes=(haze,))
