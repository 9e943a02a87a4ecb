"""Commands, from samples to silence: repeated, raised, renewed on fresh data alone, never endless."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.readings import SECOND
from tests.proof.bench import Bench
from tests.proof.conftest import network_text
from tests.proof.lives import START

PURIFIER = """
[[actuator]]
id = "p1"
kind = "purifier"
site = "hana"
room = "1-1"
levels = [{cadr = 0}, {cadr = 200, power = 10}, {cadr = 450, power = 25}]
"""
TTL, REPEAT, REPEATS = 300, 15, 3
BEGIN = START - START % 60
"""A Thursday, 09:53 in Seoul."""


class Room:
    """A room's node and purifier at a gateway whose clock the test moves."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.second, self.seq = bench, BEGIN, 0
        self.bench.gateway.clock.monotonic = lambda: float(self.second)  # type: ignore[method-assign]

    def pass_time(self, seconds: int, pm25: float | None = None) -> None:
        """So many seconds, with a batch a minute where `pm25` [µg/m³] is given."""
        for _ in range(seconds):
            self.second += 1
            self.bench.gateway.clock.announce(self.second)
            self.bench.gateway.live.now = self.second * SECOND
            if pm25 is not None and self.second % 60 == 0:
                self._measure(pm25)
            self.bench.gateway._act()

    def _measure(self, pm25: float) -> None:
        self.seq += 1
        up = self.second - BEGIN
        head = {"log": "00000001", "seq": self.seq, "boot": 1, "up": up, "t0": self.second - 50, "dt": 10}
        values = [pm25 + number / 10 for number in range(6)]
        self.bench.take([("n1/obs", json.dumps({**head, "pm25": values}).encode())])

    def says(self, level: int, command: str | None) -> None:
        """The purifier's state."""
        state = {"level": level, "cause": "command", "id": command, "filter_h": 1.0, "at": self.second}
        self.bench.take([("p1/state", json.dumps(state).encode())])

    @property
    def commands(self) -> list[dict[str, Any]]:
        """What was sent to the purifier."""
        sets = (payload for topic, payload in self.bench.sent if topic == "gongi/v1/hana/p1/set")
        return [json.loads(payload) for payload in sets]


@pytest.fixture
def room(network: Path, tmp_path: Path) -> Iterator[Room]:
    text = (
        network_text("n1")
        .replace("sample_s = 600", "sample_s = 10")
        .replace("batch_s = 3600", "batch_s = 60")
    )
    text = text.replace("volume = 180.0", 'volume = 180.0\ntimetable = {mon-fri = "08:40-16:00"}')
    network.write_text(text + PURIFIER, "utf-8")
    bench = Bench(network, tmp_path / "data", BEGIN)
    yield Room(bench)
    bench.close()


def alarms(room: Room) -> set[str]:
    return {kind for kind, _ in room.bench.gateway.live.alarms}


def test_bad_air_makes_a_command_that_says_everything(room: Room) -> None:
    room.pass_time(65, 90.0)
    (command,) = room.commands
    assert list(command) == ["id", "issued", "ttl", "level", "reason", "ko"]
    assert command["id"] == f"{room.bench.gateway.term}-1"
    assert 0 <= room.second - command["issued"] <= 10
    assert (command["ttl"], command["level"] > 0) == (TTL, True)
    assert all("µg/m³" in command[language] for language in ("reason", "ko"))


def test_a_silent_actuator_is_told_again_and_then_an_alarm(room: Room) -> None:
    room.pass_time(65, 90.0)
    room.pass_time(REPEAT * REPEATS + 5, 90.0)
    ids = [command["id"] for command in room.commands]
    assert len(ids) == 1 + REPEATS
    assert len(set(ids)) == 1
    assert "unacknowledged" not in alarms(room)
    room.pass_time(REPEAT, 90.0)
    assert "unacknowledged" in alarms(room)
    assert room.bench.gateway.metrics.value("unacknowledged") == 1
    room.pass_time(600, 90.0)
    assert room.bench.gateway.metrics.value("unacknowledged") == 1
    last = room.commands[-1]
    assert last["id"] != ids[0]
    room.says(last["level"], last["id"])
    assert "unacknowledged" not in alarms(room)
    assert room.bench.gateway.metrics.value("acknowledgements") == 1


def test_while_samples_come_a_command_is_renewed_before_it_ends(room: Room) -> None:
    seen: set[str] = set()
    for _ in range(30):
        room.pass_time(60, 90.0)
        for command in room.commands:
            if command["id"] not in seen:
                seen.add(command["id"])
                room.says(command["level"], command["id"])
    sent = room.commands
    assert all(command["ttl"] == TTL for command in sent)
    gaps = [b["issued"] - a["issued"] for a, b in pairwise(sent)]
    assert max(gaps) < TTL
    counters = [int(command["id"].split("-")[1]) for command in sent]
    assert counters == sorted(counters)
    assert len(set(counters)) >= 10
    assert "unacknowledged" not in alarms(room)


def test_without_fresh_samples_nothing_is_renewed_and_the_last_command_ends(room: Room) -> None:
    room.pass_time(125, 90.0)
    room.says(room.commands[-1]["level"], room.commands[-1]["id"])
    room.pass_time(3600)
    last = room.commands[-1]
    assert last["issued"] + last["ttl"] < BEGIN + 125 + 2 * TTL
    before = len(room.commands)
    room.pass_time(3600)
    assert len(room.commands) == before


def test_the_next_life_of_the_gateway_counts_on(room: Room) -> None:
    """An actuator refuses an id that isn't above the last it obeyed."""
    room.pass_time(65, 90.0)
    room.bench.kill()  # within the second of its start
    again = Room(room.bench)
    again.second, again.seq = room.second, room.seq
    again.pass_time(120, 90.0)
    ids = [tuple(map(int, command["id"].split("-"))) for command in again.commands]
    assert ids == sorted(ids)
    assert ids[-1] > ids[0]


def test_every_command_was_stored_before_it_was_sent(room: Room) -> None:
    room.pass_time(900, 90.0)
    journal = room.bench.gateway.journal
    stored = {
        row["command"]["id"]
        for block in journal.blocks(0, ("command",))
        for row in json.loads(block.body or b"[]")
    }
    assert {command["id"] for command in room.commands} <= stored
    (decided, *_) = journal.blocks(0, ("decision",))
    names = json.loads(decided.header)
    assert names["network"] == room.bench.gateway.live.network.hash
    assert names.keys() == {"model", "network", "policy"}
