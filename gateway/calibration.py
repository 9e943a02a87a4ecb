"""Calibration campaigns from exchange tables, and models on disk."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from edge.check import evaluate
from edge.correction.inputs import Inputs
from edge.correction.model import CorrectionError
from edge.correction.models import ADVICE, Models
from edge.fit.fit import Campaign
from edge.fit.sample import Colocation
from edge.limits import limits
from edge.mean import COMPLETE, means
from edge.network import Fitted, Network, Node, Placement
from edge.problem import Problem
from edge.quantity import QUANTITIES
from edge.readings import SECOND, Array, Clock, Column, Flag, Readings
from gateway.table import HOUR, Table, usual_step

LONG = 60 * 24 * HOUR
"""A campaign of this span [ns] is cut into ten blocks, a shorter one into five."""
FEWEST = 20
NOISE = 10.0
"""How far [unit] below the least that can be a monitor's value may lie by its noise; what lies lower is a
code."""


class NoCampaign(Problem):
    """A table doesn't hold what a calibration needs."""


def colocations(table: Table, quantity: str, tz: str, blocks: int | None = None) -> list[Colocation]:
    """Each device of a table with its reference, in the coarser one's time step; devices with fewer than 20
    rows of both that quality control lets pass, or that never change, are left out. Raises `NoCampaign`."""
    _require(table, quantity)
    percent(table)
    found = []
    for code, name in enumerate(table.device.names):
        rows = np.flatnonzero(table.device.code == code)
        if rows.size >= 2:
            found.append(_colocation(table.take(rows), name, quantity, tz, blocks))
    usable = [one for one in found if _teaches(one)]
    if usable:
        return usable
    most = max((int(one.scored.sum()) for one in found), default=0)
    if most < FEWEST:
        raise NoCampaign(
            f"at most {most} rows in which {quantity} and ref_{quantity} (with rh and temp) both stand",
            table.name,
            "a sensor and its reference stand in the same row; a week of hours is the least",
        )
    raise NoCampaign(
        f"{quantity} or ref_{quantity} never changes where quality control lets it pass",
        table.name,
        "`gongi quality` says what is wrong with it",
    )


def _teaches(one: Colocation) -> bool:
    rows = one.taught
    return int(rows.sum()) >= FEWEST and _varies(one.inputs.raw[rows]) and _varies(one.reference[rows])


def _varies(cells: Array) -> bool:
    return bool((cells != cells[:1]).any())


def percent(table: Table) -> None:
    """Raises `NoCampaign` where a table's humidity is a share instead of per cent."""
    rh = table.numbers.get("rh", np.zeros(0))
    if np.isfinite(rh).sum() >= FEWEST and np.nanmax(rh) <= 1.0 and _varies(rh[np.isfinite(rh)]):
        raise NoCampaign("rh lies between 0 and 1", table.name, "humidity is in per cent: multiply it by 100")


def _require(table: Table, quantity: str) -> None:
    if quantity not in QUANTITIES:
        raise NoCampaign(f'"{quantity}" is no quantity', "--quantity", f"one of {', '.join(QUANTITIES)}")
    for name in (quantity, f"ref_{quantity}"):
        if name not in table.numbers:
            columns = ", ".join(table.numbers)
            raise NoCampaign(f"no column `{name}`", table.name, f"its columns of numbers are {columns}")


def _colocation(table: Table, name: str, quantity: str, tz: str, blocks: int | None) -> Colocation:
    columns = {
        column: cells
        for column, cells in table.numbers.items()
        if column in QUANTITIES and np.isfinite(cells).any()
    }
    columns.setdefault(quantity, table.numbers[quantity])
    reference, suspect = _reference(table, quantity), _suspect(table, name, columns, quantity)
    time, zone = table.time, ZoneInfo(tz)
    own, its = _step(time, columns[quantity]), _step(time, reference)
    step = max(own, its)
    if min(own, its) < COMPLETE * step:
        columns = dict(Inputs.of(quantity, time, own, columns).columns)
        local = _offset(time, zone)
        time, columns, reference, suspect = _averaged(
            time, local, step, (own, its), columns, reference, suspect
        )
    home, visits = _visits(table, time, step)
    found = Colocation(
        node=name,
        site=_site(table, name),
        inputs=Inputs.of(quantity, time, step, columns),
        # A node that travels carries the reference of its first site; what stands elsewhere is for scoring.
        reference=np.where(home, reference, np.nan) if visits else reference,
        suspect=suspect,
        offset=_offset(time, zone),
        blocks=10,
        visits=visits,
    )
    return _cut(found, blocks)


