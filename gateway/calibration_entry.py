"""A proposed recalibration accepted: one more entry in the network files, as a hand would write it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomlkit

from edge.network import Calibration, Network
from edge.problem import Problem
from edge.readings import SECOND
from edge.recalibration import Proposal
from gateway.network import files, includes, load, read
from gateway.network.models import FLEET


class NotAccepted(Problem):
    """A proposal can't be written into the network files."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The entry that was written, into which file."""

    file: Path
    entry: Mapping[str, Any]


def accept(network_file: Path, one: Proposal, since: int) -> Accepted:
    """Write the entry of a proposal, in force from `since` [ns UTC] on, on top of the calibration that is in
    force then. The files are as they were where the result would be faulty. Raises `NotAccepted`."""
    network = load(network_file)
    if any(entry.id == one.id for entry in network.calibrations):
        raise NotAccepted(f"{one.id} stands in the files already", str(network_file), "nothing is to be done")
    base = _in_force(network, one, since)
    file, document = _home(network_file, one, base)
    said = _said(document, one, base, since)
    before = file.read_text("utf-8")
    entries = document.setdefault("calibration", tomlkit.aot())
    entries.append(_table(said))
    _write(file, tomlkit.dumps(document))
    _, mistakes = read(network_file)
    if wrong := [str(mistake) for mistake in mistakes if not mistake.warning]:
        _write(file, before)
        raise NotAccepted("the entry would be faulty: " + "; ".join(wrong), str(file))
    return Accepted(file, said)


def _in_force(network: Network, one: Proposal, since: int) -> Calibration | None:
    node = network.nodes.get(one.node)
    pairs = {
        pair for fitted in (node.fitted if node else ()) for pair in fitted.sensors if pair[1] == one.serial
    }
    if not pairs:
        raise NotAccepted(
            f"{one.node} carries no sensor {one.serial} any more", one.id, "it was swapped since"
        )
    for entries in network.served(pairs.pop(), one.quantity):
        if found := [entry for entry in entries if entry.since <= since]:
            return found[-1]
    return None


def _home(network_file: Path, one: Proposal, base: Calibration | None) -> tuple[Path, tomlkit.TOMLDocument]:
    """The file with the calibration that is built upon, or else with the node."""
    key, name = ("calibration", base.id) if base else ("node", one.node)
    for file in files(network_file, includes(network_file)):
        document = tomlkit.parse(file.read_text("utf-8"))
        if any(entry.get("id") == name for entry in document.get(key, ())):
            return file, document
    raise NotAccepted(f'no file holds {key} "{name}"', str(network_file))


def _said(
    document: tomlkit.TOMLDocument, one: Proposal, base: Calibration | None, since: int
) -> dict[str, Any]:
    """The entry: gain and offset on top of those in force."""
    entries = document.get("calibration", ()) if base else ()
    below: Mapping[str, Any] = next((e for e in entries if base and e.get("id") == base.id), {})
    gain, offset = (base.gain, base.offset) if base else (1.0, 0.0)
    model: dict[str, object] = {}
    if "model" in below:
        name = below.get("fitted_as") or (base.serial if base and base.serial else FLEET)
        model = {"model": str(below["model"]), "fitted_as": str(name)}
    elif base and base.rh:
        model = {"rh": round(one.gain * base.rh, 6)}
    return {
        "id": one.id,
        "since": datetime.fromtimestamp(since // SECOND, UTC),
        "serial": one.serial,
        "quantity": one.quantity,
        **model,
        "gain": round(one.gain * gain, 4),
        "offset": round(one.gain * offset + one.offset, 3),
        "u": round(one.u, 3),
    }


def _table(said: Mapping[str, Any]) -> tomlkit.items.Table:
    table = tomlkit.table()
    for name, value in said.items():
        table.add(name, value)
    return table


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.part")
    draft.write_text(text, "utf-8")
    draft.replace(file)
