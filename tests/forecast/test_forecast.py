"""The rolling hour: what goes in, what comes out, and that neither order nor blocks matter."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.forecast import Forecaster, Forecasts, check_rooms
from edge.network import Placement
from edge.predict.feature import MISSING, inputs
from edge.predict.infer import forecast
from edge.predict.lesson import Sight, lessons
from edge.predict.model import PERSISTENCE, Column, Head, Kind, Model, ModelError, Role, Term
from edge.predict.ring import DEPTH
from edge.predict.series import CLEANING, OUTDOOR, History
from edge.readings import Array, Flag, concat
from tests.forecast.school import NETWORK, NODES, START, block, day_of, ns

COLUMNS = (Column("pm25", 4), Column(OUTDOOR, 4), Column(CLEANING, 8))
TERMS = (
    Term(Kind.LEVEL, 0, 0, 2, 5000, 20000, 18),
    Term(Kind.DELTA, 0, 4, 7, 0, 20000, 16),
    Term(Kind.DELTA, 0, 107, 122, 0, 20000, 16),
    Term(Kind.GAP, 1, 0, 15, 0, 20000, 16),
    Term(Kind.CLOCK, 0, 0, 0, 0, 16384, 17),
    Term(Kind.LEVEL, 2, 0, 1, 0, 20000, 16),
    Term(Kind.TIMES, 2, 0, 1, 0, 20000, 16),
)
ENDS = (-200, 300) * 3
SLOPED = Model(
    COLUMNS,
    (
        Head(Role.VALUE, 600, bias=200, marks=(0, 0), ends=ENDS, inputs=(1, 2, -3, 4, 5, 6, 7)),
        Head(Role.VALUE, 1800, marks=(0, 0), ends=ENDS),
    ),
    TERMS,
    near=1280,
    limit=35 * 256,
)


def fed(*rows: tuple[str, int, float, int], model: Model = PERSISTENCE) -> Forecaster:
    forecaster = Forecaster(model)
    forecaster.ingest(block(rows), ns(START + 86400))
    return forecaster


def same(one: Forecasts, other: Forecasts) -> bool:
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return all(_alike(a, b) for a, b in pairs)


def _alike(one: object, other: object) -> bool:
    numbers = isinstance(one, np.ndarray) and one.dtype.kind == "f"
    return np.array_equal(one, other, equal_nan=numbers)  # type: ignore[arg-type]  # arrays, or what equals


def test_persistence_says_it_stays() -> None:
    forecaster = fed(("a", START, 12.0, 1), ("a", START + 10, 14.0, 1))
    said = forecaster.predict(NETWORK, ns(START + 20))
    assert said.nodes == ("a",)
    assert said.value.tolist() == [[13.0, 13.0, 13.0]]
    assert (said.lower < said.value).all()
    assert (said.value < said.upper).all()
    assert np.diff(said.upper - said.lower).min() > 0
    assert said.targets()[0].tolist() == [ns(START + 10 + h) for h in (600, 1800, 3600)]
    assert (said.model, said.quantity) == (PERSISTENCE.id, "pm25")


@pytest.mark.parametrize("flag", [Flag.ABSENT, Flag.UNKNOWN, Flag.FAIL, Flag.MISSING])
def test_only_good_and_suspect_samples_count(flag: int) -> None:
    forecaster = fed(
        ("a", START, 12.0, 1), ("a", START + 10, 900.0, flag), ("a", START + 20, 14.0, Flag.SUSPECT)
    )
    assert forecaster.predict(NETWORK, ns(START + 20)).value[0, 0] == 13.0


def test_zero_is_a_value() -> None:
    assert fed(("a", START, 0.0, 1)).predict(NETWORK, ns(START)).value.tolist() == [[0.0, 0.0, 0.0]]


def test_a_silent_node_has_no_forecast() -> None:
    forecaster = fed(("a", START, 12.0, 1))
    assert len(forecaster.predict(NETWORK, ns(START + 180))) == 1
    assert len(forecaster.predict(NETWORK, ns(START + 181))) == 0


def test_asking_for_some_nodes_answers_for_those_known() -> None:
    forecaster = fed(*((node, START, 5.0, 1) for node in NODES))
    assert forecaster.predict(NETWORK, ns(START), ["c", "never", "a"]).nodes == ("c", "a")
    assert len(forecaster.predict(NETWORK, ns(START), [])) == 0


def test_nodes_outside_the_network_or_not_yet_placed_have_none() -> None:
    late = replace(NETWORK.nodes["a"], placements=(Placement(ns(START + 100), "hana", "r1", "wall"),))
    network = replace(NETWORK, nodes={"a": late})
    forecaster = fed(("a", START, 5.0, 1), ("a", START + 60, 5.0, 1), ("b", START + 60, 5.0, 1))
    assert forecaster.predict(network, ns(START + 99)).nodes == ()
    assert forecaster.predict(network, ns(START + 100)).nodes == ("a",)


def test_missing_inputs_degrade_the_forecast_they_do_not_stop_it() -> None:
    forecaster = fed(("a", START, 5.0, 1), model=SLOPED)
    said = forecaster.predict(NETWORK, ns(START))
    assert np.isfinite(said.value).all()
    assert said.value[0, 0] != 5.0
    assert said.value[0, 1] == 5.0


def test_outdoor_nodes_persist() -> None:
    assert fed(("out", START, 5.0, 1), model=SLOPED).predict(NETWORK, ns(START)).value[0, 0] == 5.0


def seen(forecaster: Forecaster, now: int, nodes: list[str]) -> Array:
    view = forecaster.seen(NETWORK, now, nodes)
    return inputs(COLUMNS, TERMS, 2, 60, view)


def test_a_room_sees_its_sites_outdoor_air_alone() -> None:
    rows = [(node, START, value, 1) for node, value in (("a", 10.0), ("out", 25.0), ("c", 10.0))]
    matrix = seen(fed(*rows, model=SLOPED), ns(START), ["a", "c"])
    assert matrix[:, 3].tolist() == [15 * 256, MISSING]


def test_the_local_day_follows_the_sites_zone() -> None:
    view = fed(("a", START, 1.0, 1), ("c", START, 1.0, 1)).seen(NETWORK, ns(START), ["a", "c"])
    minute, day, _ = view.clock()
    assert minute.tolist() == [9 * 60, 5 * 60 + 45]
    assert day.tolist() == [1, 1], "a Saturday"


def test_cleaning_is_the_rooms_own() -> None:
    forecaster = fed(("a", START, 4.0, 1), ("b", START, 4.0, 1), model=SLOPED)
    forecaster.clean("hana", "r1", 2.5)
    matrix = seen(forecaster, ns(START), ["a", "b"])
    assert matrix[:, 5].tolist() == [2.5 * 4096, MISSING]
    assert matrix[:, 6].tolist() == [2560, MISSING]


def test_the_newest_level_is_a_mean() -> None:
    forecaster = fed(("a", START, 4.0, 1), ("a", START + 60, 5.0, 1))
    assert forecaster.level("a") == 4.5
    assert np.isnan(forecaster.level("never"))


def test_rows_older_than_the_hour_or_from_the_future_are_counted() -> None:
    forecaster = Forecaster()
    forecaster.ingest(block([("a", START + 60 * DEPTH, 5.0, 1)]), ns(START + 60 * DEPTH))
    forecaster.ingest(block([("a", START, 50.0, 1), ("a", START + 86400, 50.0, 1)]), ns(START + 60 * DEPTH))
    assert forecaster.dropped == {"late": 1, "future": 1}
    assert forecaster.predict(NETWORK, ns(START + 60 * DEPTH)).value[0, 0] == 5.0


def test_a_late_row_fills_its_past_minute() -> None:
    forecaster = fed(("a", START + 600, 5.0, 1), model=SLOPED)
    forecaster.ingest(block([("a", START + 300, 9.0, 1)]), ns(START + 600))
    assert seen(forecaster, ns(START + 600), ["a"])[0, 1] == 4 * 256


samples = st.lists(
    st.tuples(
        st.sampled_from(NODES),
        st.integers(START, START + 3 * 3600),
        st.floats(0, 1000),
        st.sampled_from([1, 3, 4]),
    ),
    min_size=1,
    max_size=60,
)


@given(samples, st.integers(0, 2**32))
def test_neither_order_nor_blocks_matter(rows: list[tuple[str, int, float, int]], seed: int) -> None:
    now = ns(START + 3 * 3600)
    sorted_rows = sorted(rows, key=lambda row: (row[0], row[1]))
    rebuilt = fed(*sorted_rows, model=SLOPED)
    live, shuffled = Forecaster(SLOPED), rows[:]
    random.Random(seed).shuffle(shuffled)
    for row in shuffled:
        live.ingest(block([row]), now)
    names = sorted(NODES)
    assert same(rebuilt.predict(NETWORK, now, names), live.predict(NETWORK, now, names))


@settings(max_examples=40, deadline=None)
@given(samples)
def test_training_sees_exactly_what_the_service_sees(rows: list[tuple[str, int, float, int]]) -> None:
    end = ns(START + 4 * 3600)
    past = History(ns(START), end)
    past.add(block(rows))
    past.act("p", ns(START), 2)
    sight = Sight(COLUMNS, TERMS, 2, 60)
    for series in past.series(NETWORK, end):
        taught = lessons([series], sight, (600,))
        now = int(taught.time[-1]) * 60 + 59
        served = fed(*(row for row in rows if row[1] <= now), model=SLOPED)
        served.clean("hana", "r1", 680.0 / 170.0)
        np.testing.assert_array_equal(seen(served, ns(now), [series.name])[0], taught.inputs[-1])
        told = forecast(SLOPED, taught.inputs[-1:], taught.last[-1:]).value * SLOPED.grain
        np.testing.assert_array_equal(served.predict(NETWORK, ns(now), [series.name]).value, told)


def test_intervals_learn_from_what_came_true() -> None:
    forecaster, rng, widths = Forecaster(), np.random.default_rng(1), []
    for minute in range(400):
        value = 50 + float(rng.normal(0, 30))
        forecaster.ingest(block([("a", START + 60 * minute, max(value, 0), 1)]), ns(START + 60 * minute))
        said = forecaster.predict(NETWORK, ns(START + 60 * minute))
        widths.append(float((said.upper - said.lower)[0, 0] / (said.value[0, 0] + 5)))
    assert np.mean(widths[-50:]) > 1.5 * np.mean(widths[:10])


def test_a_model_for_hours_is_none_for_rooms() -> None:
    check_rooms(SLOPED)
    with pytest.raises(ModelError, match="3600 s"):
        check_rooms(replace(SLOPED, unit_s=3600))


def test_history_of_the_last_hour_rebuilds_the_state() -> None:
    rows = day_of(NODES, 3 * 3600)
    now = ns(START + 3 * 3600)
    whole, last = Forecaster(SLOPED), Forecaster(SLOPED)
    whole.ingest(block(rows), now)
    last.ingest(block([row for row in rows if row[1] >= START + 3 * 3600 - 60 * DEPTH]), now)
    assert len(whole.predict(NETWORK, now)) == 4
    assert same(whole.predict(NETWORK, now), last.predict(NETWORK, now))


def test_blocks_of_other_quantities_and_empty_ones_are_nothing() -> None:
    forecaster = Forecaster()
    forecaster.ingest(replace(block([("a", START, 5.0, 1)]), columns={}), ns(START))
    forecaster.ingest(concat([]), ns(START))
    assert len(forecaster.predict(NETWORK, ns(START))) == 0
