"""Times, ages, levels and reasons as a person says them."""

import re
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from string import Formatter

from babel.dates import format_skeleton, get_timezone

from edge.decision import REASONS
from edge.network import Placement
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


def _pattern(template: str) -> re.Pattern[str]:
    """What a reason's template reads like on the wire, its placeholders as named groups."""
    pieces = Formatter().parse(template)
    return re.compile(
        "".join(re.escape(text) + (rf"(?P<{name}>[\d.e+-]+)" if name else "") for text, name, *_ in pieces)
    )


REASON_PATTERNS = {template: _pattern(template) for template in REASONS.values()}


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
    for least, unit, one, many in _SPANS:
        if seconds >= least:
            return words.ngettext(one, many, int(seconds // unit))
    return words.ngettext("{n} second", "{n} seconds", int(max(seconds, 0)))


_SPANS = (
    (172800, 86400, *N2_("{n} day", "{n} days")),
    (7200, 3600, *N2_("{n} hour", "{n} hours")),
    (120, 60, *N2_("{n} minute", "{n} minutes")),
)


def ago(seconds: float, words: Words) -> str:
    """How long ago."""
    return words.gettext("{span} ago", span=span(seconds, words))


def clock(moment: datetime, now: datetime, tz: str, words: Words) -> str:
    """A moment on the wall clock of `tz`, with its date where it isn't today."""
    zone = get_timezone(tz)
    same = moment.astimezone(zone).date() == now.astimezone(zone).date()
    parts = ("Hm",) if same else ("MMMd", "Hm")
    return " ".join(format_skeleton(part, moment, zone, locale=words.locale) for part in parts)


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
    """A command's reason, numbers rounded; one that the policy's table doesn't know stands as it was sent."""
    for template, pattern in REASON_PATTERNS.items():
        if match := pattern.fullmatch(text):
            numbers = {name: round(float(number)) for name, number in match.groupdict().items()}
            return words.gettext(template, **numbers)
    return text


def cause(text: str, words: Words) -> str:
    """Why an actuator has its level."""
    return words.gettext(CAUSES[text]) if text in CAUSES else text


SITINGS: Mapping[str, str] = {
    "urban": N_("in a residential area"),
    "suburban": N_("at the edge of town"),
    "roadside": N_("beside a road"),
    "background": N_("far from towns"),
    "port": N_("at a port"),
}


def siting(place: Placement, words: Words) -> str:
    """How a node stands, as far as the files say."""
    lengths = {
        N_("inlet {length} high"): place.height,
        N_("{length} from a road"): place.road_m,
        N_("{length} from an exhaust"): place.exhaust_m,
    }
    parts = [words.gettext(SITINGS[place.siting])] if place.siting in SITINGS else []
    parts += [
        words.gettext(text, length=f"{far:g}\u00a0m") for text, far in lengths.items() if far is not None
    ]
    if place.shelter is not None:
        parts.append(words.gettext(N_("sheltered") if place.shelter else N_("unsheltered")))
    return ", ".join(parts)


def kind(text: str, words: Words) -> str:
    """What an actuator is."""
    return words.gettext(KINDS[text]) if text in KINDS else text