def _visits(table: Table, time: Array, step: int) -> tuple[Array, dict[str, Array]]:
    """Which steps of a device lie at its first site, and which at each other one; none for a device that
    doesn't travel. A step in which it was carried belongs to neither."""
    words = table.words.get("site")
    if words is None or (words.code == words.code[0]).all():
        return np.ones(time.size, bool), {}
    first, last = (np.searchsorted(table.time, time + edge, "left") for edge in (0, step))
    begins, ends = words.code[np.minimum(first, len(table) - 1)], words.code[np.maximum(last - 1, 0)]
    still = begins == ends
    home = still & (begins == words.code[0])
    others = np.unique(words.code[words.code != words.code[0]]).tolist()
    return home, {words.names[code]: still & (begins == code) for code in others}


def _cut(one: Colocation, blocks: int | None) -> Colocation:
    time = one.inputs.time[one.scored]
    span = int(time[-1] - time[0]) if time.size else 0
    fitting = blocks or (10 if span >= LONG else 5)
    return replace(one, blocks=fitting)


def _site(table: Table, name: str) -> str:
    words = table.words.get("site")
    return (words.names[words.code[0]] if words else "") or name


def _step(time: Array, cells: Array) -> int:
    return usual_step(time[np.isfinite(cells)])


def _suspect(table: Table, name: str, columns: Mapping[str, Array], quantity: str) -> Array:
    """Which rows of a device quality control finds suspect or wrong."""
    size, whole = len(table), np.zeros(len(table), np.int64)
    readings = Readings(
        nodes=(name,), cals=("",), node=whole.astype(np.int32), log=np.zeros(size, np.uint32),
        seq=np.arange(size), row=whole.astype(np.int16), time=table.time, boot=whole, up=whole,
        dt=whole + max(_step(table.time, columns[quantity]) // SECOND, 1), hash=whole.astype(np.uint64),
        clock=np.full(size, Clock.OWN, np.uint8), cal=whole.astype(np.int32),
        columns={column: Column.of_raw(cells) for column, cells in columns.items()},
    )  # fmt: skip
    first = int(table.time[0])
    node = Node(name, (Placement(first, "table", "", ""),), (Fitted(first, (("table", name),)),))
    flag = evaluate(readings, Network("", {}, {name: node}, {})).columns[quantity].flag
    bad: Array = (flag == Flag.SUSPECT) | (flag == Flag.FAIL)
    return bad


def _reference(table: Table, quantity: str) -> Array:
    """The reference's cells; those that can't be true, or that its own flag doubts, are missing."""
    cells, bounds = table.numbers[f"ref_{quantity}"], limits("reference", quantity, {})
    sound = (cells >= bounds.low - NOISE) & (cells <= bounds.high)
    flag = table.numbers.get(f"ref_{quantity}_flag", np.zeros(len(table)))
    known: Array = np.where(sound & ~(flag >= Flag.SUSPECT), cells, np.nan)
    return known


def _averaged(
    time: Array,
    local: Array,
    step: int,
    steps: tuple[int, int],
    columns: Mapping[str, Array],
    reference: Array,
    suspect: Array,
) -> tuple[Array, dict[str, Array], Array, Array]:
    """Means over the local clock's spans of `step`, of a sensor and a reference that speak every `steps`
    [ns]; a span is suspect where a quarter of it is."""
    own, its = steps

    def mean(cells: Array, each: int) -> Array:
        return means(time, cells, step, each, local)[1]

    begin, wrong = means(time, suspect.astype(np.float64), step, own, local)
    averaged = {name: mean(cells, own) for name, cells in columns.items()}
    return begin, averaged, mean(reference, its), wrong > 1 - COMPLETE


def _offset(time: Array, zone: ZoneInfo) -> Array:
    """Local time less UTC [ns] at each time."""
    hours, place = np.unique(time // HOUR, return_inverse=True)
    found = (datetime.fromtimestamp(int(hour) * 3600, UTC).astimezone(zone).utcoffset() for hour in hours)
    offsets = np.array([round(one.total_seconds()) * SECOND if one else 0 for one in found], np.int64)
    local: Array = offsets[place]
    return local


def kept(campaign: Campaign) -> dict[str, Any]:
    """What a model file holds: the fleet's correction and each sensor's."""
    return {
        "form": campaign.chosen.form.name,
        "fleet": campaign.fleet.encode(),
        "sensors": [node.correction.encode() for node in campaign.nodes],
    }


def save(campaign: Campaign, path: Path) -> None:
    """Write the model file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(kept(campaign), indent=1), encoding="utf-8")
    draft.replace(path)


def load(path: Path) -> Models:
    """The corrections of a model file. Raises `CorrectionError`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CorrectionError(f"can't be read as a model: {error}", str(path), ADVICE) from None
    return Models.decode(text, str(path))


def plain(thing: Any) -> dict[str, Any]:
    """A dataclass as a JSON object: what isn't a number is null."""
    return {name: _finite(value) for name, value in asdict(thing).items()}


def _finite(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
