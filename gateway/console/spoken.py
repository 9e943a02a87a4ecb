"""Times, ages, levels and reasons as a person says them."""

import re
from collections.abc import Mapping
from datetime import datetime
from math import isfinite

from babel.dates import format_skeleton, get_timezone

from edge.quantity import QUANTITIES
from gateway.words import N2_, N_, Words

LABELS: Mapping[str, str] = {
    "pm1": N_("PM1"),
    "pm25": N_("PM2.5"),
    "pm10": N_("PM10"),
    "co2": N_("CO₂"),
    "temp": N_("Temperature"),
    "rh": N_("Humidity"),
}
"""Short names for a page; other quantities take their own words."""

KINDS: Mapping[str, str] = {
    "purifier": N_("Air purifier"),
    "ventilator": N_("Ventilator"),
    "cleaner": N_("Air cleaner"),
}

CAUSES: Mapping[str, str] = {
    "command": N_("on the gateway's command"),
    "expired": N_("its last command has ended"),
    "fallback": N_("by itself, from the room's own monitor"),
    "safe": N_("safe level: nobody commands it"),
    "button": N_("set by hand at the device"),
}

NUMBER = r"(-?\d+(?:\.\d+)?)"

REASONS: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (
        re.compile(rf"forecast {NUMBER} µg/m³ in {NUMBER} min"),
        N_("forecast {value} µg/m³ in {minutes} min"),
        ("value", "minutes"),
    ),
    (re.compile(rf"now {NUMBER} µg/m³"), N_("{value} µg/m³ now"), ("value",)),
    (re.compile(r"clean(?: .*)?"), N_("the air is clean"), ()),
    (re.compile(r"(?:empty|unoccupied)(?: .*)?"), N_("nobody is in the room"), ()),
)
"""What a command's reason reads like on the wire, its message, and the names of its numbers."""


def label(quantity: str, words: Words) -> str:
    """A quantity's name."""
    if quantity in LABELS:
        return words.gettext(LABELS[quantity])
    known = QUANTITIES.get(quantity)
    return quantity if known is None else (known.ko if words.lang == "ko" else known.en)


def number(value: float | None, resolution: float) -> str:
    """A value at its quantity's resolution; a dash for none."""
    if value is None or not isfinite(value):
        return "–"
    return f"{value:.{0 if resolution >= 1 else 1}f}".replace("-", "−")


def span(seconds: float, words: Words) -> str:
    """A length of time in its largest unit."""
    for size, one, many in _SPANS:
        if seconds >= size:
            return words.ngettext(one, many, int(seconds // size))
    return words.ngettext("{n} second", "{n} seconds", int(max(seconds, 0)))


_SPANS = (
    (172800, *N2_("{n} day", "{n} days")),
    (7200, *N2_("{n} hour", "{n} hours")),
    (120, *N2_("{n} minute", "{n} minutes")),
)


def ago(seconds: float, words: Words) -> str:
    """How long ago."""
    return words.gettext("{span} ago", span=span(seconds, words))


def clock(moment: datetime, now: datetime, tz: str, words: Words) -> str:
    """A moment on the wall clock of `tz`, with its date where it isn't today."""
    zone = get_timezone(tz)
    same = moment.astimezone(zone).date() == now.astimezone(zone).date()
    return str(format_skeleton("Hm" if same else "MMMdHm", moment, zone, locale=words.locale))


def level(level: int | None, levels: int, words: Words) -> str:
    """An actuator's level."""
    if level is None:
        return words.gettext("unknown")
    return (
        words.gettext("Level {level} of {top}", level=level, top=levels - 1)
        if level
        else words.gettext("Off")
    )


def reason(text: str, words: Words) -> str:
    """A command's reason; one that the table doesn't know stands as it was sent."""
    for pattern, message, names in REASONS:
        if match := pattern.fullmatch(text):
            return words.gettext(message, **dict(zip(names, match.groups(), strict=True)))
    return text


def cause(text: str, words: Words) -> str:
    """Why an actuator has its level."""
    return words.gettext(CAUSES[text]) if text in CAUSES else text


def kind(text: str, words: Words) -> str:
    """What an actuator is."""
    return words.gettext(KINDS[text]) if text in KINDS else text
