"""What `gongi quality` finds in recorded data, against what is plainly wrong in it.

Runs the command that anyone would use over the tables of `$GONGI_DATA/quality` (none of them is part of this
repository; other tables may be named instead) and looks up by itself, with numpy alone, in the series what
must be found: every run of −1, of pm25 above 500, of values that are equal for 12 h and more (codes and
missing hours left out), every one-hour spike of 300 µg/m³ and more, every device that was ever above 500.
All other hours are taken for good: a finding in one is a false alarm, real or not. Station tables give a 0 as
a code too; such hours are counted apart (`zeros`), and as false alarms all the same.

    GONGI_DATA=/path python -m bench.accuracy.quality --json
    python -m bench.accuracy.quality another-city.csv.gz --tz America/Denver
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.readings import Array
from gateway.table import HOUR, Table, read

ZONES = {"denver_school_cs7": "America/Denver", "chicago_2023_daily": "America/Chicago"}
HIGH, SPIKE, STILL = 500.0, 300.0, 12
MOST_FALSE = 0.005
QUANTITIES = ("pm25", "pm10")


@dataclass(frozen=True)
class Wrong:
    """Hours of a device that must be found: from `start` to `end`, `rows` of them, the `worst` value, and
    whether they were."""

    kind: str
    node: str
    quantity: str
    start: str
    end: str
    rows: int
    worst: float
    found: bool


@dataclass
class Outcome:
    """What was found in a table: by kind how many and how many of them were missed, and the false alarms."""

    table: str
    command: str
    wrong: list[Wrong] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    false: dict[str, int] = field(default_factory=dict)
    zeros: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    missed_devices: list[str] = field(default_factory=list)

    @property
    def share(self) -> dict[str, float]:
        """False alarms by quantity, as a share of the other hours."""
        return {name: self.false[name] / max(count, 1) for name, count in self.others.items()}

    @property
    def met(self) -> bool:
        """Whether all was found, and little else."""
        found = all(one.found for one in self.wrong) and not self.missed_devices
        return found and all(share < MOST_FALSE for share in self.share.values())


def main() -> None:
    """Run everything; exit status 1 where something wasn't found, or too much was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tables", nargs="*", type=Path, help="tables [all of $GONGI_DATA/quality]")
    parser.add_argument("--tz", default="Asia/Seoul", help="zone of naive times in named tables")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = os.environ.get("GONGI_DATA")
    if not folder and not options.tables:
        parser.error("GONGI_DATA names no folder of recorded data")
    paths = options.tables or sorted((Path(folder or "") / "quality").glob("*.csv.gz"))
    outcomes = [judge(path, ZONES.get(path.name.split(".")[0], options.tz)) for path in paths]
    met = all(one.met for one in outcomes)
    if options.json:
        told = [{**asdict(one), "share": one.share, "met": one.met} for one in outcomes]
        print(json.dumps({"met": met, "tables": told}, ensure_ascii=False))
    else:
        for one in outcomes:
            print("\n".join(_shown(one)))
    sys.exit(0 if met else 1)


def judge(path: Path, tz: str) -> Outcome:
    """What the command says about a table, held against the series."""
    arguments = ("quality", str(path), "--tz", tz, "--json")
    done = subprocess.run([sys.executable, "-m", "gateway", *arguments], capture_output=True, check=True)
    report, table = json.loads(done.stdout), read(path, tz)
    outcome = Outcome(path.name, " ".join(("gongi", *arguments)))
    for quantity in (name for name in QUANTITIES if name in table.numbers):
        _held(outcome, table, quantity, _flagged(report["findings"], table, quantity))
    outcome.broken = [
        one["node"] for one in report["nodes"] if one["broken"] and one["quantity"] in QUANTITIES
    ]
    high = {one.node for one in outcome.wrong if one.kind == "above 500"}
    marked = {one["node"] for one in report["nodes"] if one["suspect"] + one["fail"]}
    outcome.missed_devices = sorted(high - marked)
    return outcome


