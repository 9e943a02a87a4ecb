"""Solvers: what each is for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edge.correction.model import follow
from edge.fit.solve import best_one, huber, least_squares, moments, monotone, orthogonal, theil_sen

CHANCE = np.random.default_rng(5)
X = CHANCE.gamma(2.0, 8.0, (600, 1))
TRUTH = 0.6 * X[:, 0] + 2.0 + CHANCE.normal(size=600)


def test_moments_give_what_a_direct_solution_gives() -> None:
    terms = CHANCE.normal(size=(300, 4)) * [1, 10, 0.1, 5] + 3
    truth = terms @ [1, 0.2, -3, 0.5] + 4 + CHANCE.normal(size=300)
    direct = np.linalg.lstsq(np.column_stack((terms, np.ones(300))), truth, rcond=None)[0]
    found = least_squares(moments(terms, truth), 0.0)
    assert np.allclose((*found.weights, found.intercept), direct)


def test_stretch_gives_back_what_least_squares_flattens() -> None:
    truth = TRUTH + CHANCE.normal(size=600) * 6
    flat, whole = (least_squares(moments(X, truth), 0.0, stretch)(X) for stretch in (0.0, 1.0))
    assert flat.std() < 0.9 * truth.std()
    assert whole.std() == pytest.approx(truth.std(), rel=0.01)
    assert whole.mean() == pytest.approx(flat.mean())


@pytest.mark.parametrize("solver", [huber, theil_sen])
def test_robust_lines_ignore_spoiled_points(solver: object) -> None:
    spoiled = TRUTH.copy()
    spoiled[:60] += 200
    plain = least_squares(moments(X, spoiled), 0.0)
    found = solver(X, spoiled)  # type: ignore[operator]  # both are solvers
    assert abs(found.intercept - 2.0) < 0.2 * abs(plain.intercept - 2.0)
    assert found.weights[0] == pytest.approx(0.6, abs=0.04)


def test_errors_in_both_variables_do_not_flatten_the_orthogonal_line() -> None:
    true = CHANCE.normal(size=4000) * 5 + 20
    x, y = true + CHANCE.normal(size=4000) * 3, true + CHANCE.normal(size=4000) * 3
    assert least_squares(moments(x[:, None], y), 0.0).weights[0] < 0.8
    assert orthogonal(x[:, None], y).weights[0] == pytest.approx(1.0, abs=0.05)


def test_the_best_term_alone_is_used() -> None:
    terms = np.column_stack((CHANCE.normal(size=600), X[:, 0], CHANCE.normal(size=600)))
    found = best_one(terms, TRUTH)
    assert np.flatnonzero(found.weights).tolist() == [1]


@given(some.lists(some.tuples(some.floats(0, 400), some.floats(0, 400)), min_size=4, max_size=200))
def test_monotone_curves_never_fall(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    knots = np.array(monotone(x[:, None], y).knots)
    value = follow(knots, np.linspace(-10, 500, 300))
    assert (np.diff(knots[:, 0]) > 0).all()
    assert (np.diff(value) >= -1e-6).all()


def test_a_monotone_curve_follows_a_bend() -> None:
    truth = np.where(X[:, 0] < 20, X[:, 0], 20 + 0.3 * (X[:, 0] - 20))
    knots = np.array(monotone(X, truth).knots)
    assert np.abs(follow(knots, X[:, 0]) - truth).mean() < 0.5
