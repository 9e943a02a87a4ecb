"""Every source in one table: its name, the environment's name of its key, what it gives, how it is asked."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.reference import airkorea, kma, openaq, seoul
from gateway.reference.ask import Ask
from gateway.reference.cache import Cache
from gateway.reference.observed import Observed
from gateway.reference.transport import Access, Client

PORTAL = "https://apis.data.go.kr"

ACCESSES: Mapping[str, Access] = {
    airkorea.NAME: Access(PORTAL, "GONGI_AIRKOREA_KEY", 0.3),
    kma.NAME: Access(PORTAL, "GONGI_KMA_KEY", 0.2),
    openaq.NAME: Access("https://api.openaq.org", "GONGI_OPENAQ_KEY", 1.1),
    seoul.NAME: Access("http://openapi.seoul.go.kr:8088", "GONGI_SEOUL_KEY", 0.2),
}
"""How each service is reached; `GONGI_AIRKOREA_URL` and so on name another address."""


@dataclass(frozen=True, slots=True)
class Source:
    """A row of the table: `place` says what its places are called."""

    name: str
    access: str
    quantities: tuple[str, ...]
    place: str
    fetch: Callable[[Client, Ask], Iterable[Observed]]
    ahead_h: int = 0
    """Hours that it looks ahead."""

    @property
    def variable(self) -> str:
        """The environment's name of its key."""
        return ACCESSES[self.access].variable


_PM_GRADES = ("pm25_grade", "pm10_grade")
_FORECAST = ("pm25_forecast", "pm10_forecast", "o3_forecast")
_WIND = ("wind_speed", "wind_dir")
_TRAINS = ("trains_1", "trains_2")

_TABLE = (
    Source(
        "airkorea",
        airkorea.NAME,
        (*airkorea.MEASURED, "khai", *_PM_GRADES),
        "station name, like 중랑구",
        airkorea.fetch_hours,
    ),
    Source("airkorea-forecast", airkorea.NAME, _FORECAST, "region, like seoul", airkorea.fetch_forecast, 96),
    Source(
        "airkorea-alerts",
        airkorea.NAME,
        ("pm25_alert", "pm10_alert"),
        "district or area, like 경기/남부권",
        airkorea.fetch_alerts,
    ),
    Source("kma", kma.NAME, ("temp", "rh", *_WIND, "rain", "rain_kind"), "LAT,LON", kma.fetch_observed),
    Source(
        "kma-ahead",
        kma.NAME,
        ("temp", "rh", *_WIND, "rain", "rain_kind", "sky"),
        "LAT,LON",
        kma.fetch_ahead,
        8,
    ),
    Source(
        "kma-village",
        kma.NAME,
        ("temp", "rh", *_WIND, "rain", "rain_chance", "rain_kind", "sky"),
        "LAT,LON",
        kma.fetch_village,
        96,
    ),
    Source("kma-asos", kma.NAME, tuple(kma.ASOS_FIELDS.values()), "station number, like 108", kma.fetch_asos),
    Source(
        "openaq",
        openaq.NAME,
        tuple(dict.fromkeys(ours or name for name, ours in openaq.PARAMETERS.items())),
        "sensor number",
        openaq.fetch_hours,
    ),
    Source("seoul-traffic", seoul.NAME, ("vehicles",), "counting point, like A-01", seoul.fetch_traffic),
    Source("seoul-trains", seoul.NAME, _TRAINS, "station code, like 0339", seoul.fetch_trains),
)

SOURCES: Mapping[str, Source] = {source.name: source for source in _TABLE}


def client(environment: Mapping[str, str], cache: Path | None) -> Client:
    """A client with the keys and addresses of an environment."""
    # Its log of debugging holds whole addresses, and some services want the key in theirs.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    keys = {access.variable: environment.get(access.variable, "") for access in ACCESSES.values()}
    bases = {name: url for name in ACCESSES if (url := environment.get(f"GONGI_{name.upper()}_URL", ""))}
    return Client(ACCESSES, keys, bases, Cache(cache))
