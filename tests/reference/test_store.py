"""Reference values in the journal: blocks of their own kind, revisions, and what must not meet them."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.network import Network, Station
from gateway import table as tables
from gateway.archive import Archive
from gateway.history import History
from gateway.journal import Journal
from gateway.line_report import OF_KIND, withdrawn
from gateway.reference import store
from gateway.reference.hour import HOUR
from gateway.reference.observed import Observed, of_table, table

T0 = 1_772_500_000 * 10**9 // HOUR * HOUR


def hours(
    station: str, *values: float, flag: int = 1, quantity: str = "pm25", first: int = 0
) -> list[Observed]:
    return [Observed(station, T0 + (first + n) * HOUR, quantity, v, flag) for n, v in enumerate(values)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def keep(journal: Journal, values: list[Observed]) -> int:
    """Store what is new; how many values that was."""
    found = store.drafts(journal, "airkorea", values)
    if found:
        journal.commit(T0, found)
    return sum(store.count(draft.body) for draft in found)


def test_a_corrected_hour_is_a_revision_and_the_same_again_is_nothing(journal: Journal) -> None:
    assert keep(journal, hours("a", 31.0, 30.0, float("nan"), flag=1)) == 3
    assert keep(journal, hours("a", 31.0, 30.0, float("nan"), flag=1)) == 0
    assert keep(journal, hours("a", 31.0, 28.0, 27.0)) == 2
    found = store.references(journal, T0, T0 + 9 * HOUR)
    assert found.numbers["ref_pm25"].tolist() == [31.0, 28.0, 27.0]
    assert len(journal.references(T0, T0 + 9 * HOUR)) == 2, "the first words stay stored"


def test_a_changed_flag_alone_is_a_revision(journal: Journal) -> None:
    keep(journal, hours("a", 31.0))
    assert keep(journal, hours("a", 31.0, flag=4)) == 1
    assert store.references(journal, T0, T0 + HOUR).numbers["ref_pm25_flag"].tolist() == [4.0]


def test_a_span_and_stations_are_what_was_asked_for(journal: Journal) -> None:
    keep(journal, [*hours("a", 1.0, 2.0, 3.0), *hours("b", 4.0, 5.0, 6.0), *hours("a", 7.0, quantity="temp")])
    found = store.references(journal, T0 + HOUR, T0 + 2 * HOUR, ["b", "c"])
    assert (found.words["station"].names, found.numbers["ref_pm25"].tolist()) == (("b",), [5.0])
    assert set(store.references(journal, T0, T0 + HOUR).numbers) == {
        "ref_pm25",
        "ref_pm25_flag",
        "temp",
        "temp_flag",
    }
    assert len(store.references(journal, T0 - 9 * HOUR, T0)) == 0


def test_samples_and_their_archive_do_not_meet_them(journal: Journal, tmp_path: Path) -> None:
    keep(journal, hours("a", 1.0, 2.0))
    history = History(journal, Archive(tmp_path / "archive", journal))
    assert len(history.read(T0, T0 + 9 * HOUR)) == 0
    assert journal.extent() is None
    assert journal.release(journal.newest()) == 0


def test_a_journal_begun_without_them_takes_them(journal: Journal) -> None:
    with journal.transaction() as db:
        db.execute("DROP INDEX block_reference")
    journal.close()
    again = Journal(journal.path)
    assert keep(again, hours("a", 1.0)) == 1
    with again.transaction() as db:
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT body FROM block WHERE kind = 'reference' AND last >= 0 AND first < 9"
        ).fetchall()
    assert "block_reference" in str(plan), "years of samples aren't read for them"


def test_they_flow_into_influxdb(journal: Journal) -> None:
    keep(journal, [*hours("jungnang", 31.0, float("nan"), flag=1), *hours("elsewhere", 2.5, flag=4)])
    network = Network("gongi/v1", {}, {}, {}, {"jungnang": Station("jungnang", "", "", 37.5, 127.0, "urban")})
    (body,) = journal.references(T0, T0 + HOUR)
    assert OF_KIND["reference"](body, network).lines == [
        f"reference,source=airkorea,station=elsewhere pm25=2.5,pm25_flag=4i {T0}",
        f"reference,kind=urban,source=airkorea,station=jungnang pm25=31.0,pm25_flag=1i {T0}",
        f"reference,kind=urban,source=airkorea,station=jungnang pm25_flag=1i {T0 + HOUR}",
    ]


def test_a_point_that_a_value_falls_out_of_is_said_again_as_a_whole(journal: Journal) -> None:
    pm10 = [replace(one, quantity="pm10") for one in hours("a", 7.0, 8.0)]
    keep(journal, [*hours("a", 1.0, 2.0), *pm10])
    changed = hours("a", float("nan"), 3.0)
    rest, again = store.drafts(journal, "airkorea", changed)
    assert [(s.quantity, s.value, s.gone) for s in store.unpack(rest.body)] == [("pm25", [3.0], [])]
    assert [(s.quantity, s.value, s.gone) for s in store.unpack(again.body)] == [
        ("pm10", [7.0], [T0]),
        ("pm25", [None], [T0]),
    ]
    assert withdrawn(again.body) == [("reference", {"source": "airkorea", "station": "a"}, T0, T0)]
    assert withdrawn(rest.body) == withdrawn(b"no list") == []


def test_large_imports_are_cut_into_blocks(journal: Journal) -> None:
    many = hours("a", *np.arange(store.MOST + 5.0).tolist())
    assert keep(journal, many) == store.MOST + 5
    assert len(journal.references(T0, T0 + len(many) * HOUR)) == 2


@given(
    st.lists(
        st.builds(
            Observed,
            st.sampled_from(["a", "b-1"]),
            st.integers(0, 5).map(lambda n: T0 + n * HOUR),
            st.sampled_from(["pm25", "pm10", "temp"]),
            st.floats(-100, 2000) | st.just(float("nan")),
            st.sampled_from([1, 3, 4, 9]),
        ),
        min_size=1,
    )
)
@settings(max_examples=40)
def test_values_come_back_from_a_table_and_from_a_block(values: list[Observed]) -> None:
    last = {(one.station, one.time, one.quantity): one for one in values}
    wanted = sorted(map(repr, last.values()))
    assert sorted(map(repr, of_table(table(values)))) == wanted
    (draft,) = [store._draft("s", list(last.values()))]
    back = [one for series in store.unpack(draft.body) for one in store._values(series)]
    assert sorted(map(repr, back)) == wanted


def test_a_table_without_flags_is_good_where_it_has_values(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time,station,ref_pm25,rain\n2026-03-03T01:00:00Z,A,12,\n2026-03-03T02:00:00Z,A,,0\n")
    values = {
        (one.quantity, one.time // HOUR % 24): (one.value, one.flag) for one in of_table(tables.read(path))
    }
    assert values["pm25", 1] == (12.0, 1)
    assert values["rain", 2] == (0.0, 1)
    assert values["pm25", 2][1] == 9


def test_a_body_of_another_kind_is_no_series() -> None:
    with pytest.raises(msgspec.DecodeError):
        store.unpack(b'[{"station": 3}]')
