"""Line protocol by column, read back by a parser of its own."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import UNTIMED, Column, Flag, Readings
from gateway.line import SPREAD, air, quoted, tags
from gateway.line_report import OF_KIND, Unreadable
from tests.influx.school import BEGIN, NODES, network, samples

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.floats() | st.floats(0, 100, width=32)
CELLS = st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sampled_from([0, 1, 2, 3, 4, 9]))
Point = tuple[str, dict[str, str], dict[str, object], int]


def parse(line: str) -> Point:
    """A line taken apart by the published rules: measurement, tags, fields, timestamp."""
    head, rest = re.fullmatch(r"((?:\\.|[^\\ ])+) (.*)", line, re.DOTALL).groups()
    name, *pairs = re.split(r"(?<!\\),", head)
    fields = re.findall(r'(\w+)=("(?:\\["\\]|[^"\\])*"|[^, ]+)', rest)
    body = ",".join(f"{key}={value}" for key, value in fields)
    assert rest.startswith(body + " "), rest
    tag = {key: re.sub(r"\\([,= ])", r"\1", value) for key, value in (pair.split("=", 1) for pair in pairs)}
    return name, tag, {key: number(value) for key, value in fields}, int(rest[len(body) + 1 :])


def number(value: str) -> object:
    if value.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    return int(value[:-1]) if value.endswith("i") else float(value)


@given(WORDS)
def test_any_string_comes_back_from_its_quotes(text: str) -> None:
    assert parse(f"air,node=a cal={quoted(text)} 1")[2] == {"cal": text}


@given(st.dictionaries(st.sampled_from(["node", "room", "site"]), WORDS))
def test_tags_come_back_without_what_influxdb_cannot_hold(words: dict[str, str]) -> None:
    held = {key: re.sub(r"[\x00-\x1f\x7f\\]", "_", word) for key, word in words.items() if word}
    line = f"air{tags(**words)} x=1i 1"
    assert parse(line)[1] == held
    assert len(line.splitlines()) >= 1
    assert "\n" not in line


@given(st.lists(CELLS, min_size=1, max_size=12))
def test_every_cell_stands_in_its_row_and_nowhere_else(cells: list[tuple[float, float, float, int]]) -> None:
    raw, value, u = (np.array([cell[place] for cell in cells]) for place in range(3))
    flag = np.array([cell[3] for cell in cells], np.uint8)
    column = Column(raw, value, u, flag, np.zeros(len(cells), np.uint32))
    rows = samples(2).take(np.arange(len(cells)))
    rows = replace(rows, columns={"pm25": column, "rh": rows.columns["rh"]})
    for at, line in enumerate(air(rows, network()).lines):
        fields = {key: got for key, got in parse(line)[2].items() if key.startswith("pm25")}
        assert fields == expected(*cells[at])


def expected(raw: float, value: float, u: float, flag: int) -> dict[str, object]:
    numbers = {"pm25": value, "pm25_raw": raw, "pm25_u": u}
    written = {name: one for name, one in numbers.items() if np.isfinite(one) and flag not in (0, 9)}
    return written | ({"pm25_flag": flag} if flag else {})


def test_a_row_is_a_line_with_its_tags_fields_and_time() -> None:
    rows = samples(1)
    name, tag, fields, time = parse(air(rows, network()).lines[0])
    assert (name, tag) == ("air", {"node": NODES[0], "placement": "wall", "room": "1-1", "site": "hana"})
    assert fields["pm25"] == rows.columns["pm25"].value[0]
    assert fields["pm25_raw"] == rows.columns["pm25"].raw[0]
    assert (fields["pm25_u"], fields["pm25_flag"], fields["cal"]) == (2.5, 1, "lab-2026")
    assert time == (BEGIN + 60) * 10**9 + 1


def test_zero_is_not_missing() -> None:
    column = Column(*(np.zeros(6) for _ in range(3)), np.ones(6, np.uint8), np.zeros(6, np.uint32))
    fields = parse(air(replace(samples(1), columns={"pm25": column}), network()).lines[0])[2]
    assert fields == {"pm25": 0.0, "pm25_raw": 0.0, "pm25_u": 0.0, "pm25_flag": 1, "cal": "lab-2026"}


def test_two_batches_of_one_second_are_two_points() -> None:
    rows = samples(10)
    seconds = replace(rows, time=np.full(len(rows), BEGIN * 10**9), seq=rows.seq + np.arange(len(rows)))
    assert len({parse(line)[3] for line in air(seconds, network()).lines}) == len(rows)
    late = replace(rows, seq=rows.seq + SPREAD)
    assert [parse(line)[3] for line in air(late, network()).lines] == [
        parse(line)[3] for line in air(rows, network()).lines
    ]


def test_what_has_no_time_place_or_quantity_is_left_out_and_counted() -> None:
    rows = samples(3)
    time = rows.time.copy()
    time[:2] = UNTIMED
    columns = {name: column.map(np.copy) for name, column in rows.columns.items()}
    for column in columns.values():
        column.flag[2:5] = Flag.ABSENT
    built = air(replace(rows, time=time, columns=columns, nodes=("stranger", *NODES[1:])), network())
    assert built.left_out == {"untimed": 2, "unplaced": 4}
    built = air(replace(rows, time=time, columns=columns), network())
    assert (len(built.lines), built.left_out) == (13, {"untimed": 2, "empty": 3})


def test_a_node_is_placed_as_of_its_sample() -> None:
    rows = samples(30)
    move = int(rows.time[90])
    built = air(rows, network(since=move))
    assert built.left_out == {"unplaced": int((rows.time < move).sum())}


def test_no_rows_are_no_lines() -> None:
    assert air(Readings.empty(), network()).lines == []


def test_forecasts_stand_at_their_target() -> None:
    ahead = {"horizon_s": 600, "target": 2 * 10**18, "value": 31.5, "lower": 20, "upper": 44.25}
    issued = {"node": NODES[0], "quantity": "pm25", "issued": 10**18, "model": 'ridge "3"'}
    issued["horizons"] = [ahead]
    silent = issued | {"horizons": [ahead | {"value": None}]}
    body = json.dumps([issued, issued | {"node": "stranger"}, {"node": 1}, silent]).encode()
    built = OF_KIND["forecast"](body, network())
    name, tag, fields, time = parse(built.lines[0])
    assert (name, time, tag["horizon"], tag["room"]) == ("forecast", 2 * 10**18, "600", "1-1")
    assert fields == {"value": 31.5, "lower": 20.0, "upper": 44.25, "issued": 10**18, "model": 'ridge "3"'}
    assert len(built.lines) == 1
    assert built.left_out == {"unplaced": 1, "malformed": 1, "empty": 1}


def test_states_name_the_actuator_and_its_room() -> None:
    payload = {"level": 2, "cause": "command", "id": "1763778000-17", "filter_h": 12.5, "at": None}
    states = [{"at": 5, "device": "p-1", "site": "hana", "payload": payload}]
    (line,) = OF_KIND["state"](json.dumps(states).encode(), network()).lines
    assert parse(line) == (
        "actuator",
        {"actuator": "p-1", "kind": "purifier", "room": "1-1", "site": "hana"},
        {"level": 2.0, "cause": "command", "command": "1763778000-17", "filter_h": 12.5},
        5,
    )


def test_a_body_that_is_no_list_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not a JSON list"):
        OF_KIND["forecast"](b"{}", network())
