"""Checking a TOML table against a visible table of fields, so that every mistake is found in one go.

A parser takes a value and its place; what it can't take it notes there and answers with None.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a network file: where (`path` like `site[hana].room[3-2].volume`), what was found,
    what would be right; a `warning` doesn't keep the network from being used."""

    file: str
    path: str
    found: str
    wanted: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: found {self.found}, wanted {self.wanted}"


class _Nothing:
    """Stands for a field that isn't in the file."""


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands; `wrong` adds to the one list of mistakes that all places of a reading share."""

    file: str
    path: str
    mistakes: list[Mistake]

    def at(self, name: str) -> "Place":
        """The place of the field `name` of the table here."""
        return Place(self.file, f"{self.path}.{name}" if self.path else name, self.mistakes)

    def entry(self, label: str) -> "Place":
        """The place of one entry of the list here."""
        return Place(self.file, f"{self.path}[{label}]", self.mistakes)

    def wrong(self, found: object, wanted: str, warning: bool = False) -> Any:
        """Note a mistake; answers None, which a parser hands on."""
        self.mistakes.append(Mistake(self.file, self.path, shown(found), wanted, warning))
        return None


Parser: TypeAlias = Callable[[object, Place], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a table, how its value is read, and what stands for it where it is left out."""

    name: str
    parse: Parser
    default: object = NOTHING


Shape: TypeAlias = tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked table: its values by name (None where wrong) and its place."""

    place: Place
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def wrong(self, name: str, found: object, wanted: str, warning: bool = False) -> None:
        """Note a mistake in one field."""
        self.place.at(name).wrong(found, wanted, warning)


def shown(value: object) -> str:
    """A value as a mistake names it, in a few words."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping | list):
        return f"a {'table' if isinstance(value, Mapping) else 'list'} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a very large number"
    text = "nothing" if value is NOTHING else f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def meant(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or what there is to choose from."""
    words = list(known)
    near = get_close_matches(word, words, 1, 0.6)
    if near:
        return f'"{near[0]}" (did you mean that?)'
    return "one of " + ", ".join(words[:12]) + (", …" if len(words) > 12 else "") if words else "none"


def read_table(shape: Shape, value: object, place: Place) -> Entry:
    """Check a table against its fields: unknown keys, missing keys, and each value by its parser."""
    if not isinstance(value, Mapping):
        place.wrong(value, "a table")
        return Entry(place, {})
    names = [field.name for field in shape]
    guessed = {_misspelt(str(key), names, place) for key in value if key not in names}
    values = {f.name: _value(f, value, place) for f in shape if f.name in value or f.name not in guessed}
    return Entry(place, values)


def _misspelt(key: str, names: list[str], place: Place) -> str:
    place.at(key).wrong(key, "the key " + meant(key, names))
    return next(iter(get_close_matches(key, names, 1, 0.6)), "")


def _value(field: Field, table: Mapping[str, object], place: Place) -> Any:
    if field.name not in table and field.default is not NOTHING:
        return field.default
    return field.parse(table.get(field.name, NOTHING), place.at(field.name))


def table(shape: Shape) -> Parser:
    """A parser of one table."""
    return lambda value, place: read_table(shape, value, place)


def tables(shape: Shape) -> Parser:
    """A parser of a list of tables, named by their `id` or their number."""

    def parse(value: object, place: Place) -> tuple[Entry, ...]:
        if not isinstance(value, list) or not value:
            place.wrong(value, "a list of tables")
            return ()
        labels = (_label(entry, number) for number, entry in enumerate(value, 1))
        return tuple(read_table(shape, e, place.entry(at)) for e, at in zip(value, labels, strict=True))

    return parse


def _label(entry: object, number: int) -> str:
    name = entry.get("id") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) and name else f"#{number}"


def listed(item: Parser) -> Parser:
    """A parser of a list of values."""

    def parse(value: object, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            place.wrong(value, "a list")
            return ()
        return tuple(item(one, place.entry(f"#{number}")) for number, one in enumerate(value, 1))

    return parse


def keyed(known: Collection[str] | None, item: Parser) -> Parser:
    """A parser of a table whose keys are names out of `known` (None: any) and whose values are alike."""

    def parse(value: object, place: Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            place.wrong(value, "a table")
            return {}
        for key in (key for key in value if known is not None and key not in known):
            place.at(key).wrong(key, meant(key, known or ()))
        return {key: item(one, place.at(key)) for key, one in value.items() if known is None or key in known}

    return parse


def text(value: object, place: Place) -> Any:
    """Words on one line."""
    return value if isinstance(value, str) and value.isprintable() else place.wrong(value, "text")


def yes(value: object, place: Place) -> Any:
    """true or false."""
    return value if isinstance(value, bool) else place.wrong(value, "true or false")


def number(low: float, high: float, unit: str = "") -> Parser:
    """A parser of a number within [low, high]."""
    wanted = f"a number from {low:g} to {high:g}" + (f" [{unit}]" if unit else "")

    def parse(value: object, place: Place) -> Any:
        right = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return float(value) if right else place.wrong(value, wanted)  # type: ignore[arg-type]  # a number if right

    return parse


def positive(high: float, unit: str) -> Parser:
    """A parser of a number above 0."""
    inner = number(math.ulp(0.0), high, unit)

    def parse(value: object, place: Place) -> Any:
        quiet = Place("", "", [])
        found: float | None = inner(value, quiet)
        return place.wrong(value, f"a number above 0, up to {high:g} [{unit}]") if quiet.mistakes else found

    return parse


def whole(low: int, high: int, unit: str = "") -> Parser:
    """A parser of a whole number within [low, high]."""
    wanted = f"a whole number from {low} to {high}" + (f" [{unit}]" if unit else "")

    def parse(value: object, place: Place) -> Any:
        right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return value if right else place.wrong(value, wanted)

    return parse


def choice(known: Collection[str]) -> Parser:
    """A parser of one word out of a few."""

    def parse(value: object, place: Place) -> Any:
        if isinstance(value, str) and value in known:
            return value
        return place.wrong(value, meant(value if isinstance(value, str) else "", known))

    return parse


YEARS = range(1990, 2201)


def day(value: object, place: Place) -> Any:
    """A local date."""
    right = isinstance(value, date) and not isinstance(value, datetime) and value.year in YEARS
    return value if right else place.wrong(value, "a date like 2026-03-02")


def moment(value: object, place: Place) -> Any:
    """A date, a local date-time or one with its offset."""
    right = isinstance(value, date) and value.year in YEARS
    return value if right else place.wrong(value, "a date like 2026-03-02 or 2026-03-02T08:30:00")
