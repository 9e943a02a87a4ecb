"""Local stamps of sources as ours: UTC [ns since 1970]; an hour's mean carries the stamp of its beginning."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

KST = timezone(timedelta(hours=9), "KST")
"""Korea's clock; the country has had no summer time since 1988."""

YEARS = range(1950, 2200)


def stamp(text: str, form: str, zone: timezone | ZoneInfo = KST) -> int:
    """A local stamp like `2026-03-02 24:00` in the form of `strptime`; hour 24 is the next day's 0. Raises
    `ValueError`."""
    # strptime knows no hour 24, which closes a Korean day.
    for late, midnight in ((" 24:00", " 00:00"), ("T24:00", "T00:00")):
        if late in text:
            return stamp(text.replace(late, midnight), form, zone) + DAY
    at = datetime.strptime(text, form).replace(tzinfo=zone)
    return _ns(at)


def iso(text: str) -> int:
    """An ISO 8601 instant with its offset. Raises `ValueError`."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"no offset: {text}")
    return _ns(at)


def _ns(at: datetime) -> int:
    if at.year not in YEARS:
        raise ValueError(f"year {at.year}")
    return round(at.timestamp()) * SECOND


def midnight(time: int) -> int:
    """The first instant [ns] of the day in Korea to which a time belongs."""
    return stamp(local(time, "%Y-%m-%d"), "%Y-%m-%d")


def local(time: int, form: str, zone: timezone | ZoneInfo = KST) -> str:
    """A time [ns] on a source's clock, in the form of `strftime`."""
    return datetime.fromtimestamp(time // SECOND, UTC).astimezone(zone).strftime(form)
