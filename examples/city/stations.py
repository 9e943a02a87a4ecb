"""Hourly tables of a city's stations that don't exist, for whoever has no recordings at hand.

    python examples/city/stations.py OUT --days 120       OUT/city.csv, OUT/north.csv

The weather is the virtual school's; each station has its own share of it and its own traffic.
"""

import argparse
import csv
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from gateway.world.weather import Weather

ZONE = ZoneInfo("Asia/Seoul")
FIRST = datetime(2026, 1, 5, tzinfo=ZONE)
TABLES = {"city": {"jung": (1.0, 9.0), "mapo": (1.1, 16.0)}, "north": {"nowon": (0.85, 3.0)}}
"""The stations of each table: its share of the regional air, and what its traffic adds [µg/m³]."""
COLUMNS = ("time", "station", "placement", "pm25", "pm10", "temp", "rh")


def make(folder: Path, days: int, seed: int) -> None:
    """Write the tables; one station spikes, so that quality control has something to find."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    begun = FIRST.timestamp()
    weather = Weather(seed, begun - 86400)
    for name, stations in TABLES.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for station, (share, traffic) in stations.items():
                wind = 0.0
                for hour in range(24 * days):
                    second = begun + 3600 * hour
                    air, moment = weather.at(second), datetime.fromtimestamp(second, ZONE)
                    rush = moment.weekday() < 5 and moment.hour in (7, 8, 9, 18, 19, 20)
                    wind += -wind / 8 + 0.15 * random.normal()
                    road = traffic * (1.0 if rush else 0.3) * float(np.exp(wind))
                    pm25 = max(share * air.pm25 + road + random.normal(), 0.0)
                    pm10 = pm25 + max(share * (air.pm10 - air.pm25) + 0.5 * road, 0.0)
                    if station == "mapo" and hour == 24 * days - 300:
                        pm25 = 700.0
                    stamp = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                    row = (round(pm25), round(pm10), round(air.temp, 1), round(air.rh))
                    writer.writerow((stamp, station, "outdoor", *row))
        print(f"{folder}/{name}.csv: {', '.join(stations)}, {days} days")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    make(given.out, given.days, given.seed)
