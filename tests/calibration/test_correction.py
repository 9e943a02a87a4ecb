"""Corrections: golden vectors, JSON in and out, ranges, growth."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge.correction.growth import growth
from edge.correction.inputs import Inputs
from edge.correction.model import Correction, CorrectionError, Spread
from edge.correction.published import PUBLISHED
from edge.correction.term import TERMS, matrix
from tests.calibration.campaign import HOUR, START, colocation

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "corrections.json").read_text("utf-8"))
LINE = Correction(
    form="previous-hour",
    quantity="pm25",
    kind="linear",
    serial="P-1",
    window=(START, START + HOUR),
    valid={"pm25": (0.0, 80.0), "rh": (10.0, 95.0)},
    terms=("raw", "raw.1", "rh"),
    weights=(0.4, 0.2, -0.05),
    intercept=3.0,
    spread=Spread(0.1, (0.2, 0.0, 0.0, 0.1, 0.0, 0.0), -1.6, 1.7),
    data="ab" * 32,
)


def series(pm: list[float], rh: float = 50.0) -> Inputs:
    time = START + np.arange(len(pm), dtype=np.int64) * HOUR
    columns = {"pm25": np.array(pm, np.float64), "rh": np.full(len(pm), rh), "temp": np.full(len(pm), 10.0)}
    return Inputs.of("pm25", time, HOUR, columns)


@pytest.mark.parametrize("vector", VECTORS["corrections"], ids=lambda v: f"{v['form']}-{v['pm']}-{v['rh']}")
@pytest.mark.parametrize("kind", [float, int], ids=["float", "integer"])
def test_published_corrections_keep_their_golden_vectors(vector: dict[str, Any], kind: type) -> None:
    pm, rh = np.array([vector["pm"]], kind), np.array([vector["rh"]], kind)
    assert PUBLISHED[vector["form"]](pm, rh)[0] == pytest.approx(vector["value"], abs=vector["tolerance"])


@pytest.mark.parametrize("form", PUBLISHED)
def test_published_corrections_have_no_steps(form: str) -> None:
    pm = np.arange(0, 700, 0.01)
    value = PUBLISHED[form](pm, np.full(pm.size, 50.0))
    # The 2022 form slides from 570 on with a share that is .008 there: the step is its own.
    assert np.abs(np.diff(value)).max() < (0.6 if form == "barkjohn-2022" else 0.03)


@pytest.mark.parametrize("vector", VECTORS["growth"], ids=lambda v: f"rh{v['rh']}")
def test_growth_keeps_its_golden_vectors(vector: dict[str, float]) -> None:
    found = growth(np.array([vector["rh"]]), vector["kappa"])[0]
    assert found == pytest.approx(vector["factor"], abs=vector["tolerance"])


def test_a_correction_survives_json_and_is_named_by_what_it_says() -> None:
    again = Correction.decode(json.loads(json.dumps(LINE.encode())))
    assert again == LINE
    assert again.id == LINE.id
    assert replace(LINE, intercept=3.1).id != LINE.id


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"intercept": 3.1}, "id"),
        ({"kind": "magic"}, "kind"),
        ({"terms": ["raw", "raw.1", "moon"]}, "moon"),
        ({"weights": [1.0]}, "weights"),
        ({"version": 2}, "version"),
        ({"valid": 3}, "not a correction"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_no_correction_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(CorrectionError, match=word):
        Correction.decode({**LINE.encode(), **change})


def test_values_are_sums_of_terms_and_the_hour_before() -> None:
    value = LINE.apply(series([10.0, 20.0])).value
    assert value[0] == pytest.approx(0.6 * 10 - 2.5 + 3)  # nothing stood before it
    assert value[1] == pytest.approx(0.4 * 20 + 0.2 * 10 - 2.5 + 3)


def test_out_of_range_is_flagged_and_less_certain() -> None:
    inside, outside = LINE.apply(series([79.0])), LINE.apply(series([81.0]))
    assert not inside.outside[0]
    assert outside.outside[0]
    assert outside.u[0] > 1.9 * inside.u[0]
    assert LINE.apply(series([20.0], rh=99.0)).outside[0]


def test_impossible_values_are_missing_as_an_hour_before_too() -> None:
    value = LINE.apply(series([10.0, 2000.0, 20.0, -1.0, 20.0])).value
    assert np.isnan(value[[1, 3]]).all()
    assert value[2] == value[4] == pytest.approx(0.6 * 20 - 2.5 + 3)


def test_a_gap_breaks_the_hour_before() -> None:
    given_ = series([10.0, 20.0])
    torn = replace(given_, time=given_.time + np.array([0, 5 * HOUR]))
    assert LINE.value(torn)[1] == pytest.approx(0.6 * 20 - 2.5 + 3)


@given(some.lists(some.floats(0, 500), min_size=1, max_size=30), some.floats(0, 100))
def test_intervals_hold_their_value_and_masses_are_positive(pm: list[float], rh: float) -> None:
    found = LINE.apply(series(pm, rh))
    assert (found.value >= 0).all()
    assert (found.lower <= found.upper).all()
    assert (found.lower >= 0).all()
    assert (found.lower <= found.value).all()
    assert (found.upper >= found.value).all()
    assert (found.u > 0).all()


def test_every_term_is_finite_where_its_columns_are() -> None:
    one = colocation(hours=200, channels=True)
    assert np.isfinite(matrix(tuple(TERMS), one.inputs)).all()


def test_barkjohns_corrections_take_cf1_values_where_there_are_some() -> None:
    plain = series([30.0, 30.0])
    both = replace(plain, columns={**plain.columns, "pm25_cf1": np.array([40.0, np.nan])})
    old, bands = (Correction(form=form, kind=form, quantity="pm25") for form in ("barkjohn-2021", "epa-2021"))
    assert old.value(plain)[0] == pytest.approx(17.16)
    assert old.value(both) == pytest.approx([0.524 * 40 - 4.31 + 5.75, 17.16])
    assert bands.value(both)[0] == pytest.approx(17.16)
