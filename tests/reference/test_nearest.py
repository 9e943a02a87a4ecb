"""The nearest station by distance and siting, and the reasons given."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.network import check
from gateway.network.fields import SITINGS
from gateway.reference.nearest import KINDS, STRANGENESS, Spot, choose, kilometres, of_node

HERE = (37.5845, 127.0855)
NORTH_KM = 1 / 111.195  # degrees of latitude in a kilometre


def spot(id: str, km: float, kind: str) -> Spot:
    return Spot(id, id, HERE[0] + km * NORTH_KM, HERE[1], kind, id.title())


def test_a_distance_that_is_known() -> None:
    # Seoul's city hall to Busan's: 325 km as the crow flies.
    assert kilometres(37.5665, 126.9780, 35.1796, 129.0756) == pytest.approx(325, abs=1)


def test_a_roadside_station_next_door_does_not_stand_for_a_school() -> None:
    choice = choose(*HERE, "urban", [spot("jungnang", 1.8, "urban"), spot("road", 0.6, "roadside")])
    assert choice.chosen is not None
    assert (choice.chosen.spot.id, round(choice.chosen.km, 1)) == ("jungnang", 1.8)
    assert [one.spot.id for one in choice.left_out] == ["road"]
    assert choice.why == (
        "Jungnang, 1.8 km, urban; Road, 0.6 km, roadside, left out: for a node of urban siting its distance "
        "counts 4 times, 2.4 km, and Jungnang counts 1.8 km"
    )


def test_where_nothing_else_is_near_it_does() -> None:
    choice = choose(*HERE, "urban", [spot("far", 9.0, "urban"), spot("road", 0.6, "roadside")])
    assert choice.chosen is not None
    assert (choice.chosen.spot.id, choice.left_out) == ("road", ())
    assert "4 times" in choice.chosen.why


def test_a_node_at_a_road_has_a_station_at_a_road() -> None:
    spots = [spot("jungnang", 0.9, "urban"), spot("road", 1.6, "roadside")]
    choice = choose(*HERE, "roadside", spots)
    assert choice.chosen is not None
    assert choice.chosen.spot.id == "road"


def test_none_is_near_enough() -> None:
    choice = choose(*HERE, "urban", [spot("far", 60.0, "urban")])
    assert choice.chosen is None
    assert choice.why == "no station within 25 km; Far, 60.0 km, urban is nearest"
    assert choose(*HERE, "urban", []).why == "no station within 25 km"


def test_the_tables_kinds_are_those_of_the_files() -> None:
    assert KINDS == SITINGS
    assert {kind for pair in STRANGENESS for kind in pair} <= set(KINDS)


@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from([*KINDS, ""])), max_size=8), st.sampled_from(KINDS)
)
def test_nothing_nearer_is_left_out_without_a_reason(found: list[tuple[float, str]], kind: str) -> None:
    spots = [spot(f"s{n}", km, other) for n, (km, other) in enumerate(found)]
    choice = choose(*HERE, kind, spots)
    if choice.chosen is None:
        assert all(km > 24.9 for km, _ in found)
        return
    nearer = {one.spot.id for one in choice.left_out}
    assert nearer == {s.id for s in spots if kilometres(*HERE, s.lat, s.lon) < choice.chosen.km}
    assert all(one.counts >= choice.chosen.counts for one in choice.left_out)


def test_the_station_of_a_node_by_its_dated_siting() -> None:
    school = {"id": "hana", "lat": HERE[0], "lon": HERE[1], "room": [{"id": "gym", "volume": 900}]}
    placed = [
        {"since": date(2026, 3, 2), "site": "hana", "room": "gym", "placement": "indoor"},
        {"since": date(2026, 4, 1), "site": "hana", "placement": "outdoor", "siting": "roadside"},
    ]
    stations = [
        {"id": "jungnang", "lat": HERE[0] + 0.01, "lon": HERE[1], "kind": "urban"},
        {"id": "road", "lat": HERE[0] + 0.008, "lon": HERE[1], "kind": "roadside"},
    ]
    nowhere = {"id": "b", "placed": [{"since": date(2026, 3, 2), "site": "away", "placement": "outdoor"}]}
    nodes = [{"id": "a", "placed": placed}, nowhere]
    network, mistakes = check(
        {"n": {"site": [school, {"id": "away"}], "node": nodes, "station": stations}}, 2026
    )
    assert network, mistakes
    chosen = [of_node(network, "a", place.since).chosen for place in network.nodes["a"].placements]
    assert [one.spot.id for one in chosen if one] == ["jungnang", "road"]
    assert "lat and lon" in of_node(network, "b", network.nodes["b"].placements[0].since).why
    assert "stands nowhere" in of_node(network, "a", 0).why
