"""WHO's guideline of 2021 and the European index: bands of a mean, without numbers between them."""

from datetime import date
from functools import partial

from edge.index.hours import Hours, running
from edge.index.scheme import Band, Index, Table, band_of, worst
from edge.readings import Array

INF = float("inf")

WHO_BANDS = (
    Band("Within the guideline", "#2e7d32"),
    Band("Interim target 4", "#8bc34a"),
    Band("Interim target 3", "#fdd835"),
    Band("Interim target 2", "#fb8c00"),
    Band("Interim target 1", "#e53935"),
    Band("Above every target", "#7b1fa2"),
)
WHO_DAY = Table(
    date(2021, 9, 22), ends={"pm25": (15, 25, 37.5, 50, 75, INF), "pm10": (45, 50, 75, 100, 150, INF)}
)
"""WHO 2021, mean of 24 h [µg/m³]: guideline, then interim targets 4 to 1."""
WHO_YEAR = Table(
    date(2021, 9, 22), ends={"pm25": (5, 10, 15, 25, 35, INF), "pm10": (15, 20, 30, 50, 70, INF)}
)
"""WHO 2021, mean of a year [µg/m³]."""

EU_BANDS = (
    Band("Good", "#50f0e6"),
    Band("Fair", "#50ccaa"),
    Band("Moderate", "#f0e641"),
    Band("Poor", "#ff5050"),
    Band("Very poor", "#960032"),
    Band("Extremely poor", "#7d2181"),
)
EU_HOUR = Table(
    date(2024, 11, 28), ends={"pm25": (5, 15, 50, 90, 140, INF), "pm10": (15, 45, 120, 195, 270, INF)}
)
"""European Air Quality Index, hourly means [µg/m³]; airindex.eea.europa.eu. The day of change is recalled."""


def _banded(table: Table, hours_of_mean: int, hours: Hours) -> Array:
    """The worst band at each hour, from 1, of each quantity's mean over so many hours."""
    found = (table.band(name, running(hours.mean(name), hours_of_mean)) for name in table.ends)
    return worst(list(found)) + 1


def _place(values: Array) -> Array:
    place: Array = values - 1
    return place


WHO = Index(
    id="who-24h",
    word="WHO 2021, mean of 24 h",
    quantities=("pm25", "pm10"),
    bands=WHO_BANDS,
    of=partial(_banded, WHO_DAY, 24),
    band=_place,
    source="WHO global air quality guidelines 2021",
)
EAQI = Index(
    id="eu-eaqi",
    word="European Air Quality Index",
    quantities=("pm25", "pm10"),
    bands=EU_BANDS,
    of=partial(_banded, EU_HOUR, 1),
    band=_place,
    source="EEA, European Air Quality Index, hourly; particles alone",
)

CAQI_HOUR = Table(
    date(2006, 1, 1),
    ends={"pm25": (15, 30, 55, 110), "pm10": (25, 50, 90, 180)},
    values=dict.fromkeys(("pm25", "pm10"), ((0, 25), (25, 50), (50, 75), (75, 100))),
)
"""Common Air Quality Index, background, hourly means [µg/m³]."""
CAQI_BANDS = (
    Band("Very low", "#79bc6a"),
    Band("Low", "#bbcf4c"),
    Band("Medium", "#eec20b"),
    Band("High", "#f29305"),
)


def caqi(hours: Hours) -> Array:
    """CAQI at each hour, 0 to 100."""
    return worst([CAQI_HOUR.value(name, hours.mean(name)) for name in CAQI_HOUR.ends])


CAQI = Index(
    id="eu-caqi",
    word="Common Air Quality Index",
    quantities=("pm25", "pm10"),
    bands=CAQI_BANDS,
    of=caqi,
    band=partial(band_of, (25.0, 50.0, 75.0)),
    source="CITEAIR, CAQI, background, hourly; particles alone",
)
