"""Exchange tables: what is read, what is put right and said, and that writing and reading give the same."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.readings import SECOND, UNTIMED, Column, Readings
from gateway.notice import for_files
from gateway.table import Table, TableError, Words, ordered, read, write

NOON = 1_767_265_200 * SECOND
"""2026-01-01T11:00:00Z."""


def csv(tmp_path: Path, text: str, name: str = "Some Table.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_time_names_and_numbers(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "time,Site,node,PM25,fan\n2026-01-01T11:00:00Z,North A,CS_1,12.5,1\n"))
    assert table.time.tolist() == [NOON]
    assert table.words["site"].names == ("north-a",)
    assert table.device.names == ("cs-1",)
    assert {name: values.tolist() for name, values in table.numbers.items()} == {"pm25": [12.5], "fan": [1.0]}
    assert table.name == "some-table"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T11:00:00Z", 0),
        ("2026-01-01 11:00:00+00:00", 0),
        ("2026-01-01T20:00:00+0900", 0),
        ("2026-01-01T20:00:00", 0),
        ("2026-01-01 20:00", 0),
        ("2026-01-01T11:00:00.250Z", 0.25),
        ("20260101T200000", 0),
        ("2026-01-01", -20 * 3600),
    ],
)
def test_times_with_offset_and_local_ones(tmp_path: Path, text: str, seconds: float) -> None:
    assert read(csv(tmp_path, f"time,pm25\n{text},1\n")).time.tolist() == [NOON + int(seconds * SECOND)]


def test_local_times_follow_summer_time(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,pm25\n2026-03-29T01:30:00,1\n2026-03-29T03:30:00,2\n2026-10-25T02:30:00,3\n")
    steps = np.diff(read(path, "Europe/Paris").time) // SECOND
    assert steps[0] == 3600
    assert read(path, "Europe/Paris").time[2] == np.datetime64("2026-10-25T00:30:00", "ns").astype(np.int64)


def test_an_unknown_zone_is_said(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,pm25\n2026-01-01,1\n")
    for zone in ("Asia/Soul", "Asia", "", "../x"):
        with pytest.raises(TableError, match="is no time zone"):
            read(path, zone)


def test_rows_are_sorted_and_doubles_counted(tmp_path: Path) -> None:
    rows = [
        "11:00:00Z,b,1",
        "11:01:00Z,a,2",
        "11:00:00Z,a,",
        "11:01:00Z,a,2",
        "11:00:00Z,b,9",
        "11:00:00Z,a,",
    ]
    table = read(csv(tmp_path, "time,node,pm25\n" + "".join(f"2026-01-01T{row}\n" for row in rows)))
    assert [table.device.names[code] for code in table.device.code] == ["a", "a", "b"]
    np.testing.assert_array_equal(table.numbers["pm25"], [np.nan, 2.0, 1.0])
    assert (table.notes.doubled, table.notes.differing, table.notes.unsorted) == (2, 1, True)


def test_what_is_no_number_is_counted_and_text_is_left_out_by_name(tmp_path: Path) -> None:
    lines = "11:00:00Z,12,good,inf\n2026-01-01T12:00:00Z,n/k,bad,3\n2026-01-01T13:00:00Z,NA,,\n"
    table = read(csv(tmp_path, f"time,pm25,remark,co2\n2026-01-01T{lines}"))
    np.testing.assert_array_equal(table.numbers["pm25"], [12.0, np.nan, np.nan])
    assert table.notes.not_numbers == {"pm25": 1, "co2": 1}
    assert table.notes.unknown == ("remark",)
    assert "remark" not in table.numbers


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    table = read(csv(tmp_path, "time,station,pm25\n2026-01-01T11:00:00Z,007,1\n2026-01-01T11:00:00Z,7,2\n"))
    assert table.device.names == ("007", "7")


def test_a_table_without_names_is_one_device(tmp_path: Path) -> None:
    path = tmp_path / "attic.csv.gz"
    path.write_bytes(gzip.compress(b"time,pm25\n2026-01-01T11:00:00Z,1\n"))
    assert read(path).device.names == ("attic",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("date,pm25\n1,2\n", "no column `time`"),
        ("time,pm25\nyesterday,2\n", 'row 1: "yesterday" is no ISO 8601 time'),
        ("time,pm25\n2026-01-01T11:00:00Z,2\n,3\n", "row 2 has no time"),
        ("time,pm25,PM25\n2026-01-01T11:00:00Z,2,3\n", "stand twice: pm25"),
        ("", "can't be read"),
        ("time,pm25\n1,2,3\n", "can't be read"),
    ],
)
def test_what_is_no_table_says_why(tmp_path: Path, text: str, says: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(TableError, match=says.replace("(", r"\(")) as error:
        read(path)
    assert str(path) in str(error.value)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR?")
    (tmp_path / "a.csv.gz").write_bytes(b"not gzip")
    (tmp_path / "b.csv").write_bytes(b"time,pm25\n\xff\xfe,2\n")
    for name in ("a.parquet", "a.csv.gz", "b.csv", "absent.csv"):
        with pytest.raises(TableError):
            read(tmp_path / name)
    with pytest.raises(TableError, match=r"\.csv, \.csv\.gz or \.parquet"):
        write(read(csv(tmp_path, "time,pm25\n2026-01-01T11:00:00Z,2\n")), tmp_path / "a.xlsx")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", None])
def test_parquet_times_of_any_kind(tmp_path: Path, zone: str | None) -> None:
    stamp = pa.array([NOON // SECOND + (0 if zone else 9 * 3600)]).cast(pa.timestamp("s", zone))
    pq.write_table(
        pa.table({"time": stamp, "node": [6008], "pm25": pa.array([3], pa.int16())}), tmp_path / "t.parquet"
    )
    table = read(tmp_path / "t.parquet")
    assert table.time.tolist() == [NOON]
    assert table.device.names == ("6008",)
    assert table.numbers["pm25"].dtype == np.float64


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4_000_000_000).map(lambda s: s * SECOND),
        st.integers(0, 2),
        st.floats(-1e6, 1e6) | st.just(float("nan")),
    ),
    min_size=1,
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(ROWS, st.sampled_from(["t.csv", "t.csv.gz", "t.parquet"]))
def test_written_and_read_is_the_same(tmp_path: Path, rows: list[tuple[int, int, float]], name: str) -> None:
    time, code, value = (np.array(column) for column in zip(*rows, strict=True))
    words = {"node": Words(("a", "b", "c-d"), code.astype(np.int32))}
    table = ordered(Table("t", time.astype(np.int64), words, {"pm25": value.astype(np.float64)}))
    write(table, tmp_path / name)
    back = read(tmp_path / name)
    np.testing.assert_array_equal(back.time, table.time)
    np.testing.assert_array_equal(back.numbers["pm25"], table.numbers["pm25"])
    assert [back.device.names[c] for c in back.device.code] == [
        table.device.names[c] for c in table.device.code
    ]


def test_readings_are_written_with_raw_uncertainty_and_flag(tmp_path: Path) -> None:
    whole = np.zeros(3, np.int64)
    column = Column(
        *(np.array(cells) for cells in ([5.0, 6, 7], [4.0, 5, np.nan], [1.0, 1, 1], [1, 3, 9], [0, 2, 0]))
    )
    keys = dict.fromkeys(("log", "seq", "row", "boot", "up", "dt", "hash", "clock", "cal"), whole)
    time = np.array([NOON + SECOND, NOON, UNTIMED])
    rows = Readings(nodes=("a",), cals=("",), node=whole, time=time, columns={"pm25": column}, **keys)
    write(rows, tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().splitlines() == [
        "time,node,pm25,pm25_raw,pm25_u,pm25_flag",
        "2026-01-01T11:00:00Z,a,5,6,1,3",
        "2026-01-01T11:00:01Z,a,4,5,1,1",
    ]


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    lines = ["2026-01-01T11:00:00Z,a,1", "2026-01-01T12:00:00Z,a,2"]
    first = read(csv(tmp_path, "time,node,pm25\n" + "\n".join(lines)))
    turned = read(csv(tmp_path, "time,node,pm25\n" + "\n".join(reversed(lines)), "other.csv"))
    other = read(csv(tmp_path, "time,node,pm25\n" + "\n".join(lines).replace(",2", ",3")))
    assert first.hash == turned.hash != other.hash


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet"])
def test_a_notice_goes_with_the_file_and_changes_nothing_in_it(tmp_path: Path, name: str) -> None:
    table = Table(
        "x", np.array([SECOND]), {"node": Words(("a",), np.zeros(1, np.int32))}, {"pm25": np.ones(1)}
    )
    bare, noted = tmp_path / "bare" / name, tmp_path / "noted" / name
    for path, notice in ((bare, ""), (noted, for_files())):
        path.parent.mkdir()
        write(table, path, notice)
    assert read(noted).hash == read(bare).hash
    beside = [path.name for path in noted.parent.iterdir() if path != noted]
    metadata = pq.read_schema(noted).metadata if name == "x.parquet" else {}
    said = metadata[b"notice"].decode() if metadata else (noted.parent / beside[0]).read_text("utf-8")
    assert beside == ([] if metadata else [f"{name}.notice.txt"])
    assert [one.name for one in bare.parent.iterdir()] == [name]
    assert all(
        words in said for words in ("간이측정기로 측정", "성능인증", "국가 대기오염측정망 자료가 아닙니다")
    )
    assert "Not data of the national air quality network." in said
