"""How long the means of 100 nodes take: CPU for an hour and a day of samples every 10 s, indices included.

The samples stand in an archive as the gateway writes it; nothing is sent. `share` is what a day of it, 24
hours and a day's means, takes of one core.

    python -m bench.means --json
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from edge.network import Network, Node, Placement, Room, Site, Timetable
from edge.readings import KEYS, SECOND, Column, Flag, Readings
from gateway.archive import HOUR, Archive
from gateway.drafts import readings_draft
from gateway.history import History
from gateway.journal import Journal
from gateway.means_flow import Averaging
from gateway.means_span import DAY

FIRST = 20_000 * DAY - 9 * HOUR
QUANTITIES = ("pm1", "pm25", "pm10", "rh", "temp", "co2")
STEP = 10


def network(nodes: int) -> Network:
    """One site; every node in a room of its own, the first outdoors."""
    rooms = {f"r{at}": Room(f"r{at}", "", "", 180.0, Timetable()) for at in range(1, nodes)}
    where = [("", "outdoor"), *((room, "indoor") for room in rooms)]
    placed = {f"n{at}": Node(f"n{at}", (Placement(0, "hana", *one),)) for at, one in enumerate(where)}
    return Network("gongi/v1", {"hana": Site("hana", "", "", "Asia/Seoul", rooms)}, placed, {})


def hour(number: int, nodes: int) -> Readings:
    """An hour's samples of all nodes."""
    dice = np.random.default_rng(number)
    step, node = (
        cells.ravel() for cells in np.meshgrid(np.arange(3600 // STEP), np.arange(nodes), indexing="ij")
    )
    at = FIRST + number * HOUR + step * STEP * SECOND
    keys = {name: np.zeros(at.size, kind) for name, kind in KEYS.items()}
    keys |= {"node": node.astype(np.int32), "seq": number * 1000 + step, "time": at}
    keys |= {"dt": np.full(at.size, STEP), "clock": np.ones(at.size, np.uint8)}
    columns = {name: Column.of_raw(np.round(dice.uniform(1, 90, at.size), 1)) for name in QUANTITIES}
    for column in columns.values():
        column.flag[:] = Flag.GOOD
    return Readings(nodes=tuple(f"n{at}" for at in range(nodes)), cals=("",), columns=columns, **keys)


def archived(folder: Path, nodes: int) -> tuple[Journal, History]:
    """A day and an hour in an archive."""
    journal = Journal(folder / "journal.sqlite")
    archive = Archive(folder / "archive", journal)
    for number in range(25):
        rows = hour(number, nodes)
        (block,) = journal.commit(1, readings_draft(rows, 1, b""))
        at = FIRST // HOUR + number
        name, digest = archive.write(at, rows, np.full(len(rows), block), lambda node, time: "hana")
        journal.enter(at, name, len(rows), digest, [block])
    journal.release(journal.newest())
    return journal, History(journal, archive)


def spent(averaging: Averaging, now: int) -> tuple[float, float, int]:
    """CPU [s] until nothing is due at `now`, the longest piece of it, and the lines made."""
    began, longest, lines = time.process_time(), 0.0, 0
    while True:
        piece = time.process_time()
        made = averaging.step(now)
        longest = max(longest, time.process_time() - piece)
        if made is None:
            return time.process_time() - began, longest, lines
        lines += len(made.lines)


def measure(folder: Path, nodes: int) -> dict[str, float]:
    """A day's hours one after the other, as they end; then the day."""
    journal, history = archived(folder, nodes)
    files = network(nodes)
    averaging = Averaging(journal, history, lambda: files, hurry=True)
    hours, pieces = [], []
    for number in range(25):
        averaging.due.mark(hour(number, nodes), files)
        now = FIRST + (number + 1) * HOUR
        days = {
            key: averaging.due.waits.pop(key) for key in list(averaging.due.waits) if key.span.width == DAY
        }
        cpu, longest, _ = spent(averaging, now)
        hours.append(cpu)
        pieces.append(longest)
        averaging.due.waits.update(days)
    day, longest, lines = spent(averaging, FIRST + 25 * HOUR)
    journal.close()
    typical = float(np.median(hours))
    return {
        "nodes": nodes,
        "samples_an_hour": nodes * 3600 // STEP,
        "hour_s": round(typical, 3),
        "day_s": round(day, 3),
        "longest_piece_s": round(max(*pieces, longest), 3),
        "points_of_the_day": lines,
        "share": round((24 * typical + day) / 86_400, 6),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--nodes", type=int, default=100)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="gongi-means-") as folder:
        said = measure(Path(folder), asked.nodes)
    if asked.json:
        print(json.dumps(said))
    else:
        print("\n".join(f"{name:18} {value}" for name, value in said.items()))


if __name__ == "__main__":
    main()
