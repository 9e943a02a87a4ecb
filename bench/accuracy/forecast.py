"""What `gongi train` and `gongi evaluate` reach on recorded series, beside fixed recipes on the same rows.

Reads the tables of `$GONGI_DATA` (none of them is part of this repository) with the commands that anyone
would use: a model learns from the first 80 % of a table and is judged on the rest.

    GONGI_DATA=/path python -m bench.accuracy.forecast --json
    GONGI_DATA=/path python -m bench.accuracy.forecast --only platform --keep models
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MOST_BYTES = 8192


@dataclass(frozen=True)
class Case:
    """One table (or several, judged together): what to ask for, R² that must be reached whatever LightGBM
    does, by how much 6 h must be above LightGBM, how far average precision may be below it at the farthest
    horizon, and what part of a constant-width interval's score ours may have."""

    name: str
    tables: tuple[str, ...]
    target: str
    horizons: str
    tz: str
    options: tuple[str, ...] = ()
    least: tuple[float, ...] = ()
    farthest: float = 0.01
    slack: float = 0.01
    score: float = 0.85
    both: bool = True


HOURS = "1h,3h,6h"
CASES = (
    Case("Seoul", ("outdoor/seoul_city_2018_2021",), "pm25", HOURS, "Asia/Seoul"),
    Case("Jung-gu", ("outdoor/seoul_junggu_2015_2016",), "pm25", HOURS, "Asia/Seoul", score=0.95),
    Case("Beijing", ("outdoor/beijing_2013_2016",), "pm25", HOURS, "Asia/Shanghai"),
    Case("platform", ("subway/paris_roosevelt_2013_2019",), "pm10", HOURS, "Europe/Paris",
         least=(0.608, 0.394, 0.356), farthest=0.0, slack=0.02),
    Case("rooms", ("rooms/robod_room1", "rooms/robod_room2"), "pm25", "10m,30m,60m", "Asia/Singapore",
         ("--rows",), (0.90, 0.52, 0.22), farthest=0.0, both=False),
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One figure that must be reached: `value` at most (`most`) or at least (not `most`) `target`."""

    what: str
    value: float
    target: float
    most: bool = False
    command: str = field(default="", compare=False)

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value <= self.target if self.most else self.value >= self.target


def main() -> None:
    """Run everything; exit status 1 where a figure isn't reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=[one.name for one in CASES], help="one table alone")
    parser.add_argument("--keep", type=Path, help="keep models and answers in this folder")
    options = parser.parse_args()
    data = os.environ.get("GONGI_DATA")
    if not data:
        parser.error("GONGI_DATA names no folder of recorded data")
    chosen = [one for one in CASES if options.only in (None, one.name)]
    with tempfile.TemporaryDirectory() as folder:
        kept = options.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        answers = {one.name: judged(one, Path(data), kept) for one in chosen}
    figures = [figure for one in chosen for figure in expected(one, answers[one.name])]
    if options.json:
        found = [{**asdict(one), "met": one.met} for one in figures]
        met = all(one.met for one in figures)
        print(json.dumps({"met": met, "figures": found, "answers": answers}, ensure_ascii=False))
    else:
        for one in figures:
            sign = "≤" if one.most else "≥"
            print(f"{'✓' if one.met else '✗'} {one.what}: {one.value:.4f} {sign} {one.target:.4f}")
    sys.exit(0 if all(one.met for one in figures) else 1)


def judged(case: Case, data: Path, folder: Path) -> dict[str, Any]:
    """What `gongi evaluate` says of a freshly trained model."""
    tables = [str(data / f"{name}.csv.gz") for name in case.tables]
    model, zone = str(folder / f"{case.name}.model"), ("--tz", case.tz)
    asked = ("--target", case.target, "--horizons", case.horizons, "--out", model)
    trained, _ = _called("train", *tables, *case.options, *zone, *asked)
    said, command = _called("evaluate", model, *tables, *case.options, *zone, "--against", "lightgbm,ridge")
    (folder / f"{case.name}.json").write_text(json.dumps({"train": trained, "evaluate": said}))
    return {**said, "command": command, "candidates": [one["candidate"] for one in trained["verdicts"]]}


def _called(name: str, *arguments: str) -> tuple[dict[str, Any], str]:
    command = (name, *arguments, "--json")
    done = subprocess.run([sys.executable, "-m", "gateway", *command], stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report, " ".join(("gongi", *command))


def expected(case: Case, said: dict[str, Any]) -> Iterator[Figure]:
    """All figures of one table."""
    yield Figure(f"{case.name}: bytes", said["bytes"], MOST_BYTES, True, said["command"])
    for place, own in enumerate(said["horizons"]):
        rivals = {name: rows[place] for name, rows in said["against"].items()}
        for one in _horizon(case, place, own, rivals):
            yield Figure(
                f"{case.name} {own['horizon']}: {one.what}", one.value, one.target, one.most, said["command"]
            )


def _horizon(case: Case, place: int, own: dict[str, Any], rivals: dict[str, Any]) -> Iterator[Figure]:
    last = place == len(case.horizons.split(",")) - 1
    best = max(one["r2"] for one in rivals.values())
    if case.both:
        yield Figure("R²", own["r2"], best - 0.001)
    if case.least:
        yield Figure("R² asked for", own["r2"], case.least[place])
    if last and case.farthest:
        yield Figure("R² above LightGBM", own["r2"], rivals["lightgbm"]["r2"] + case.farthest)
    yield from _onset(own["onset"], rivals["lightgbm"]["onset"], case.slack if last else 0.01)
    yield Figure("90 % intervals cover at least", own["coverage"], 0.87)
    yield Figure("90 % intervals cover at most", own["coverage"], 0.93, True)
    yield Figure("worst month covered", min(own["coverage_months"].values()), 0.80)
    yield Figure("top tenth covered", own["coverage_top_tenth"], 0.80)
    share = own["interval_score"] / min(one["interval_score_constant"] for one in rivals.values())
    yield Figure("interval score of a constant width's", share, case.score, True)


def _onset(own: dict[str, Any], rival: dict[str, Any] | None, slack: float) -> Iterator[Figure]:
    """Nothing where events are too few to have taught LightGBM."""
    if rival is not None and rival["average_precision"] is not None:
        yield Figure("onset average precision", own["average_precision"], rival["average_precision"] - slack)
        yield Figure("onset F1", own["f1"], rival["f1"] - 0.03)


if __name__ == "__main__":
    main()
