"""The model files that calibration entries name: read with the network, and part of its version."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.assign import MEASURES
from edge.correction.model import Correction, CorrectionError
from edge.correction.models import Models
from edge.correction.published import PUBLISHED
from edge.correction.stream import too_far
from edge.correction.term import needed
from edge.limits import WINDOW
from gateway.network.agree import Entries
from gateway.network.shape import Entry, meant

FLEET = "fleet"
"""What `fitted_as` says of a sensor that the fleet's model serves."""

Found = Models | str
"""What stands in a model file, or what is wrong with it."""


def paths(documents: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """The model files that network documents (by file name) name, each relative to its document."""
    named = (
        _path(file, entry["model"])
        for file, document in documents.items()
        for entry in _tables(document.get("calibration"))
        if isinstance(entry.get("model"), str)
    )
    return list(dict.fromkeys(named))


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())


def _path(file: str, model: str) -> Path:
    return Path(file).parent / model


def texts(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The texts of those model files that can be read, by path."""
    found = {}
    for path in paths(documents):
        try:
            found[str(path)] = path.read_text("utf-8")
        except (OSError, ValueError):
            continue  # the rule below says that it isn't there
    return found


def read(found: Mapping[str, str]) -> dict[str, Found]:
    """What stands in model files, by path."""
    return {path: _read(text, path) for path, text in found.items()}


def _read(text: str, path: str) -> Found:
    try:
        return Models.decode(text, path)
    except CorrectionError as error:
        return f"{error.where}: {error.what}"


def correction(entry: Entry, models: Mapping[str, Found]) -> Correction | None:
    """The correction that an entry means: its sensor's own by `fitted_as` or else its serial; the fleet's for
    an entry without a serial, or fitted as "fleet". None where there is none."""
    if not entry["model"]:
        return None
    found = models.get(str(_path(entry.place.file, entry["model"])))
    if not isinstance(found, Models):
        return None
    name = entry["fitted_as"] or entry["serial"]
    return found.own.get(name) if name and name != FLEET else found.fleet


def models_can_serve(all: Entries) -> None:
    """A named model is there, holds that sensor and quantity, and can be followed by a stream."""
    for entry in (entry for entry in all.calibration if entry["model"]):
        found = all.models.get(str(_path(entry.place.file, entry["model"])))
        if isinstance(found, Models):
            _serves(entry, found, all)
        else:
            entry.wrong(
                "model", entry["model"], found or "a model file: gongi calibrate fit TABLE --out MODEL"
            )


def _serves(entry: Entry, found: Models, all: Entries) -> None:
    one = correction(entry, all.models)
    if one is None:
        name = "fitted_as" if entry["fitted_as"] else "serial"
        entry.wrong(
            name, entry[name], "a sensor of the model (see fitted_as): " + meant(entry[name], found.own)
        )
    elif entry["quantity"] not in (None, one.quantity):
        entry.wrong("quantity", entry["quantity"], f"{one.quantity}: that is what the model corrects")
    elif too_far(one):
        hours = WINDOW // 3600
        entry.wrong("model", one.form, f"a form that looks back less than {hours} h: fit on hours, not days")
    elif entry["rh"]:
        entry.wrong("rh", entry["rh"], "no rh beside a model: the model has its own")
    else:
        _served(entry, one, all)


def _served(entry: Entry, one: Correction, all: Entries) -> None:
    """Warn where the sensor's node lacks what the model asks for: its values would all be suspect."""
    inputs = (
        ["rh"] if one.kind in PUBLISHED else [n for term in one.terms for n in needed(term, one.quantity)]
    )
    for fitted in (fitted for node in all.node for fitted in node["fitted"] or ()):
        sensors = fitted["sensors"] or ()
        if entry["serial"] and entry["serial"] in [sensor["serial"] for sensor in sensors]:
            given = frozenset().union(*(MEASURES.get(sensor["type"], frozenset()) for sensor in sensors))
            lacking = sorted({name for name in inputs if name in ("rh", "temp")} - given)
            if lacking:
                entry.wrong(
                    "model", one.form, f"a node that measures {', '.join(lacking)}, as it needs", True
                )
