"""Recalibrations: what would mend a drift, or what a travelling node has shown, with the evidence."""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from edge.drift import DAY_H, FARTHEST, HOUR, RULE, Course, Day, Line, Rule, Watched, likened
from edge.fit.travel import FEWEST, towards
from edge.readings import Array

WORTH = 0.8
"""A recalibration that leaves more than this share of the disagreement isn't worth its entry."""
LONGEST = 32
"""Characters of an entry's id."""


@dataclass(frozen=True)
class Proposal:
    """A recalibration with its evidence: from `since` [ns UTC] on, gain·value + offset of the calibration in
    force, whose disagreement with the proxy [unit RMSE of daily means] was `before` and would be `after`;
    `hours` are what it rests on."""

    id: str
    node: str
    serial: str
    quantity: str
    since: int
    gain: float
    offset: float
    u: float
    kind: str
    proxies: tuple[str, ...]
    hours: int
    before: float
    after: float
    days: tuple[Day, ...] = field(default=(), repr=False)


def proposal(one: Watched, rule: Rule = RULE) -> Proposal | None:
    """What would mend a drift that stands: from the days since it began, at most the last 30."""
    if one.began is None or one.usual is None:
        return None
    course, last = one.course, one.days[-1].day
    first = max(one.began, last - rule.fit_days + 1)
    rows = (course.hours >= first * DAY_H) & (course.hours < (last + 1) * DAY_H)
    proxy = np.maximum(one.usual(course.proxy), 0.0)
    rows &= np.isfinite(course.sensor) & np.isfinite(proxy)
    if rows.sum() < rule.days * DAY_H / 2:
        return None
    line = likened(course.sensor[rows], proxy[rows])
    if not 1 / FARTHEST < line.gain < FARTHEST:
        return None
    before, after = (_apart(cells, proxy[rows], course.hours[rows]) for cells in
                     (course.sensor[rows], np.maximum(line(course.sensor[rows]), 0.0)))  # fmt: skip
    return _proposal(course, line, one.began, rows, (before, after), one.days[-rule.fit_days :])


def carried(course: Course) -> Proposal | None:
    """What a travelling node asks of a sensor that has no reference of its own, from the hours beside it;
    None where they are too few, or where it would bring them together by less than a fifth."""
    rows = np.isfinite(course.sensor) & np.isfinite(course.proxy) & (course.hours >= course.begin)
    if rows.sum() < FEWEST:
        return None
    own, truth, hours = course.sensor[rows], course.proxy[rows], course.hours[rows]
    gain, offset = towards(own, truth)
    before, after = (_apart(cells, truth, hours) for cells in (own, np.maximum(gain * own + offset, 0.0)))
    if not 1 / FARTHEST < gain < FARTHEST or after > WORTH * before:
        return None
    return _proposal(course, Line(gain, offset), int(hours[0]) // DAY_H, rows, (before, after), ())


def _proposal(
    course: Course, line: Line, day: int, rows: Array, apart: tuple[float, float], days: tuple[Day, ...]
) -> Proposal:
    before, after = apart
    return Proposal(
        id=_name(course, day),
        node=course.node,
        serial=course.serial,
        quantity=course.quantity,
        since=day * DAY_H * HOUR,
        gain=line.gain,
        offset=line.offset,
        u=after,
        kind=course.kind,
        proxies=course.proxies,
        hours=int(rows.sum()),
        before=before,
        after=after,
        days=days,
    )


def _name(course: Course, day: int) -> str:
    """An id of at most 32 characters; a long node's name is cut and told apart by its hash."""
    end = f"-{course.quantity}-{np.datetime64(day, 'D')}".replace("_", "-")
    most = LONGEST - len(end)
    if len(course.node) <= most:
        return course.node + end
    return course.node[: most - 5] + "-" + sha256(course.node.encode()).hexdigest()[:4] + end


def _apart(value: Array, proxy: Array, hours: Array) -> float:
    """The root mean square difference of daily means [unit]."""
    _, day, count = np.unique(hours // DAY_H, return_inverse=True, return_counts=True)
    means = [np.bincount(day, cells) / count for cells in (value, proxy)]
    return float(np.sqrt(np.mean((means[0] - means[1]) ** 2)))
