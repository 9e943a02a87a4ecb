"""What holds for a row as of its sample time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.assign import MEASURES, NOWHERE, Setups, measured_by, placed
from edge.network import Calibration, Fitted, Network, Node, Placement, in_force
from edge.quantity import QUANTITIES
from edge.readings import SECOND
from tests.edge.series import SENSORS, START, network, rows


def at(second: int) -> int:
    return (START + second) * SECOND


def moved() -> Network:
    """A node that stands in 1-1, moves to 1-2, and gets another dust sensor in between."""
    places = (Placement(at(100), "hana", "1-1", "wall"), Placement(at(300), "hana", "1-2", "desk"))
    fitted = (
        Fitted(at(100), SENSORS),
        Fitted(at(200), (("pms7003", "P-2"), ("sht4x", "H-1"))),
    )
    calibrations = (
        Calibration(at(0), "a", "P-1", "pm25", gain=2),
        Calibration(at(150), "b", "P-1", "pm25", gain=3),
        Calibration(at(250), "c", "P-1", "pm25", gain=4),
        Calibration(at(400), "d", "P-2", "pm25", gain=5),
    )
    node = Node("n1", places, fitted)
    return Network("g", {}, {"n1": node, "n2": Node("n2", ())}, {}, calibrations=calibrations)


def test_place_sensor_and_calibration_follow_the_sample_time() -> None:
    net = moved()
    block = rows([50, 100, 149, 150, 200, 250, 300, 399, 400, None], {"pm25": [1.0] * 10})
    codes, places = placed(block, net)
    rooms = [place.room if (place := places[code]) else None for code in codes]
    assert rooms == [None, "1-1", "1-1", "1-1", "1-1", "1-1", "1-2", "1-2", "1-2", None]
    codes, sensors = measured_by(block, net, "pm25")
    serials = [sensor[1] if (sensor := sensors[code]) else None for code in codes]
    assert serials == [None, "P-1", "P-1", "P-1", "P-2", "P-2", "P-2", "P-2", "P-2", None]
    table = Setups.of(net).table
    ids = [found.id if (found := table[code].calibrations.get("pm25")) else None for code in codes]
    assert ids == [None, "a", "a", "b", None, None, None, None, "d", None]


def test_each_quantity_has_its_sensor() -> None:
    block = rows([250], {"pm25": [1]})
    found = {name: measured_by(block, moved(), name) for name in ("pm10", "n03", "rh", "temp", "co2")}
    assert {name: sensors[codes[0]] for name, (codes, sensors) in found.items()} == {
        "pm10": ("pms7003", "P-2"),
        "n03": ("pms7003", "P-2"),
        "rh": ("sht4x", "H-1"),
        "temp": ("sht4x", "H-1"),
        "co2": None,
    }


def test_unknown_nodes_and_nodes_never_placed_are_nowhere() -> None:
    block = rows([500, 500], {"pm25": [1, 2]}, nodes=["n2", "stranger"])
    codes, places = placed(block, moved())
    assert codes.tolist() == [0, 0]
    assert places[0] is None
    assert Setups.of(moved()).table[0] is NOWHERE


def test_a_reference_measures_everything() -> None:
    assert MEASURES["reference"] == set(QUANTITIES)
    assert all(measured <= set(QUANTITIES) for measured in MEASURES.values())


def test_an_other_sensor_measures_what_no_other_does() -> None:
    fitted = (Fitted(0, (("other", "X-1"), ("pms5003", "P-1"))),)
    fits = (Calibration(0, "own", "X-1", "co2", gain=2), Calibration(0, "dust", "X-1", "pm25", gain=9))
    node = Node("n1", (Placement(0, "hana", "1-1", "wall"),), fitted)
    setup = Setups.of(Network("g", {}, {"n1": node}, {}, calibrations=fits)).table[1]
    assert setup.sensor("co2") == setup.sensor("rh") == ("other", "X-1")
    assert setup.sensor("pm25") == ("pms5003", "P-1")
    assert {name: entry.id for name, entry in setup.calibrations.items()} == {"co2": "own"}


def test_a_network_without_nodes_places_nothing() -> None:
    assert Setups.of(network()).rows(rows([0], {"pm25": [1]})).tolist() == [0]


SINCES = st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True).map(sorted)


@given(st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), SINCES, min_size=1), st.data())
def test_every_lookup_is_the_one_by_hand(sinces: dict[str, list[int]], data: st.DataObject) -> None:
    nodes = {
        name: Node(name, tuple(Placement(at(s), "hana", str(s), "wall") for s in times))
        for name, times in sinces.items()
    }
    net = Network("g", {}, nodes, {})
    names = data.draw(st.lists(st.sampled_from(["n1", "n2", "n3", "n4"]), min_size=1, max_size=30))
    seconds = data.draw(st.lists(st.integers(-5, 60), min_size=len(names), max_size=len(names)))
    codes, places = placed(rows(seconds, {"pm25": [1.0] * len(names)}, nodes=names), net)
    for name, second, code in zip(names, seconds, np.asarray(codes).tolist(), strict=True):
        expected = in_force(nodes[name].placements, at(second)) if name in nodes else None
        assert places[code] == expected
