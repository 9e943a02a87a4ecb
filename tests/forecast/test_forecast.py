"""The rolling hour: what goes in, what comes out, and that neither order nor blocks matter."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.feature import DEPTH, FEATURES, Windows, features
from edge.forecast import Forecaster, Forecasts
from edge.lessons import Past
from edge.model import PERSISTENCE, Head, Model, ModelError
from edge.network import Placement
from edge.readings import Flag, concat
from tests.forecast.school import NETWORK, NODES, START, block, day_of, ns

SLOPED = Model(
    heads=(Head(600, -0.2, 0.3, (0.1,) * len(FEATURES), 0.5), Head(1800, -0.4, 0.6)),
    features=FEATURES,
    mean=(1.0,) * len(FEATURES),
    scale=(2.0,) * len(FEATURES),
)


def fed(*rows: tuple[str, int, float, int], model: Model = PERSISTENCE) -> Forecaster:
    forecaster = Forecaster(model)
    forecaster.ingest(block(rows), ns(START + 86400))
    return forecaster


def same(one: Forecasts, other: Forecasts) -> bool:
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return all(np.array_equal(a, b) for a, b in pairs)


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


def test_a_room_sees_its_sites_outdoor_air_alone() -> None:
    rows = [(node, START, value, 1) for node, value in (("a", 10.0), ("out", 25.0), ("c", 10.0))]
    forecaster = fed(*rows)
    matrix = features(forecaster.windows(NETWORK, ns(START), ["a", "c"]))
    outdoor = matrix[:, FEATURES.index("outdoor")]
    assert outdoor[0] == 15.0
    assert np.isnan(outdoor[1])


def test_the_local_day_follows_the_sites_zone() -> None:
    windows = fed(("a", START, 1.0, 1), ("c", START, 1.0, 1)).windows(NETWORK, ns(START), ["a", "c"])
    assert windows.day.tolist() == [9 * 60, 5 * 60 + 45]


def test_cleaning_is_the_rooms_own() -> None:
    forecaster = fed(("a", START, 4.0, 1), ("b", START, 4.0, 1))
    forecaster.clean("hana", "r1", 2.5)
    matrix = features(forecaster.windows(NETWORK, ns(START), ["a", "b"]))
    assert matrix[0, FEATURES.index("cleaning")] == 2.5
    assert matrix[0, FEATURES.index("cleaned")] == 10.0
    assert np.isnan(matrix[1, FEATURES.index("cleaning")])


def test_a_rise_is_a_positive_trend() -> None:
    rows = [("a", START + 60 * minute, 10.0 + minute, 1) for minute in range(31)]
    matrix = features(fed(*rows).windows(NETWORK, ns(START + 1800), ["a"]))
    assert matrix[0, FEATURES.index("trend15")] == pytest.approx(60.0)
    assert matrix[0, FEATURES.index("trend30")] == pytest.approx(60.0)


def test_rows_older_than_the_hour_or_from_the_future_are_counted() -> None:
    forecaster = Forecaster()
    forecaster.ingest(block([("a", START + 60 * DEPTH, 5.0, 1)]), ns(START + 60 * DEPTH))
    forecaster.ingest(block([("a", START, 50.0, 1), ("a", START + 86400, 50.0, 1)]), ns(START + 60 * DEPTH))
    assert forecaster.dropped == {"late": 1, "future": 1}
    assert forecaster.predict(NETWORK, ns(START + 60 * DEPTH)).value[0, 0] == 5.0


def test_a_late_row_fills_its_past_minute() -> None:
    forecaster = fed(("a", START + 600, 5.0, 1))
    forecaster.ingest(block([("a", START + 300, 9.0, 1)]), ns(START + 600))
    matrix = features(forecaster.windows(NETWORK, ns(START + 600), ["a"]))
    assert matrix[0, FEATURES.index("lag4")] == 4.0


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
    past = Past(ns(START), end)
    past.add(block(rows))
    past.act("p", ns(START), 2)
    for series in past.series(NETWORK, end):
        minute = int(np.flatnonzero(series.own.count)[-1])
        taught = series.windows(np.array([minute]))
        now = (series.own.start + minute) * 60 + 59
        served = fed(*(row for row in rows if row[1] <= now))
        served.clean("hana", "r1", 680.0 / 170.0)
        seen = served.windows(NETWORK, ns(now), [series.name])
        for field in fields(Windows):
            np.testing.assert_array_equal(getattr(seen, field.name), getattr(taught, field.name), field.name)
        np.testing.assert_array_equal(features(seen), features(taught))


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


def test_a_model_survives_its_file() -> None:
    assert Model.decode(SLOPED.encode()) == SLOPED
    assert Model.decode(SLOPED.encode()).id == SLOPED.id
    assert SLOPED.id != PERSISTENCE.id
    assert (SLOPED.installed, PERSISTENCE.installed) == ((600,), ())


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"null", b'{"heads":[]}', b'{"heads":[{"coef":1}]}']))
def test_anything_else_is_no_model(text: bytes) -> None:
    with pytest.raises(ModelError, match="not a model"):
        Model.decode(text)


@pytest.mark.parametrize(
    "change",
    [
        {"features": ("nose",) * len(FEATURES)},
        {"mean": (1.0,)},
        {"scale": (0.0,) * len(FEATURES)},
        {"heads": (Head(600, 0.2, -0.2),)},
        {"base": "five"},
        {"heads": (Head(600, -0.2, 0.2, (1.0,)),)},
    ],
    ids=str,
)
def test_a_model_that_cannot_serve_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="not a model"):
        Model.decode(replace(SLOPED, **change).encode())  # type: ignore[arg-type]
