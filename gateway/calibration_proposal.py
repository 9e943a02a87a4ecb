"""Proposed recalibrations, kept in the journal with their evidence."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edge.drift import Day
from edge.recalibration import Proposal
from gateway.block import Draft
from gateway.journal import Journal

KIND = "proposal"
"""Their blocks; the header is a proposal's id."""


def keep(journal: Journal, found: Sequence[Proposal], at: int) -> list[Proposal]:
    """Keep proposals in the journal that aren't kept as they are; those that are new under their id."""
    known = kept(journal)
    fresh = [one for one in found if one.id not in known or said(known[one.id]) != said(one)]
    if fresh:
        journal.commit(at, [Draft(KIND, json.dumps(said(one)).encode(), one.id.encode()) for one in fresh])
    return [one for one in fresh if one.id not in known]


def kept(journal: Journal) -> dict[str, Proposal]:
    """Each proposal ever made, as it was made last."""
    found: dict[str, Proposal] = {}
    for block in reversed(journal.heads(KIND, -1)):
        body = journal.body(block)
        one = _proposal(json.loads(body)) if body else None
        if one is not None:
            found[one.id] = one
    return found


def said(one: Proposal) -> dict[str, Any]:
    """A proposal as a JSON object."""
    days = [{name: _finite(value) for name, value in asdict(day).items()} for day in one.days]
    return {**asdict(one), "proxies": list(one.proxies), "days": days}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _proposal(said: Mapping[str, Any]) -> Proposal:
    days = tuple(_day(**day) for day in said["days"])
    return Proposal(**{**said, "proxies": tuple(said["proxies"]), "days": days})


def _day(day: int, sensor: int, proxy: int, flagged: bool | None, **numbers: float | None) -> Day:
    gain, offset, p = (
        float("nan") if numbers[n] is None else float(numbers[n] or 0) for n in ("gain", "offset", "p")
    )
    return Day(day, sensor, proxy, gain, offset, p, flagged)