def _flagged(findings: list[dict[str, Any]], table: Table, quantity: str) -> Array:
    """The rows that the findings of a quantity cover."""
    flagged = np.zeros(len(table), bool)
    for code, name in enumerate(table.device.names):
        rows = np.flatnonzero(table.device.code == code)
        for one in findings:
            if one["node"] == name and one["quantity"] == quantity:
                first, last = (
                    np.datetime64(one[end].rstrip("Z"), "ns").astype(int) for end in ("start", "end")
                )
                flagged[rows[(table.time[rows] >= first) & (table.time[rows] <= last)]] = True
    return flagged & np.isfinite(table.numbers[quantity])


def _held(outcome: Outcome, table: Table, quantity: str, flagged: Array) -> None:
    wrong = np.zeros(len(table), bool)
    for code, name in enumerate(table.device.names):
        rows = np.flatnonzero(table.device.code == code)
        value, time = table.numbers[quantity][rows], table.time[rows]
        for kind, places in _kinds(value, time, quantity):
            wrong[rows[places]] = True
            at = np.datetime_as_string(time[places[[0, -1]]].astype("datetime64[ns]"), unit="m")
            worst, found = (
                float(value[places][np.abs(value[places]).argmax()]),
                _found(kind, flagged[rows[places]]),
            )
            outcome.wrong.append(
                Wrong(kind, name, quantity, str(at[0]), str(at[1]), int(places.size), worst, found)
            )
    false = flagged & ~wrong
    outcome.others[quantity] = int((~wrong & np.isfinite(table.numbers[quantity])).sum())
    outcome.false[quantity] = int(false.sum())
    outcome.zeros[quantity] = int((false & (table.numbers[quantity] == 0)).sum())


def _found(kind: str, flagged: Array) -> bool:
    """Whether a run was found: every hour of it, but for equal values, which are none at first."""
    return bool(flagged.any() if kind == "equal for 12 h" else flagged.all())


def _kinds(value: Array, time: Array, quantity: str) -> Iterator[tuple[str, Array]]:
    """What is wrong in a device's series, each as the positions of its rows."""
    for code in _runs(value == -1):
        yield "-1", code
    for high in _runs(value > HIGH) if quantity == "pm25" else ():
        yield "above 500", high
    true = np.flatnonzero(np.isfinite(value) & (value >= 0))
    hourly = np.diff(time[true]) <= 3 * HOUR
    same = (
        np.concatenate((np.zeros(1, bool), (np.diff(value[true]) == 0) & hourly))
        if true.size
        else true != true
    )
    for run in _runs(same):
        whole = true[run[0] - 1 : run[-1] + 1]
        if whole.size >= STILL and time[whole[-1]] - time[whole[0]] >= (STILL - 1) * HOUR:
            yield "equal for 12 h", whole
    near = (
        np.flatnonzero((value[true[1:-1]] >= SPIKE) & hourly[:-1] & hourly[1:]) + 1 if true.size > 2 else []
    )
    for place in near:
        before, here, after = value[true[place - 1 : place + 2]]
        if here > 2 * max(before, after):
            yield "spike", true[place : place + 1]


def _runs(mask: Array) -> list[Array]:
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return [np.arange(first, end) for first, end in edges.tolist()]


def _shown(one: Outcome) -> Iterator[str]:
    yield f"{'✓' if one.met else '✗'} {one.table}: {one.command}"
    for wrong in one.wrong:
        if wrong.kind in ("spike", "above 500") or wrong.rows >= STILL or not wrong.found:
            tick, span = "✓" if wrong.found else "✗", f"{wrong.start} – {wrong.end}"
            what = f"{wrong.node} {wrong.quantity} {wrong.kind}"
            yield f"  {tick} {what}: {span}, {wrong.rows} h, {wrong.worst:g}"
    for kind in dict.fromkeys(wrong.kind for wrong in one.wrong):
        of = [wrong for wrong in one.wrong if wrong.kind == kind]
        yield f"  {kind}: {sum(wrong.found for wrong in of)} of {len(of)} runs found"
    yield f"  broken: {', '.join(one.broken) or 'none'}"
    for name, share in one.share.items():
        zeros = f"{one.zeros[name]} of them are 0 in every size" if one.zeros[name] else "none of them is 0"
        false, others = one.false[name], one.others[name]
        yield f"  {name}: {false} false alarms in {others} other hours, {share:.3%}; {zeros}"


if __name__ == "__main__":
    main()
