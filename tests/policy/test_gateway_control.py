"""Decisions in the gateway: rooms together, at the latest every minute, within a site's power."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.decision import Policy
from edge.forecast import Forecaster, Forecasts
from edge.network import Actuator, Energy, Level, Network, Node, Placement, Room, Site, Timetable
from edge.readings import SECOND
from edge.report import State
from edge.room import Balance
from gateway.actuate import Actuate
from gateway.clock import DataClock
from gateway.control import Decide
from gateway.foreign import Foreign
from gateway.journal import Journal
from gateway.live import Known, Latest, Live, Value
from gateway.metrics import Metrics
from gateway.network import check
from gateway.present import Alarms
from gateway.river import Block

NOON = 1_763_780_400
ALWAYS = Timetable(tuple((day, 0, 1440) for day in range(7)))
LEVELS = (Level(), Level(300, 0, 20), Level(700, 0, 60))


def network(most_w: float | None = None, timer: bool = True) -> Network:
    rooms = {name: Room(name, "", "", 180.0, ALWAYS) for name in ("a", "b")}
    site = Site("hana", "", "", "Asia/Seoul", rooms, energy=Energy(most_w=most_w))
    places = {"a-n": "a", "b-n": "b", "yard": ""}
    return Network(
        "gongi/v1",
        {"hana": site},
        {name: Node(name, (Placement(0, "hana", room, "x"),)) for name, room in places.items()},
        {
            f"{room}-p": Actuator(f"{room}-p", "purifier", "hana", room, LEVELS, timer=timer, safe_occupied=1)
            for room in rooms
        },
    )


class Bench:
    """The stage and what stands around it."""

    def __init__(self, folder: Path, files: Network) -> None:
        self.clock, self.live = DataClock(), Live(files)
        self.journal, self.metrics = Journal(folder / "journal.sqlite"), Metrics()
        self.sent: list[tuple[str, dict[str, object]]] = []
        policy = Policy()
        alarms, foreign = Alarms(self.live), Foreign(self.live)
        told = (self._publish, alarms, self.metrics, 7, foreign)
        self.actuate = Actuate(self.live, self.journal, policy, *told)
        forecaster = Forecaster()
        self.decide = Decide(self.live, policy, self.actuate, forecaster, self.clock, self.metrics)
        self.at(0)

    def _publish(self, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, json.loads(payload)))
        return True

    def at(self, second: int, **dust: float) -> None:
        """It is so late, and these nodes have just said so much PM2.5."""
        self.clock.announce(NOON + second)
        self.live.now = (NOON + second) * SECOND
        for node, value in dust.items():
            values = {"pm25": Value(value, value, 0.0, 1)}
            self.live.latest[node.replace("_", "-")] = Latest(self.live.now, values)

    def turn(self) -> dict[str, tuple[int | None, str]]:
        """What an empty block decides."""
        found = self.decide(Block()).decisions
        return {one.actuator: (one.level, one.key) for one in found}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path, network())
    yield one
    one.journal.close()


def test_a_room_without_news_is_decided_for_every_minute(bench: Bench) -> None:
    assert bench.turn() == {}
    bench.at(30, a_n=80.0, b_n=5.0, yard=90.0)
    assert bench.turn() == {}
    bench.at(61)
    assert bench.turn() == {"a-p": (2, "over"), "b-p": (0, "below")}
    bench.at(75)
    assert bench.turn() == {}
    bench.at(400)
    assert bench.turn() == {"a-p": (None, "stale"), "b-p": (None, "stale")}


def test_a_command_carries_its_reason_in_both_languages(bench: Bench) -> None:
    bench.turn()
    bench.at(61, a_n=80.0, b_n=5.0, yard=90.0)
    bench.turn()
    said = dict(bench.sent)["gongi/v1/hana/a-p/set"]
    assert said["reason"] == "PM2.5 is 80 µg/m³, above 35"
    assert "80" in str(said["ko"])
    assert said["ko"] != said["reason"]
    assert said["level"] == 2


def test_decisions_are_kept_with_their_candidates_and_what_they_rest_on(bench: Bench) -> None:
    bench.live.rooms = "0123456789abcdef"
    bench.turn()
    bench.at(61, a_n=80.0, b_n=5.0, yard=90.0)
    bench.turn()
    (block,) = bench.journal.blocks(0, ("decision",))
    assert json.loads(block.header)["rooms"] == "0123456789abcdef"
    rows = [row["decision"] for row in json.loads(block.body or b"")]
    assert {row["actuator"]: len(row["candidates"]) for row in rows} == {"a-p": 3, "b-p": 3}


def test_forecasts_of_rooms_without_actuators_are_kept_too(bench: Bench) -> None:
    said = {"nodes": ("yard",), "origin": np.array([NOON * SECOND]), "horizons": (600,)}
    said |= {"model": "m", "quantity": "pm25"}
    cells = {name: np.array([[12.0]]) for name in Forecasts.__slots__ if name not in said}
    bench.decide(Block(asked=("yard",), forecasts=Forecasts(**said, **cells)))
    (block,) = bench.journal.blocks(0, ("forecast",))
    assert json.loads(block.body or b"")[0]["node"] == "yard"
    assert bench.journal.blocks(0, ("decision",)) == []


def test_a_command_on_its_way_counts_as_obeyed(bench: Bench) -> None:
    bench.turn()
    bench.at(61, a_n=80.0, b_n=5.0, yard=90.0)
    bench.turn()
    assert bench.actuate.expected("a-p").level == 2
    assert bench.actuate.running("a-p").level is None
    command = dict(bench.sent)["gongi/v1/hana/a-p/set"]["id"]
    bench.actuate.heard("a-p", State(level=2, cause="command", id=str(command)), bench.live.now)
    assert bench.actuate.expected("a-p") == bench.actuate.running("a-p")


def test_an_identified_room_is_looked_after_as_far_ahead_as_it_needs(bench: Bench) -> None:
    bench.live.balances["hana", "a"] = Known(Balance.of(bench.live.network.sites["hana"].rooms["a"]), 3600)
    bench.turn()
    bench.at(61, a_n=80.0, b_n=80.0, yard=90.0)
    found = {one.actuator: one.details["minutes"] for one in bench.decide(Block()).decisions}
    assert found == {"a-p": 60, "b-p": 30}


def test_the_worst_room_has_the_site_s_power_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path, network(most_w=80.0))
    bench.turn()
    bench.at(61, a_n=60.0, b_n=90.0, yard=120.0)
    assert bench.turn() == {"b-p": (2, "over"), "a-p": (1, "power")}
    bench.journal.close()


def test_a_device_without_a_timer_is_told_its_safe_level(tmp_path: Path) -> None:
    bench = Bench(tmp_path, network(timer=False))
    bench.turn()
    bench.at(61)
    assert bench.turn() == {"a-p": (1, "safe"), "b-p": (1, "safe")}
    bench.journal.close()


FILES = {
    "root": "gongi/v1",
    "site": [
        {
            "id": "hana",
            "energy": {"price": 120, "peak_price": 190, "peak": {"mon-fri": "10:00-12:00"}, "most_w": 800},
            "room": [{"id": "a", "volume": 180, "quiet": {"mon": "12:30-13:00"}, "confidence": 0.9}],
        }
    ],
    "actuator": [
        {
            "id": "p", "kind": "purifier", "site": "hana", "room": "a", "quiet_level": 1, "min_run_s": 900,
            "min_rest_s": 300, "levels": [{}, {"cadr": 200, "power": 20}],
        }
    ],
}  # fmt: skip


def test_the_files_say_energy_quiet_hours_and_paces() -> None:
    found, mistakes = check({"network.toml": FILES})
    assert not mistakes
    assert found is not None
    site, purifier = found.sites["hana"], found.actuators["p"]
    assert (site.energy.price, site.energy.peak_price, site.energy.most_w) == (120, 190, 800)
    assert (site.rooms["a"].confidence, site.rooms["a"].quiet.weekly) == (0.9, ((0, 750, 780),))
    assert (purifier.quiet_level, purifier.min_run_s, purifier.min_rest_s) == (1, 900, 300)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("site.0.energy.most_w", 10, "site[hana].energy.most_w: found 10.0, wanted enough for actuator[p]"),
        ("site.0.energy.peak", {}, 'site[hana].energy.peak: found "no hours"'),
        ("site.0.energy.price", -1, "site[hana].energy.price: found -1, wanted a number from 1"),
        ("site.0.energy.pryce", 1, 'site[hana].energy.pryce: found pryce, wanted the key "price"'),
        ("site.0.room.0.confidence", 1.5, "confidence: found 1.5, wanted a number from 0.5 to 0.99"),
        ("site.0.room.0.quiet", {"mon": "x"}, "quiet"),
        ("actuator.0.quiet_level", 7, "actuator[p].quiet_level: found 7, wanted a level from 0 to 1"),
        ("actuator.0.min_run_s", "long", "actuator[p].min_run_s"),
    ],
)
def test_mistakes_in_them_are_named(path: str, value: object, said: str) -> None:
    files = json.loads(json.dumps(FILES))
    *way, last = path.split(".")
    place = files
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    found, mistakes = check({"network.toml": files})
    assert found is None
    assert any(said in str(one).replace('"pryce"', "pryce") for one in mistakes), [str(m) for m in mistakes]
