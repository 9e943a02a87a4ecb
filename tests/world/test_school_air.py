"""Days in a virtual school: seeded, plausible, and better where purifiers run."""

import socket
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.network import Actuator, Fitted, Level, Network, Node, Placement, Room, Site, Timetable
from gateway.world import Air, Episode, Fault, Recorded, Weather, World, wired
from gateway.world.airflow import modes
from gateway.world.building import CO2, HEAT, PENETRATION, SETTLING, Drive, capacity, flows, outside
from gateway.world.people import Activity
from gateway.world.sensing import Sense, atmospheric, character

MONDAY = datetime(2026, 11, 22, 15, 0, tzinfo=UTC).timestamp()
"""00:00 of Monday 2026-11-23 in Seoul."""
HOUR, YEAR = 3600.0, 365 * 86400.0
WEEKDAYS = Timetable(tuple((day, start, end) for day in range(5) for start, end in ((520, 730), (780, 870))))
LEVELS = (Level(), Level(250, 0, 12), Level(500, 0, 28), Level(800, 0, 65))
ROOM = Room("3-2", "3학년 2반", "Class 3-2", 189.0, WEEKDAYS, occupants=24)
HALL = Room("5-1", "5학년 1반", "Class 5-1", 189.0, WEEKDAYS, occupants=24, ventilation="mechanical")
SITE = Site("hana", "하나", "Hana", "Asia/Seoul", {"3-2": ROOM, "5-1": HALL}, frozenset({date(2026, 11, 25)}))
NODE = Node(
    "3-2-a", (Placement(0, "hana", "3-2", "indoor"),), (Fitted(0, (("pms5003", "P-1"), ("scd4x", "S-1"))),)
)
YARD = Node("yard", (Placement(0, "hana", "", "outdoor"),), (Fitted(0, (("pms5003", "P-2"),)),))
NETWORK = Network(
    "gongi/v1",
    {"hana": SITE},
    {"3-2-a": NODE, "yard": YARD},
    {"3-2-p": Actuator("3-2-p", "purifier", "hana", "3-2", LEVELS)},
)


def lived(seed: int = 1, level: int = 0, days: float = 2, start: float = MONDAY) -> tuple[World, np.ndarray]:
    """A world after some days, and (PM2.5 inside, PM10 inside, CO2, PM2.5 outside) every ten minutes."""
    world = World(NETWORK, start=start, seed=seed, step=60)
    world.settle()
    world.machines["3-2-p"].turn(level)
    rows = []
    for step in range(int(days * 144)):
        world.live(start + (step + 1) * 600)
        air, outside = world.air("hana", "3-2"), world.air("hana")
        rows.append((air.pm25, air.pm10, air.co2, outside.pm25))
    return world, np.array(rows)


def test_the_same_seed_is_the_same_world_and_another_is_not() -> None:
    assert np.array_equal(lived(seed=3, days=0.5)[1], lived(seed=3, days=0.5)[1])
    assert not np.allclose(lived(seed=3, days=0.5)[1], lived(seed=4, days=0.5)[1])


def test_nights_are_quiet_and_lessons_are_stuffy() -> None:
    _, air = lived()
    clock = np.arange(len(air)) / 6 % 24
    night, lesson = air[clock < 6], air[(clock > 10) & (clock < 12)]
    assert night[:, 2].max() < 520
    assert 1000 < lesson[:, 2].max() < 2600
    assert lesson[:, 1].mean() > 1.5 * night[:, 1].mean()  # people raise coarse dust
    assert 0.3 < (night[:, 0] / night[:, 3]).mean() < 0.9


def test_a_holiday_and_a_weekend_have_no_lessons() -> None:
    for day in (2, 5):
        _, air = lived(days=1, start=MONDAY + day * 24 * HOUR)
        assert air[:, 2].max() < 520


def test_a_purifier_halves_the_dust_and_leaves_the_carbon_dioxide() -> None:
    world, _ = lived(level=2)
    with_it, without = (world.summary().exposures["hana", "3-2"][s] for s in ("commanded", "off"))
    assert with_it.occupied_pm25 < 0.6 * without.occupied_pm25
    assert with_it.occupied_co2 == pytest.approx(without.occupied_co2, rel=0.05)
    assert world.summary().energy["3-2-p"] == pytest.approx(48 * 0.028, rel=1e-6)
    assert world.summary().turns["3-2-p"] == 1


def test_mechanical_ventilation_keeps_carbon_dioxide_down() -> None:
    world, _ = lived()
    rooms = world.summary().exposures
    assert rooms["hana", "5-1"]["off"].occupied_co2 < 0.8 * rooms["hana", "3-2"]["off"].occupied_co2


def test_a_worn_filter_cleans_less() -> None:
    def after(hours: float) -> float:
        world = World(NETWORK, start=MONDAY, step=60, filter_hours={"3-2-p": hours})
        world.settle()
        world.machines["3-2-p"].turn(3)
        world.live(MONDAY + 6 * HOUR)
        return world.air("hana", "3-2").pm25

    assert after(9000) > 1.8 * after(0)


