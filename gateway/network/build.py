"""The network's dataclasses out of entries without mistakes."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any

import holidays

from edge.network import (
    Accepting,
    Actuator,
    Calibration,
    Energy,
    Fitted,
    Maintenance,
    Network,
    Node,
    Placement,
    Room,
    Site,
    Station,
)
from gateway.network.agree import Entries, nanoseconds, timer
from gateway.network.models import correction
from gateway.network.shape import Entry


def build(first: Entry, all: Entries, hash: str, year: int) -> Network:
    """The network, of whose files the `first` says what is said once; holidays are resolved from the first
    year that the files name to the one after `year`."""
    influx, drift = first["influx"], first["drift"]
    years = range(min(_years(all), default=year), year + 2)
    return Network(
        root=first["root"],
        sites={entry["id"]: _site(entry, all, years) for entry in all.site},
        nodes={entry["id"]: _node(entry, all) for entry in all.node},
        actuators={entry["id"]: _actuator(entry) for entry in all.actuator},
        stations={entry["id"]: Station(**_named(entry)) for entry in all.station},
        calibrations=tuple(_calibration(entry, all) for entry in all.calibration),
        hash=hash,
        influx_resolution=influx["resolution"] if influx else "air",
        accepting=Accepting(drift["accept_gain"], drift["accept_offset"]) if drift else None,
        homeassistant=first["homeassistant"],
    )


def _years(all: Entries) -> Iterable[int]:
    dated = chain.from_iterable((*node["placed"], *node["fitted"]) for node in all.node)
    terms = (term.first.year for site in all.site for term in site["terms"])
    return chain((entry["since"].year for entry in (*dated, *all.calibration)), terms)


def _named(entry: Entry) -> dict[str, Any]:
    """The values, each name standing for the one that is missing, the id for both."""
    ko, en = entry["ko"], entry["en"]
    return {**entry.values, "ko": ko or en or entry["id"], "en": en or ko or entry["id"]}


def _site(entry: Entry, all: Entries, years: range) -> Site:
    values = _named(entry)
    country, closed, zone = values.pop("calendar"), values.pop("closed"), all.zone_of(entry["id"])
    energy = values.pop("energy")
    rooms = {room["id"]: Room(**_named(room)) for room in values.pop("room")}
    windows = tuple(
        Maintenance(nanoseconds(w["start"], zone), nanoseconds(w["end"], zone), w["why"])
        for w in values.pop("maintenance")
    )
    free = _holidays(country, years).union(closed)
    paid = Energy(**energy.values) if energy else Energy()
    return Site(rooms=rooms, holidays=free, maintenance=windows, energy=paid, **values)


@lru_cache(maxsize=64)
def _holidays(country: str, years: range) -> frozenset[date]:
    name, _, part = country.partition("-")
    return frozenset(holidays.country_holidays(name, part or None, years=years) if name else ())


def _node(entry: Entry, all: Entries) -> Node:
    values = dict(entry.values)
    placed = (
        Placement(**{**p.values, "since": nanoseconds(p["since"], all.zone_of(p["site"]))})
        for p in values.pop("placed")
    )
    home = all.home_of(entry)
    fitted = (
        Fitted(nanoseconds(f["since"], home), tuple((s["type"], s["serial"]) for s in f["sensors"]))
        for f in values.pop("fitted")
    )
    return Node(placements=tuple(placed), fitted=tuple(fitted), **values)


def _actuator(entry: Entry) -> Actuator:
    own = {"timer": timer(entry), "address": entry["address"] or entry["id"]}
    return Actuator(**{**entry.values, **own})


def _calibration(entry: Entry, all: Entries) -> Calibration:
    since = nanoseconds(entry["since"], all.zone_of_serial(entry["serial"]))
    said = {name: value for name, value in entry.values.items() if name not in ("model", "fitted_as")}
    return Calibration(**{**said, "since": since}, correction=correction(entry, all.models))
