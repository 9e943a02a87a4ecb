"""What `gongi calibrate` reaches on recorded data, against what simple methods reach by the same protocol.

Reads the tables of `$GONGI_DATA/calibration` (none of them is part of this repository) with the commands that
anyone would use, and works out on the same hours and blocks the column `a·PM + b·RH + c`: ordinary least
squares, each block of each sensor left out in turn (PurpleAir: one line for all, as its baseline has).

    GONGI_DATA=/path python -m bench.accuracy.calibration --json
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.fit.sample import Colocation
from edge.fit.solve import least_squares, moments
from gateway.calibration import colocations
from gateway.table import read

ZONES = {"denver": "America/Denver", "rtp": "America/New_York", "purpleair_daily": "America/Chicago"}
LINE = ("raw", "rh")


@dataclass(frozen=True)
class Figure:
    """One figure that must be reached: `value` at most (`most`) or at least (not `most`) `target`."""

    what: str
    value: float
    target: float
    most: bool
    command: str

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value <= self.target if self.most else self.value >= self.target


def main() -> None:
    """Run everything; exit status 1 where a figure isn't reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    folder = os.environ.get("GONGI_DATA")
    if not folder:
        parser.error("GONGI_DATA names no folder of recorded data")
    figures = list(_all(Path(folder) / "calibration"))
    if options.json:
        found = [{**asdict(one), "met": one.met} for one in figures]
        print(json.dumps({"met": all(one.met for one in figures), "figures": found}, ensure_ascii=False))
    else:
        for one in figures:
            sign = "≤" if one.most else "≥"
            print(f"{'✓' if one.met else '✗'} {one.what}: {one.value:.3f} {sign} {one.target:.3f}")
    sys.exit(0 if all(one.met for one in figures) else 1)


def _all(folder: Path) -> Iterator[Figure]:
    yield from _denver(folder / "denver.csv.gz")
    yield from _rtp(folder / "rtp.csv.gz")
    yield from _purpleair(folder / "purpleair_daily.csv.gz")


def _denver(path: Path) -> Iterator[Figure]:
    report, command = _called("fit", path)
    lines = {one.node: _line_rmse([one]) for one in _members(path)}
    for node in report["nodes"]:
        name = node["node"]
        share = 0.85 if name == "cs2" else 0.90
        yield Figure(f"{name}: RMSE", node["cv"]["rmse"], share * lines[name], True, command)
    for day in report["targets"]["daily"]:
        found, name = day["cv"], day["node"]
        yield Figure(f"{name}: EPA daily targets met", float(found["all"]), 1.0, False, command)
        yield Figure(f"{name}: daily slope", found["slope"], 0.85, False, command)
        yield Figure(f"{name}: daily RMSE", found["rmse"], 2.1, True, command)
    yield from _coverage(report, command)
    yield from _transfer(path)


def _coverage(report: dict[str, Any], command: str) -> Iterator[Figure]:
    share = report["coverage"]["share"]
    yield Figure("90 % intervals cover at least", share, 0.87, False, command)
    yield Figure("90 % intervals cover at most", share, 0.93, True, command)
    for node in report["coverage"]["nodes"]:
        yield Figure(f"{node['node']}: worst block covered", node["worst_block"], 0.70, False, command)


def _transfer(path: Path) -> Iterator[Figure]:
    goals = (
        ("node", "references", {"cs1": 0.90, "cs5": 0.85, "cs3": 0.76}),
        ("node", "neighbours", {"cs3": 0.80}),
        ("site", "references", {"cs3": 0.69}),
    )
    for leave, proxies, least in goals:
        report, command = _called("transfer", path, "--leave", leave, "--proxies", proxies)
        for node in report["nodes"]:
            if node["node"] in least:
                what = f"{node['node']}: R², {leave} left out, {proxies}"
                yield Figure(what, node["r2"], least[node["node"]], False, command)


def _rtp(path: Path) -> Iterator[Figure]:
    report, command = _called("fit", path, "--blocks", "5")
    lines = {one.node: _line_rmse([one]) for one in _members(path, 5)}
    for node in report["nodes"]:
        yield Figure(f"{node['node']}: RMSE", node["cv"]["rmse"], lines[node["node"]], True, command)
    yield from list(_coverage(report, command))[:2]


def _purpleair(path: Path) -> Iterator[Figure]:
    report, command = _called("fit", path)
    line = _line_rmse(_members(path))
    yield Figure("PurpleAir: pooled RMSE", report["pooled"]["cv"]["rmse"], 0.95 * line, True, command)
    yield from list(_coverage(report, command))[:2]


def _zone(path: Path) -> str:
    return ZONES.get(path.name.split(".")[0], "UTC")


def _members(path: Path, blocks: int = 10) -> list[Colocation]:
    return colocations(read(path, _zone(path)), "pm25", _zone(path), blocks)


def _called(command: str, path: Path, *options: str) -> tuple[dict[str, Any], str]:
    arguments = ("calibrate", command, str(path), "--tz", _zone(path), *options, "--json")
    done = subprocess.run([sys.executable, "-m", "gateway", *arguments], capture_output=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report, " ".join(("gongi", *arguments))


def _line_rmse(members: list[Colocation]) -> float:
    """The RMSE of `a·PM + b·RH + c`, one line for all members, each numbered block left out in turn."""
    terms = np.concatenate([one.terms(LINE)[one.scored] for one in members])
    truth = np.concatenate([one.reference[one.scored] for one in members])
    block = np.concatenate([one.block[one.scored] for one in members])
    value = np.empty(truth.size)
    for number in np.unique(block):
        out = block == number
        value[out] = least_squares(moments(terms[~out], truth[~out]), 0.0)(terms[out])
    return float(np.sqrt(np.mean((value - truth) ** 2)))


if __name__ == "__main__":
    main()