def test_physics_hardly_depends_on_its_step() -> None:
    fine, coarse = (World(NETWORK, start=MONDAY, step=step) for step in (10.0, 120.0))
    for world in (fine, coarse):
        world.settle()
        world.live(MONDAY + 11 * HOUR)
    a, b = (world.air("hana", "3-2") for world in (fine, coarse))
    assert (a.pm25, a.co2, a.temp) == pytest.approx((b.pm25, b.co2, b.temp), rel=0.03)


def test_weather_has_the_seasons_and_the_episodes_of_seoul() -> None:
    winter, summer = (_month(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (1, 8))
    assert -12 < np.mean([air.temp for air in winter]) < 4
    assert 22 < np.mean([air.temp for air in summer]) < 31
    fine = [air.pm25 for seed in range(1, 7) for air in _month(MONDAY, seed)]
    assert 18 < np.median(fine) < 32
    assert 0.01 < np.mean(np.array(fine) > 75) < 0.15
    assert max(air.pm10 for seed in range(1, 7) for air in _month(MONDAY, seed)) > 250  # yellow dust


def _month(start: float, seed: int = 1) -> list[Air]:
    weather = Weather(seed, start)
    return [weather.at(start + hour * HOUR) for hour in range(720)]


def test_an_episode_rises_when_it_is_told_to() -> None:
    world = World(NETWORK, start=MONDAY, episodes=(Episode(MONDAY + HOUR, 4, 150, 220),))
    assert world.outdoors("hana", MONDAY + 0.9 * HOUR).pm25 < 75
    assert world.outdoors("hana", MONDAY + 3 * HOUR).pm25 == pytest.approx(150, rel=0.2)
    assert world.outdoors("hana", MONDAY + 6 * HOUR).pm25 < 75


def test_a_recorded_table_is_followed_between_its_rows_and_repeated() -> None:
    time = np.array([1000.0, 4600.0, 8200.0])
    table = Recorded(time, {"pm25": np.array([10.0, np.nan, 50.0])}, MONDAY, Weather(1, MONDAY))
    assert table.at(MONDAY).pm25 == pytest.approx(10)
    assert table.at(MONDAY + 3600).pm25 == pytest.approx(30)
    assert table.at(MONDAY + 7200 + 3600).pm25 == pytest.approx(30)
    assert table.at(MONDAY + 3600).pm10 == pytest.approx(48)
    assert table.at(MONDAY).temp == Weather(1, MONDAY).at(MONDAY).temp


def sense(*faults: Fault, air: Air | None = None, serial: str = "P-1", born: float = 0.0) -> Sense:
    seen = air or Air(20, 30, 45, 800, 21, 50)
    return Sense(1, serial, lambda: seen, born, faults)


def test_a_sensor_says_the_same_at_the_same_time_and_its_neighbour_says_otherwise() -> None:
    assert sense().words(77, 60) == sense().words(77, 60)
    assert sense().words(77, 60) != sense(serial="P-9").words(77, 60)
    gains = [character(1, f"P-{n}").gain for n in range(300)]
    assert 1.25 < np.mean(gains) < 1.45
    assert 0.05 < np.std(gains) < 0.2


def test_wet_air_reads_higher_and_a_cold_fan_lower() -> None:
    def read(rh: float, awake: float = 60) -> int:
        words = sense(air=Air(20, 30, 45, 800, 21, rh)).words(77, awake)
        assert words is not None
        return words[1]

    assert read(90) > 1.3 * read(40)
    assert read(40, awake=3) < 0.5 * read(40)


def test_a_sensor_drifts_as_its_character_says_and_most_grow_dim() -> None:
    def mean(born: float) -> float:
        words = [sense(born=born).words(9 * YEAR + second, 60) for second in range(200)]
        return float(np.mean([said[1] for said in words if said]))

    own = character(1, "P-1").drift
    assert mean(0.0) / mean(9 * YEAR) == pytest.approx(1 + 9 * own, abs=0.03)
    assert -0.05 < np.mean([character(1, f"P-{n}").drift for n in range(300)]) < -0.03


def test_words_are_whole_and_in_order() -> None:
    for time in range(500):
        words = sense(air=Air(8, 12, 40, 800, 21, 60)).words(time, 60)
        assert words is not None
        assert all(isinstance(word, int) and word >= 0 for word in words)
        assert words[0] <= words[1] <= words[2]
        assert list(words[6:]) == sorted(words[6:], reverse=True)


def test_the_atmospheric_scale_is_two_thirds_of_the_other_in_dirty_air() -> None:
    assert atmospheric(np.array([10.0, 30.0, 100.0, 300.0])) == pytest.approx([10, 30, 200 / 3, 200])


def test_faults_show_in_their_time_alone() -> None:
    air = [Air(20, 30, 45, 800, 21, 50)]
    stuck = Sense(1, "P-1", lambda: air[0], 0.0, (Fault("P-1", "stuck", 100, 200),))
    before = stuck.words(120, 60)
    air[0] = Air(60, 90, 140, 800, 21, 50)
    assert stuck.words(180, 60) == before
    assert stuck.words(220, 60) != before
    silent = sense(Fault("P-1", "silent", 100, 200))
    assert (silent.words(150, 60), silent.gas(150)) == (None, None)
    assert silent.words(250, 60)
    dying = sense(Fault("P-1", "dying", 0))
    assert dying.words(40 * 86400, 60)[1] < 5 < sense().words(40 * 86400, 60)[1]  # type: ignore[index]
    spiky = sense(Fault("P-1", "spikes", 0))
    jumps = [time for time in range(3000) if spiky.words(time, 60)[4] > 300]  # type: ignore[index]
    assert 5 < len(jumps) < 80


def test_an_unknown_fault_is_named() -> None:
    with pytest.raises(ValueError, match="no fault 'rusty'; there are stuck"):
        Fault("P-1", "rusty", 0)


@given(
    st.lists(st.tuples(st.floats(60, 400), st.floats(0.1, 3)), min_size=1, max_size=4),
    st.floats(0, 1),
    st.floats(0, 900),
    st.floats(0, 600),
)
def test_an_empty_building_ends_with_the_gases_of_the_air_outside(
    rooms: list[tuple[float, float]], window: float, cadr: float, flow: float
) -> None:
    some = [replace(ROOM, volume=volume, ach=ach) for volume, ach in rooms]
    found = flows(some, [Activity(window=window)] * len(some), [Drive(cadr, flow)] * len(some))
    assert np.array_equal(found.exchange, found.exchange.T)
    air = outside(Air(18, 27, 45, 433, 9, 60))
    steady = modes(capacity(some), found.exchange, found.loss).steady(found.inlet * air[:, None])
    assert steady[CO2] == pytest.approx(433)
    assert steady[HEAT] == pytest.approx(9)
    assert np.all(steady[:3] <= air[:3, None])


def test_a_well_mixed_room_has_the_published_steady_state() -> None:
    alone = replace(ROOM, volume=170.6, ach=0.5)
    found = flows([alone], [Activity()], [Drive(cadr=594)])
    mixed = found.exchange * [[1, 1e6, 0], [1e6, 1, 0], [0, 0, 1]]  # the purifier's jet reaches every corner
    mixed[2], mixed[:, 2] = 0, 0  # and the door is sealed
    solved = modes(capacity([alone]), mixed, found.loss)
    steady = solved.steady(found.inlet * outside(Air(50, 50, 50, 433, 9, 60))[:, None])
    closed = PENETRATION[0] * 0.5 * 50 / (0.5 + SETTLING[0] + 594 / 170.6)
    assert steady[0, 0] == pytest.approx(closed, rel=1e-3)


def test_a_ventilator_brings_fresh_air() -> None:
    fan = Actuator("3-2-v", "ventilator", "hana", "3-2", (Level(), Level(0, 500, 90)))
    with_fan = replace(NETWORK, actuators={"3-2-v": fan})
    world = World(with_fan, start=MONDAY, step=60)
    world.settle()
    world.machines["3-2-v"].turn(1)
    world.live(MONDAY + 15 * HOUR)
    rooms = world.summary().exposures["hana", "3-2"]
    assert rooms["commanded"].occupied_co2 < 0.75 * rooms["off"].occupied_co2


def test_a_swapped_sensor_is_another_one_on_the_same_wire() -> None:
    swap = Fitted(int((MONDAY + HOUR) * 1e9), (("pms7003", "P-7"), ("bme280", "B-1"), ("pms5003", "P-8")))
    node = replace(NODE, fitted=(*NODE.fitted, swap))
    network = replace(NETWORK, nodes={"3-2-a": node})
    assert [part.bus for part in wired(network, "3-2-a", MONDAY)] == ["uart1", "i2c1"]
    later = wired(network, "3-2-a", MONDAY + 2 * HOUR)
    assert [(part.serial, part.bus) for part in later] == [("P-7", "uart1"), ("P-8", "uart2")]


def test_a_world_at_high_speed_speaks_over_its_wires() -> None:
    with (
        World(NETWORK, start=MONDAY + 9 * HOUR, speed=1200) as world,
        socket.create_connection(("127.0.0.1", world.wiring.port), 5) as link,
    ):
        link.sendall(b"uart1 3-2-a\n")
        heard = b""
        while len(heard) < 32 * 600:
            heard += link.recv(4096)
        assert world.now() - MONDAY - 9 * HOUR > 1200
        assert world.wiring.running
    frames = [heard[place : place + 32] for place in range(0, len(heard) - 31, 32)]
    assert all(sum(sent[:30]) == int.from_bytes(sent[30:], "big") for sent in frames)
    pm25 = [int.from_bytes(sent[12:14], "big") for sent in frames]
    assert pm25[0] < 0.6 * pm25[20]  # the fan was still starting
    assert pm25[-1] == pytest.approx(1.3 * world.air("hana", "3-2").pm25, rel=0.6)
