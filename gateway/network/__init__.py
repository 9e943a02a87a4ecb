"""The network files: read, checked whole, every mistake named at once."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from edge.network import Network
from edge.problem import Problem
from gateway.network import models
from gateway.network.agree import RULES, Entries
from gateway.network.build import build
from gateway.network.fields import PART, WHOLE
from gateway.network.past import entries_of_the_past
from gateway.network.shape import Entry, Mistake, Place, read_table

__all__ = [
    "FaultyNetwork",
    "Mistake",
    "check",
    "entries_of_the_past",
    "files",
    "includes",
    "load",
    "model_files",
    "of_sources",
    "read",
    "sources",
]

MODEL = "model:"
"""Stands before the name of a model file among a network's sources."""
NONE: Mapping[str, str] = {}


class FaultyNetwork(Problem):
    """The network files can't be used; `mistakes` says why, one line each."""

    def __init__(self, path: Path | str, mistakes: Sequence[Mistake]) -> None:
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{count}\n" + "\n".join(f"  {m}" for m in mistakes), str(path))
        self.mistakes = tuple(mistakes)


def load(path: Path) -> Network:
    """The network that a file and those it includes describe; raises `FaultyNetwork` with every mistake."""
    network, mistakes = read(path)
    if network is None:
        raise FaultyNetwork(path, [mistake for mistake in mistakes if not mistake.warning])
    return network


def read(path: Path, year: int | None = None) -> tuple[Network | None, tuple[Mistake, ...]]:
    """The network, None where it can't be used, and all mistakes and warnings; holidays are resolved to the
    year after `year` (this year)."""
    mistakes: list[Mistake] = []
    documents = {str(path): _document(path, mistakes)}
    for part in _included(path, documents[str(path)].get("include"), mistakes):
        documents.setdefault(str(part), _document(part, mistakes))
    network, found = check(documents, year, models.texts(documents))
    return (None if mistakes else network), (*mistakes, *found)


def sources(path: Path) -> dict[str, str]:
    """The texts of a faultless network file and of those it includes, by name, itself first, and of the
    model files that they name, marked as such."""
    found = {str(file): file.read_text("utf-8") for file in files(path, includes(path))}
    named = models.texts({name: tomllib.loads(text) for name, text in found.items()})
    return {**found, **{f"{MODEL}{name}": text for name, text in named.items()}}


def of_sources(texts: Mapping[str, str]) -> tuple[Network | None, tuple[Mistake, ...]]:
    """The network that such texts describe, and all mistakes; raises ValueError where one isn't TOML."""
    documents = {name: tomllib.loads(text) for name, text in texts.items() if not name.startswith(MODEL)}
    named = {name.removeprefix(MODEL): text for name, text in texts.items() if name.startswith(MODEL)}
    return check(documents, None, named)


def model_files(path: Path) -> list[Path]:
    """The model files that a network file and those it includes name."""
    return models.paths({str(file): _document(file, []) for file in files(path, includes(path))})


def includes(path: Path) -> object:
    """What a network file says that it includes; None where it says nothing or can't be read."""
    return _document(path, []).get("include")


def files(path: Path, patterns: object) -> list[Path]:
    """A network file and those that its `include` patterns match, each once, itself first."""
    return list(dict.fromkeys([path, *_included(path, patterns, [])]))


def check(
    documents: Mapping[str, Mapping[str, Any]], year: int | None = None, named: Mapping[str, str] = NONE
) -> tuple[Network | None, tuple[Mistake, ...]]:
    """The same for parsed documents by file name, and the texts of the model files that they name; the first
    is the network's, it includes the others."""
    mistakes: list[Mistake] = []
    first, *others = (
        read_table(PART if number else WHOLE, document, Place(file, "", mistakes))
        for number, (file, document) in enumerate(documents.items())
    )
    everything = _gathered((first, *others), models.read(named))
    for rule in (*RULES, models.models_can_serve):
        rule(everything)
    if any(not mistake.warning for mistake in mistakes):
        return None, tuple(mistakes)
    digest = _hash(documents, named)
    network = build(first, everything, digest, year or date.today().year)
    return network, tuple(mistakes)


def _gathered(parts: Sequence[Entry], found: Mapping[str, models.Found]) -> Entries:
    names = [field.name for field in dataclasses.fields(Entries) if field.name != "models"]
    lists = {n: tuple(chain.from_iterable(part[n] or () for part in parts)) for n in names}
    return Entries(**lists, models=found)


def _hash(documents: Mapping[str, Mapping[str, Any]], named: Mapping[str, str]) -> str:
    """16 hex digits over what the documents and model files say together, however they are cut into files."""
    merged: dict[str, Any] = {}
    for document in documents.values():
        for key, value in document.items():
            if isinstance(value, list):
                merged.setdefault(key, []).extend(value)
            else:
                merged[key] = value
    merged.pop("include", None)
    if named:
        merged[MODEL] = sorted(sha256(text.encode()).hexdigest() for text in named.values())
    return sha256(json.dumps(merged, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _document(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        mistakes.append(Mistake(str(path), "file", error.strerror or str(error), "a file that can be read"))
    except (ValueError, RecursionError) as error:  # bad UTF-8, giant numbers, deep nesting
        mistakes.append(Mistake(str(path), "file", str(error).splitlines()[0], "TOML"))
    return {}


def _included(path: Path, patterns: object, mistakes: list[Mistake]) -> list[Path]:
    found: list[Path] = []
    for pattern in (p for p in patterns if isinstance(p, str)) if isinstance(patterns, list) else ():
        try:
            matches = sorted(path.parent.glob(pattern))
        except (ValueError, NotImplementedError, OSError):
            matches = []
        if not matches:
            wanted = "a pattern of files beside this one, like sites/*.toml"
            mistakes.append(Mistake(str(path), "include", f'"{pattern}"', wanted))
        found += matches
    return found
