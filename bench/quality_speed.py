"""Quality control and calibration of 10 million samples: pandas' time divided by Gongi's, in one process.

1,000 sensors, 10,000 samples each, a sample a minute of PM2.5, humidity and temperature, some frozen for
hours, some jumping. Gongi takes them in blocks as the stream brings them: all sensors, ten minutes at
a time, with what it remembers between (every test of `edge.check`, then `edge.calibrate`).

pandas does range, rate of change, spike, flat line, warm-up, doubled times and the linear correction, sensor
by sensor in a loop over data frames with a DatetimeIndex, in two ways:

- `sensortoolkit`: as US EPA's sensortoolkit does it. Repeated values (`qc.persistent_values`) are a data
  frame with one shifted column of differences per sample of tolerance (3 h of PM2.5 at a minute are 180,
  12 h of humidity and temperature 720), summed by row; warm-ups a `groupby().apply()`.
- `rolling`: the same as a good pandas programmer would write it, flat lines by rolling minimum and maximum.

pandas does every fiftieth sensor and is charged for all: a loop over sensors costs each the same. Times are
CPU times of this process. What both flag is compared, value by value, before anything is timed.

    python -m bench.quality_speed --json
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

from edge.calibrate import calibrate
from edge.check import CheckState, Test, check
from edge.limits import limits
from edge.network import Calibration, Fitted, Network, Node, Placement
from edge.readings import SECOND, Array, Clock, Column, Readings

SENSORS, SAMPLES, STEP = 1000, 10_000, 60
ROWS = 10
START = 1_763_778_000
SHARE = 50
QUANTITIES = ("pm25", "rh", "temp")
KIND = {"pm25": "pms5003", "rh": "scd4x", "temp": "scd4x"}
TESTS = Test.RANGE | Test.RATE | Test.SPIKE | Test.FLAT | Test.WARMING
GAIN, OFFSET, RH = 0.524, 5.75, -0.0862


def series(sensors: int, samples: int) -> dict[str, Array]:
    """Values [sensors, samples] of each quantity as such sensors give them."""
    dice = np.random.default_rng(1)
    walk = np.cumsum(dice.normal(0, 0.5, (sensors, samples)), axis=1)
    pm25 = np.round(20 + 15 * np.abs(np.sin(walk / 20)) + dice.normal(0, 1, walk.shape))
    rh = np.round(45 + 10 * np.sin(walk / 40) + dice.normal(0, 0.3, walk.shape), 1)
    temp = np.round(21 + 2 * np.sin(walk / 60) + dice.normal(0, 0.1, walk.shape), 1)
    for sensor in range(0, sensors, 10):
        at = dice.integers(100, samples - 1000)
        pm25[sensor, at : at + 400] = pm25[sensor, at]
        pm25[sensor, at - 50] += 600
    return {"pm25": pm25, "rh": rh, "temp": temp}


def network(names: tuple[str, ...]) -> Network:
    """Every node with a sensor of each kind, its PM2.5 corrected by humidity."""
    fitted = {name: (("pms5003", f"P-{name}"), ("scd4x", f"S-{name}")) for name in names}
    nodes = {
        name: Node(name, (Placement(0, "hana", "", "outdoor"),), (Fitted(0, fitted[name]),)) for name in names
    }
    lines = tuple(Calibration(0, "line", f"P-{name}", "pm25", GAIN, OFFSET, RH, 2.0) for name in names)
    return Network("gongi/v1", {}, nodes, {}, calibrations=lines)


def blocks(data: dict[str, Array], names: tuple[str, ...]) -> Iterator[Readings]:
    """The stream: ten minutes of all sensors after the other."""
    sensors, samples = data["pm25"].shape
    for begin in range(0, samples, ROWS):
        end = min(begin + ROWS, samples)
        up = np.tile(np.arange(begin, end) * STEP, sensors)
        none = np.zeros(up.size, np.int64)
        yield Readings(
            nodes=names, cals=("",), node=np.repeat(np.arange(sensors, dtype=np.int32), end - begin),
            log=np.ones(up.size, np.uint32), seq=up // STEP, row=none.astype(np.int16),
            time=(START + up) * SECOND, boot=none + 1, up=up, dt=none + STEP, hash=none.astype(np.uint64),
            clock=np.full(up.size, Clock.OWN, np.uint8), cal=none.astype(np.int32),
            columns={q: Column.of_raw(data[q][:, begin:end].ravel()) for q in QUANTITIES},
        )  # fmt: skip


def gongi(given: list[Readings], net: Network) -> list[Readings]:
    """Every block checked and calibrated, the state going along."""
    state, done = CheckState.empty(), []
    for block in given:
        seen, state = check(block, state, net)
        done.append(calibrate(seen, net))
    return done


# -- the same in pandas -------------------------------------------------------------------------------


def frame(data: dict[str, Array], sensor: int) -> pd.DataFrame:
    """A sensor's table, as sensortoolkit holds it."""
    times = pd.date_range(pd.Timestamp(START, unit="s"), periods=data["pm25"].shape[1], freq=f"{STEP}s")
    return pd.DataFrame({f"{q}_Value": data[q][sensor] for q in QUANTITIES}, index=times)


