"""`gongi quality`: what is found in a table, and how it is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.problem import Problem
from gateway.command.quality import quality
from gateway.quality import findings, health, judged
from gateway.table import HOUR, Table, Words, read, write

HOURS = 24 * 20
START = 1_763_769_600 * 1_000_000_000
DICE = np.random.default_rng(7)


def series(size: int = HOURS) -> np.ndarray:
    """Hours of air as a monitor shows it: whole numbers that wander, no two equal ones together."""
    return 20 + 2 * np.round(10 + 8 * np.sin(np.arange(size) / 9 + DICE.normal())) + np.arange(size) % 2


def table(
    columns: dict[str, list[np.ndarray]], names: tuple[str, ...] = ("101",), word: str = "station"
) -> Table:
    time = np.tile(START + HOUR * np.arange(HOURS), len(names))
    code = np.repeat(np.arange(len(names), dtype=np.int32), HOURS)
    numbers = {name: np.concatenate(cells) for name, cells in columns.items()}
    return Table("made", time, {word: Words(names, code)}, numbers)


def told(one: Table, **options: object) -> list[tuple[str, str, int, int, float]]:
    """(device, test, first hour, rows, worst) of each finding."""
    found = findings(judged(one, **options))  # type: ignore[arg-type]
    return [(f.node, f.test, (f.start - START) // HOUR, f.rows, f.worst) for f in found]


def test_good_air_is_left_alone() -> None:
    assert told(table({"pm25": [series()]})) == []


def test_each_run_is_one_finding_with_its_worst_value() -> None:
    pm25 = series()
    pm25[40:43], pm25[60:70], pm25[100], pm25[200:215] = -1, [600, 700, *[650] * 8], 400, 12
    pm25[199], pm25[215] = 11, 13
    found = told(table({"pm25": [pm25]}))
    assert ("101", "range", 40, 3, -1.0) in found
    assert ("101", "range", 60, 10, 700.0) in found
    assert ("101", "flat", 200, 15, 12.0) in found
    assert {test for _, test, hour, rows, _ in found if hour <= 100 < hour + rows} >= {"spike", "rate"}


def test_a_station_that_gives_nothing_but_zeros_gives_codes() -> None:
    pm25, pm10 = series(), series() * 2
    pm25[50], pm10[50], pm25[90] = 0, 0, 0
    found = told(table({"pm25": [pm25], "pm10": [pm10]}))
    assert [one[1:3] for one in found] == [("warming", 50)] * 2


def test_one_of_many_that_says_something_else_is_found_and_indoors_has_no_neighbours() -> None:
    air = series()
    odd = [air + shift for shift in (0, 1, 2, 0)]
    odd[3] = np.where(np.arange(HOURS) // 24 == 5, air * 9, odd[3])
    outdoors = table({"pm25": odd}, ("a", "b", "c", "d"), "node")
    assert {(node, test) for node, test, *_ in told(outdoors) if test == "neighbour"} == {("d", "neighbour")}
    inside = Words(("indoor",), np.zeros(len(outdoors), np.int32))
    rooms = Table("made", outdoors.time, {**outdoors.words, "placement": inside}, outdoors.numbers)
    assert not [test for _, test, *_ in told(rooms) if test == "neighbour"]


def test_a_device_that_says_what_cannot_be_is_broken() -> None:
    good, bad = series(), series()
    bad[:30] = 2500
    fares = health(judged(table({"pm25": [good, bad]}, ("a", "b"))))
    assert [(one.node, one.fail, one.broken) for one in fares] == [("a", 0, False), ("b", 30, True)]


def test_sensors_have_their_own_limits_and_each_may_be_overridden() -> None:
    pm25 = series()
    pm25[80:83], pm25[79], pm25[83] = 17, 16, 18
    assert [one[1:4] for one in told(table({"pm25": [pm25]}), sensor="pms5003")] == []
    changed = {"pm25.flat_suspect": 2 * 3600.0}
    assert ("flat", 80, 3) in [one[1:4] for one in told(table({"pm25": [pm25]}), changes=changed)]


def test_a_table_without_a_known_quantity_is_refused() -> None:
    with pytest.raises(Problem, match="no known quantity"):
        judged(table({"ozone": [series()]}))


def test_the_command_says_it_as_json_as_a_list_and_as_a_page(tmp_path: Path) -> None:
    pm25 = series()
    pm25[40:43] = -1
    path, page = tmp_path / "t.csv.gz", tmp_path / "t.html"
    write(table({"pm25": [pm25]}), path)
    done = CliRunner().invoke(quality, [str(path), "--json", "--html", str(page), "--lang", "ko"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    one = next(one for one in report["findings"] if one["worst"] == -1)
    assert (one["start"], one["end"], one["rows"]) == ("2025-11-23T16:00:00Z", "2025-11-23T18:00:00Z", 3)
    assert report["rows"] == len(read(path)) == HOURS
    assert {"101", "센서가 실제로 잴 수 없는 값입니다."} <= set(
        page.read_text("utf-8").replace("<", ">").split(">")
    )
    listed = CliRunner().invoke(quality, [str(path)])
    assert "1 findings in 480 rows of 1 devices" in listed.output


def test_a_limit_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    write(table({"pm25": [series()]}), tmp_path / "t.csv")
    for wrong in ("pm25.spikes=3", "pm25.spike"):
        refused = CliRunner().invoke(quality, [str(tmp_path / "t.csv"), "--limit", wrong])
        assert refused.exit_code == 2, refused.output
