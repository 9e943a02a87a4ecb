"""Drift watched on recorded data: how often it cries wolf, and how soon it finds what was put in.

Denver: five sensors, corrected by their own fits (in sample), beside the median of other sites' references
and of each other. False drifts: those that begin in 270 days. Delay: days until a change put in on day 200 is
found, and what the proposal then asks for.

    GONGI_DATA=... python -m bench.accuracy.drift --json
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.drift import DAY_H, HOUR, RULE, Course, Watched, began, judged, median_of
from edge.fit.fit import Campaign, fit
from edge.readings import Array
from edge.recalibration import proposal
from gateway.calibration import colocations
from gateway.table import read

TZ = "America/Denver"
START = 200
"""Day on which a drift is put in."""

Change = Callable[[Array, Array], Array]
CHANGES: Mapping[str, Change] = {
    "gain 0.6": lambda cells, _: 0.6 * cells,
    "gain 1.6": lambda cells, _: 1.6 * cells,
    "offset 8": lambda cells, _: cells + 8.0,
    "1 % a day": lambda cells, days: cells * np.maximum(0.2, 1 - 0.01 * days),
}


@dataclass(frozen=True)
class City:
    """Corrected values and references by node, at consecutive hours; NaN where there are none."""

    hours: Array
    values: Mapping[str, Array]
    references: Mapping[str, Array]
    site: Mapping[str, str]

    @classmethod
    def of(cls, campaign: Campaign) -> "City":
        """The city of a campaign."""
        ones = {node.one.node: node for node in campaign.nodes}
        ends = [node.one.inputs.time[[0, -1]] // HOUR for node in campaign.nodes]
        hours = np.arange(min(end[0] for end in ends), max(end[1] for end in ends) + 1)

        def on(time: Array, cells: Array) -> Array:
            row = np.full(hours.size, np.nan)
            row[time // HOUR - hours[0]] = cells
            return row

        values = {n: on(o.one.inputs.time, o.correction.value(o.one.inputs)) for n, o in ones.items()}
        references = {n: on(o.one.inputs.time, o.one.reference) for n, o in ones.items()}
        return cls(hours, values, references, {n: o.one.site for n, o in ones.items()})

    def drifted(self, node: str, change: Change) -> "City":
        """The same with one node that drifts from day START on."""
        days = (self.hours - self.hours[0]) / DAY_H - START
        own = self.values[node]
        other = np.where(days >= 0, np.maximum(change(own, np.maximum(days, 0)), 0), own)
        return replace(self, values={**self.values, node: other})

    def until(self, hour: int) -> "City":
        """The same as it was known at an hour."""
        rows = self.hours < hour
        values, references = ({n: c[rows] for n, c in t.items()} for t in (self.values, self.references))
        return replace(self, hours=self.hours[rows], values=values, references=references)

    def watched(self, kind: str) -> list[Watched]:
        """Every node beside its references or its neighbours."""
        return judged([self._course(node, kind) for node in self.values])

    def _course(self, node: str, kind: str) -> Course:
        if kind == "references":
            # One monitor a site: several sensors may stand beside it.
            near = {self.site[n]: c for n, c in self.references.items() if self.site[n] != self.site[node]}
        else:
            near = {n: c for n, c in self.values.items() if n != node}
        own = self.values[node]
        begin = int(self.hours[np.isfinite(own).argmax()])
        return Course(node, node, "pm25", kind, tuple(near), self.hours, own, median_of(near), begin)


def false_alarms(one: Watched) -> int:
    """How many drifts begin in a course."""
    starts = {began(one.days[: place + 1]) for place in range(len(one.days))}
    return len(starts - {None})


def found(city: City, node: str, kind: str) -> tuple[int, Watched] | None:
    """After how many days a drift is known, and what is known then."""
    first = int(city.hours[0]) // DAY_H + START
    one = _of(city.watched(kind), node)
    for place, day in enumerate(one.days):
        if day.day >= first + RULE.days - 1 and (at := began(one.days[: place + 1])) and at >= first:
            return day.day - first, _of(city.until((day.day + 1) * DAY_H).watched(kind), node)
    return None


def _of(courses: list[Watched], node: str) -> Watched:
    return next(one for one in courses if one.course.node == node)


def measure(city: City) -> Iterator[dict[str, object]]:
    """One row per kind of proxy, node and change."""
    for kind in ("references", "neighbours"):
        for one in city.watched(kind):
            node, said = one.course.node, [day for day in one.days if day.flagged is not None]
            flagged = sum(bool(day.flagged) for day in said)
            row = {"by": kind, "node": node, "days": len(said), "flagged": flagged}
            yield {**row, "false_drifts": false_alarms(one)}
        for name, change in CHANGES.items():
            for node in city.values:
                yield {
                    "by": kind,
                    "node": node,
                    "change": name,
                    **_delay(city.drifted(node, change), node, kind),
                }


def _delay(city: City, node: str, kind: str) -> dict[str, object]:
    seen = found(city, node, kind)
    mend = proposal(seen[1]) if seen else None
    if seen is None or mend is None:
        return {"days_until_found": seen[0] if seen else None}
    asked = {name: round(getattr(mend, name), 2) for name in ("gain", "offset", "before", "after")}
    return {"days_until_found": seen[0], **asked}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    data = os.environ.get("GONGI_DATA")
    if not data:
        raise SystemExit("bench.accuracy.drift: GONGI_DATA must name the folder of recorded data")
    table = read(Path(data) / "calibration" / "denver.csv.gz", TZ)
    rows = list(measure(City.of(fit(colocations(table, "pm25", TZ), table.hash))))
    if options.json:
        print(json.dumps({"denver": rows}))
        return
    for row in rows:
        print("  ".join(f"{name}: {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