def shifted(values: pd.Series, tolerance: int) -> pd.Series:
    """Where the value is the same as in the `tolerance` rows before, by one column per row of tolerance."""
    change = values.diff()
    window = pd.concat({f"diff_{n}": change.shift(n, freq=f"{STEP}s") for n in range(tolerance)}, axis=1)
    return (window == 0).astype(int).sum(axis=1).reindex(values.index) == tolerance


def rolled(values: pd.Series, tolerance: int) -> pd.Series:
    """The same by a rolling range."""
    window = values.rolling(tolerance + 1)
    return window.max() == window.min()


def pandas(table: pd.DataFrame, flat: Callable[[pd.Series, int], pd.Series]) -> pd.DataFrame:
    """One sensor's table with a code for each quantity, and its PM2.5 corrected."""
    table = table[~table.index.duplicated()]
    for quantity in QUANTITIES:
        bound, values = limits(KIND[quantity], quantity, {}), table[f"{quantity}_Value"]
        seconds = table.index.to_series().diff().dt.total_seconds()
        change = values.diff().abs()
        code = pd.Series(0, index=table.index)
        code[(values < bound.low) | (values > bound.high)] |= int(Test.RANGE)
        code[(values < bound.floor) | (values > bound.ceiling)] |= int(Test.RANGE)
        code[(change > bound.step) & (change > bound.rate * seconds)] |= int(Test.RATE)
        code[(values - (values.shift(1) + values.shift(-1)) / 2).abs() > bound.spike] |= int(Test.SPIKE)
        for after in (bound.flat_suspect, bound.flat_fail):
            if after < np.inf:
                code[flat(values, round(after / STEP))] |= int(Test.FLAT)
        table[f"{quantity}_QAQC_Code"] = code
    table["group"] = (table.index.to_series().diff() != pd.Timedelta(seconds=STEP)).astype(int).cumsum()
    table = table.groupby("group", group_keys=False)[table.columns.tolist()].apply(_warming)
    corrected = GAIN * table["pm25_Value"] + OFFSET + RH * table["rh_Value"]
    table["pm25_Corrected"] = corrected.clip(lower=0)
    return table


def _warming(group: pd.DataFrame) -> pd.DataFrame:
    first = group.index.min()
    begun = (group.index >= first) & (group.index < first + pd.Timedelta(seconds=30))
    group.loc[begun, "pm25_QAQC_Code"] |= int(Test.WARMING)
    return group


# -- side by side -------------------------------------------------------------------------------------


def compare(data: dict[str, Array], sensors: int = 12) -> None:
    """Both flag the same, and correct alike; else nothing is worth timing. Raises SystemExit."""
    some = {name: cells[:sensors] for name, cells in data.items()}
    names = tuple(f"n{number}" for number in range(sensors))
    done = gongi([*blocks(some, names)], network(names))
    for sensor in range(sensors):
        for flat in (rolled, shifted) if sensor in (0, 1) else (rolled,):
            theirs = pandas(frame(some, sensor), flat)
            for quantity in QUANTITIES:
                ours = (
                    np.concatenate([one.columns[quantity].tests[one.node == sensor] for one in done]) & TESTS
                )
                _same(ours, theirs[f"{quantity}_QAQC_Code"].to_numpy(), f"{quantity} of sensor {sensor}")
            ours = np.concatenate([one.columns["pm25"].value[one.node == sensor] for one in done])
            _same(np.round(ours, 6), np.round(theirs["pm25_Corrected"].to_numpy(), 6), "the correction")


def _same(ours: Array, theirs: Array, what: str) -> None:
    # A spike on a block's last row is told with the next block, as a revision.
    differ = (ours != theirs) & (np.arange(ours.size) % ROWS != ROWS - 1)
    if differ.any():
        at = int(np.flatnonzero(differ)[0])
        raise SystemExit(f"bench.quality_speed: {what} differs at sample {at}: {ours[at]}, {theirs[at]}")


def measure(sensors: int, samples: int) -> dict[str, Any]:
    """CPU seconds of each, and their ratios."""
    data = series(sensors, samples)
    compare(data)
    names = tuple(f"n{number}" for number in range(sensors))
    given, net = [*blocks(data, names)], network(names)
    gongi(given[:2], net)  # imports and tables once
    ours = timed(lambda: gongi(given, net))
    mine = range(0, sensors, SHARE)
    spent = {
        way.__name__: timed(lambda way=way: [pandas(frame(data, one), way) for one in mine])  # type: ignore[misc]
        for way in (rolled, shifted)
    }
    charged = {name: seconds * sensors / len(mine) for name, seconds in spent.items()}
    return {
        "samples": sensors * samples,
        "gongi_s": round(ours, 2),
        "gongi_samples_per_s": round(sensors * samples / ours),
        "sensortoolkit_s": round(charged["shifted"], 1),
        "rolling_s": round(charged["rolled"], 1),
        "pandas_sensors": len(mine),
        "ratio": round(charged["shifted"] / ours, 1),
        "ratio_rolling": round(charged["rolled"] / ours, 1),
    }


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of a piece of work."""
    begun = process_time()
    work()
    return process_time() - begun


def main() -> None:
    """Print the figures; exit status 1 where the ratio is below 20."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sensors", type=int, default=SENSORS)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each sensor")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = measure(options.sensors, options.samples)
    shown = "\n".join(f"{name}: {value}" for name, value in figures.items())
    print(json.dumps(figures) if options.json else shown)
    sys.exit(0 if figures["ratio"] >= 20 else 1)


if __name__ == "__main__":
    main()
