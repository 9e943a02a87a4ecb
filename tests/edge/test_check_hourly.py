"""The tests of whole hours: what neighbours and stations say, and that it stays and goes as it should."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.check import Test, evaluate, hours_kept
from edge.hourly import HOUR, others, plausible
from edge.readings import Flag, Readings
from tests.edge.series import START, network, revise, rows

NET = network("n1", "n2", "n3", "n4")
FIRST = -(-START // 3600) * 3600 - START
"""The next whole hour, in seconds after START."""
VALUES = st.lists(st.none() | st.integers(0, 50).map(float), min_size=1, max_size=12)


def hour(levels: dict[str, float], samples: int = 6) -> Readings:
    """An hour of some nodes of one room, a sample every ten minutes, that sways a little."""
    names = [name for name in levels for _ in range(samples)]
    seconds = [FIRST + 600 * place for _ in levels for place in range(samples)]
    pm25 = [level + place % 2 for level in levels.values() for place in range(samples)]
    return evaluate(rows(seconds, {"pm25": pm25}, nodes=names, dt=600), NET)


def spoke(readings: Readings, test: Test) -> set[str]:
    found = (readings.columns["pm25"].tests & test) != 0
    return {readings.nodes[code] for code in readings.node[found].tolist()}


def test_the_one_that_differs_from_two_others_is_suspect() -> None:
    seen = plausible(hour({"n1": 20, "n2": 22, "n3": 120}), NET)
    assert spoke(seen, Test.NEIGHBOUR) == {"n3"}
    assert set(seen.columns["pm25"].flag[seen.node == 2].tolist()) == {Flag.SUSPECT}
    low = plausible(hour({"n1": 120, "n2": 130, "n3": 2}), NET)
    assert spoke(low, Test.NEIGHBOUR) == {"n3"}


def test_of_two_nobody_knows_which_and_half_an_hour_is_no_hour() -> None:
    assert spoke(plausible(hour({"n1": 20, "n2": 120}), NET), Test.NEIGHBOUR) == set()
    assert spoke(plausible(hour({"n1": 20, "n2": 22, "n3": 120}, 4), NET), Test.NEIGHBOUR) == set()


def test_a_station_speaks_for_its_node_and_hour_alone() -> None:
    block, said = hour({"n1": 150, "n2": 140}), (np.array([(START + FIRST) // 3600]), np.array([12.0]))
    assert spoke(plausible(block, NET, {"n1": {"pm25": said}}), Test.REFERENCE) == {"n1"}
    later = {"n1": {"pm25": (said[0] + 1, said[1])}}
    assert spoke(plausible(block, NET, later), Test.REFERENCE) == set()


def test_what_an_hour_said_goes_when_the_hour_is_judged_anew() -> None:
    odd = plausible(hour({"n1": 20, "n2": 22, "n3": 120}), NET)
    column = odd.columns["pm25"]
    mended = odd.with_columns({"pm25": replace(column, raw=np.where(odd.node == 2, 21.0, column.raw))})
    again = plausible(mended, NET)
    assert spoke(again, Test.NEIGHBOUR) == set()
    assert set(again.columns["pm25"].flag.tolist()) == {Flag.GOOD}


def test_a_catch_up_pass_leaves_what_the_hours_said() -> None:
    odd = plausible(hour({"n1": 20, "n2": 22, "n3": 120}), NET)
    first = int(odd.time.min())
    revised, _ = revise(odd, first, first + HOUR, NET)
    assert len(revised) == 0
    assert spoke(hours_kept(odd, evaluate(odd, NET)), Test.NEIGHBOUR) == {"n3"}


@given(VALUES, st.data())
def test_the_others_are_all_but_oneself(values: list[float | None], data: st.DataObject) -> None:
    size = len(values)
    group = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=size, max_size=size)))
    cells = np.array([np.nan if value is None else value for value in values])
    for place, median in enumerate(others(cells, group).tolist()):
        like = np.delete(cells, place)[np.delete(group, place) == group[place]]
        like = like[np.isfinite(like)]
        known = np.isfinite(cells[place]) and group[place] >= 0 and like.size >= 2
        if known:
            middle = np.sort(like)[[(like.size - 1) // 2, like.size // 2]]
            assert median in middle
            assert abs(median - cells[place]) == np.abs(middle - cells[place]).min()
        else:
            assert np.isnan(median)
