"""A model for a node: its file and the calendar beside it, as they lie on the device's flash."""

import json
import time
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.network import Network
from edge.problem import Problem

MODEL, CALENDAR = "model", "model.json"
YEARS = 2
"""How far the calendar reaches; behind it, a node knows no holidays and no change of summer time."""

_EPOCH = date(1970, 1, 1)


class NoCalendar(Problem):
    """The network file doesn't have the site."""


def calendar_of(zone: str, holidays: Collection[date], now: int) -> Mapping[str, object]:
    """A site's days from the UTC second `now` on: `zone`, since when [UTC s] local time is how far ahead of
    UTC [s]; `rest`, the days since 1970 that are holidays."""
    since, shifts = now - now % 3600, list[list[int]]()
    for second in range(since, since + YEARS * 366 * 86400, 3600):
        ahead = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
        if not shifts or shifts[-1][1] != ahead.total_seconds():
            shifts.append([second, int(ahead.total_seconds())])
    first = now // 86400 - 1
    days = ((day - _EPOCH).days for day in holidays)
    return {"zone": shifts, "rest": sorted(day for day in days if first <= day < first + YEARS * 366)}


def files(model: Path, network: Network | None, site: str) -> Mapping[str, bytes]:
    """The files of a model file for a node of this site; raises `Problem` for one that can't serve a node."""
    if network and site not in network.sites:
        known = ", ".join(network.sites)
        raise NoCalendar(f"no site {site!r} whose calendar the model could have", advice=f"there is: {known}")
    place = network.sites[site] if network else None
    return installed(
        model.read_bytes(), calendar_of(place.tz, place.holidays, int(time.time())) if place else None
    )


def installed(data: bytes, calendar: Mapping[str, object] | None = None) -> dict[str, bytes]:
    """The files of a model by their names on the flash; raises `ModelError` where it can't serve a node."""
    # Here, because numbers are a second's work to load, and few nodes carry a model.
    from edge.forecast import check_rooms
    from edge.predict.model import Model

    check_rooms(Model.decode(data))
    files = {MODEL: data}
    if calendar:
        files[CALENDAR] = json.dumps(calendar, separators=(",", ":")).encode()
    return files
