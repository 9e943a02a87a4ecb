"""Exchange tables: the CSV, CSV.gz and Parquet that every command reads and writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from edge.problem import Problem
from edge.readings import Array, Readings

TEXT = ("site", "node", "station", "room", "placement")
"""The columns that hold names; every other one but `time` holds numbers."""

DEVICES = ("node", "station", "room", "site")
"""Which column names the device that measured: the first of these that a table has."""

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-"]
HOUR = 3_600_000_000_000
ZONED = r"(?i)[T ]\d\d.*(Z|[+-]\d\d:?\d\d)$"


class TableError(Problem):
    """A file isn't an exchange table, or can't be read or written."""


@dataclass(frozen=True, slots=True)
class Words:
    """A column of names: `code` [rows] indexes `names`; a missing name is empty."""

    names: tuple[str, ...]
    code: Array


@dataclass(frozen=True, slots=True)
class Notes:
    """What was put right while reading: rows that stood twice (`doubled`: alike, `differing`: the first was
    kept), whether rows were out of order, values that are no numbers by column, text columns left out."""

    doubled: int = 0
    differing: int = 0
    unsorted: bool = False
    not_numbers: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A series of many devices: `time` [ns UTC], columns of names and of numbers (NaN where missing), all of
    one length, sorted by device and time, no device twice at one time."""

    name: str
    time: Array
    words: Mapping[str, Words]
    numbers: Mapping[str, Array]
    notes: Notes = field(default_factory=Notes)

    def __len__(self) -> int:
        return int(self.time.size)

    @cached_property
    def device(self) -> Words:
        """Who measured each row: the node, else the station, room or site, else the table itself."""
        column = next((name for name in DEVICES if name in self.words), None)
        named = self.words[column] if column else Words((), np.zeros(len(self), np.int32))
        return Words(tuple(name or self.name for name in named.names or ("",)), named.code)

    @cached_property
    def hash(self) -> str:
        """64 hex digits over what the table says, whatever its format."""
        digest = sha256(self.time.tobytes())
        for name, words in sorted(self.words.items()):
            digest.update(f"{name}{words.names}".encode() + words.code.astype("<i4").tobytes())
        for name, numbers in sorted(self.numbers.items()):
            digest.update(name.encode() + numbers.astype("<f8").tobytes())
        return digest.hexdigest()

    def take(self, index: Array) -> "Table":
        """The rows that `index` (positions or a mask) names."""
        words = {name: Words(column.names, column.code[index]) for name, column in self.words.items()}
        numbers = {name: column[index] for name, column in self.numbers.items()}
        return Table(self.name, self.time[index], words, numbers, self.notes)


def usual_step(time: Array, otherwise: int = HOUR) -> int:
    """The median time [ns] between one device's rows at `time` [ns]; `otherwise` where there are fewer than
    two."""
    return int(np.median(np.diff(time))) if time.size > 1 else otherwise


def slug(text: str) -> str:
    """A name as the wire allows it: lower case, every other character a `-`."""
    return re.sub(r"[^a-z0-9-]", "-", text.strip().lower())


def read(path: Path, tz: str = "Asia/Seoul") -> Table:
    """An exchange table; times without an offset are local to `tz`. Raises `TableError`."""
    columns = _columns(path)
    if "time" not in columns:
        raise TableError(
            f"no column `time` among {', '.join(columns)}",
            str(path),
            "the column of the times is named time, its values are ISO 8601",
        )
    time = _times(columns.pop("time"), _zone(tz), path)
    words = {name: _words(columns.pop(name)) for name in TEXT if name in columns}
    numbers, wrong = {}, {}
    for name, column in columns.items():
        numbers[name], wrong[name] = _numbers(column)
    unknown = tuple(name for name in columns if wrong[name] and not np.isfinite(numbers[name]).any())
    counted = {name: count for name, count in wrong.items() if count and name not in unknown}
    kept = {name: values for name, values in numbers.items() if name not in unknown}
    stem = slug(path.name.removesuffix(".gz").rsplit(".", 1)[0])[:32]
    return ordered(Table(stem, time, words, kept, Notes(not_numbers=counted, unknown=unknown)))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a name is looked up as a path, and fails in a path's ways
        raise TableError(f'"{name}" is no time zone', "--tz", "an IANA name like Asia/Seoul") from None


def ordered(table: Table) -> Table:
    """The table sorted by device and time, with each device's rows of one time reduced to the first."""
    device, time = table.device.code, table.time
    order = np.lexsort((time, device))
    twice = np.zeros(time.size, bool)
    twice[1:] = (np.diff(device[order]) == 0) & (np.diff(time[order]) == 0)
    like = np.array(twice)
    for values in (*(w.code for w in table.words.values()), *table.numbers.values()):
        here = values[order].astype(np.float64)
        like[1:] &= (here[1:] == here[:-1]) | (np.isnan(here[1:]) & np.isnan(here[:-1]))
    notes = replace(
        table.notes,
        doubled=int(like.sum()),
        differing=int((twice & ~like).sum()),
        unsorted=_unsorted(device, time),
    )
    return replace(table.take(order[~twice]), notes=notes)


def _unsorted(device: Array, time: Array) -> bool:
    by_device = np.argsort(device, kind="stable")
    back = (np.diff(time[by_device]) < 0) & (np.diff(device[by_device]) == 0)
    return bool(back.any())


def write(table: Table | Readings, path: Path, notice: str = "") -> None:
    """Write a table, or readings (calibrated values by quantity, `_raw`, `_u` and `_flag` beside them), in
    the format that the file's ending names; a `notice` goes along, in Parquet's metadata or in a file beside.
    """
    whole = of_readings(table) if isinstance(table, Readings) else table
    columns = {"time": pa.array(whole.time).cast(pa.timestamp("ns")).cast(pa.timestamp("ns", "UTC"))}
    for name, words in whole.words.items():
        columns[name] = pa.DictionaryArray.from_arrays(words.code, pa.array(words.names, pa.string()))
    for name, values in whole.numbers.items():
        columns[name] = pa.array(values, from_pandas=True)
    arrow = pa.table(columns)
    try:
        _write(arrow.replace_schema_metadata({"notice": notice}) if notice else arrow, path)
    except pa.ArrowInvalid as error:
        raise TableError(str(error), str(path)) from None


def _write(arrow: Any, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(arrow, path, compression="zstd")
    elif path.name.endswith((".csv", ".csv.gz")):
        text = {name: arrow[name].cast(pa.string()) for name in TEXT if name in arrow.column_names}
        rest = {name: arrow[name] for name in arrow.column_names[1:]}
        plain = pa.table({"time": _iso(arrow["time"]), **rest, **text})
        with pa.output_stream(path, compression="gzip" if path.suffix == ".gz" else None) as stream:
            pcsv.write_csv(plain, stream, pcsv.WriteOptions(quoting_style="none", quoting_header="none"))
        # A line of words in a table of numbers would keep others from reading it.
        if notice := (arrow.schema.metadata or {}).get(b"notice"):
            path.with_name(f"{path.name}.notice.txt").write_bytes(notice + b"\n")
    else:
        raise TableError("unknown kind of table", str(path), "name it .csv, .csv.gz or .parquet")


def _iso(time: Any) -> Any:
    whole = not np.any(time.to_numpy().astype(np.int64) % 1_000_000_000)
    return pc.strftime(time.cast(pa.timestamp("s" if whole else "ns", "UTC")), "%Y-%m-%dT%H:%M:%SZ")


def of_readings(readings: Readings) -> Table:
    """The timed rows of readings as a table, sorted by node and time."""
    rows = readings.take(readings.timed())
    numbers: dict[str, Array] = {}
    for name, column in rows.columns.items():
        numbers |= {name: column.value, f"{name}_raw": column.raw, f"{name}_u": column.u}
        numbers[f"{name}_flag"] = column.flag.astype(np.float64)
    words = {"node": Words(rows.nodes, rows.node)}
    return ordered(Table("readings", rows.time, words, numbers))


def _columns(path: Path) -> dict[str, Any]:
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else _csv(path)
    except FileNotFoundError:
        raise TableError("no such file", str(path)) from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError, OSError) as error:
        coded = "UTF8" in str(error) or isinstance(error, UnicodeDecodeError)
        advice = "save it as CSV UTF-8" if coded else "tables are .csv, .csv.gz or .parquet"
        raise TableError(f"can't be read: {str(error).splitlines()[0]}", str(path), advice) from None
    names = [name.strip().lower() for name in table.schema.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"columns that stand twice: {', '.join(twice)}", str(path))
    return {name: table.column(number).combine_chunks() for number, name in enumerate(names)}


def _csv(path: Path) -> Any:
    """Every column as text: what is a number is found out over the whole column, not from its beginning."""
    with pcsv.open_csv(path) as opened:
        names = opened.schema.names
    kinds = pcsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=MISSING
    )
    return pcsv.read_csv(path, convert_options=kinds)


def _times(column: Any, zone: ZoneInfo, path: Path) -> Array:
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py() + 1
        raise TableError(f"row {row} has no time", str(path))
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_numpy()
        return stamps if column.type.tz else _utc(stamps, zone)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        raise TableError(f"`time` is {column.type}, not ISO 8601 text or timestamps", str(path))
    return _parsed(pc.utf8_trim_whitespace(column), zone, path)


def _parsed(text: Any, zone: ZoneInfo, path: Path) -> Array:
    zoned = pc.match_substring_regex(text, ZONED).to_numpy(zero_copy_only=False).astype(bool)
    time = np.empty(len(text), np.int64)
    try:
        aware = text.filter(pa.array(zoned)).cast(pa.timestamp("ns", "UTC"))
        naive = text.filter(pa.array(~zoned)).cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return np.array(
            [_instant(one, row, zone, path) for row, one in enumerate(text.to_pylist(), 1)], np.int64
        )
    time[zoned] = aware.cast(pa.int64()).to_numpy()
    time[~zoned] = _utc(naive.cast(pa.int64()).to_numpy(), zone)
    return time


def _instant(text: str, row: int, zone: ZoneInfo, path: Path) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        advice = "write it like 2026-03-02T08:30:00Z"
        raise TableError(f'row {row}: "{text}" is no ISO 8601 time', str(path), advice) from None
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    return int(aware.replace(microsecond=0).timestamp()) * 1_000_000_000 + aware.microsecond * 1000


def _utc(local: Array, zone: ZoneInfo) -> Array:
    """Local wall-clock [ns] to UTC [ns]; of an hour that comes twice, the first."""
    quarters, place = np.unique(local // (HOUR // 4), return_inverse=True)
    starts = (datetime.fromtimestamp(int(q) * 900, UTC).replace(tzinfo=zone) for q in quarters)
    offsets = np.array([int(start.utcoffset().total_seconds()) for start in starts], np.int64)  # type: ignore[union-attr]  # a zone is set
    return local - (offsets * 1_000_000_000)[place] if local.size else local


def _words(column: Any) -> Words:
    coded = column.cast(pa.string()).fill_null("").dictionary_encode()
    names = [slug(name) for name in coded.dictionary.to_pylist()]
    unique = {name: code for code, name in enumerate(dict.fromkeys(sorted(names)))}
    recode = np.array([unique[name] for name in names] or [0], np.int32)
    return Words(tuple(unique), recode[coded.indices.to_numpy()])


def _numbers(column: Any) -> tuple[Array, int]:
    """The numbers of a column, NaN where missing, and how many values aren't numbers."""
    try:
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        wrong = np.isinf(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values, wrong = _tried(column.cast(pa.string()))
    return np.where(wrong, np.nan, values), int(wrong.sum())


def _tried(text: Any) -> tuple[Array, Array]:
    coded = text.fill_null("").dictionary_encode()
    known = np.array([_number(word) for word in coded.dictionary.to_pylist()] or [np.nan])
    none = np.array([word.strip() in MISSING for word in coded.dictionary.to_pylist()] or [True])
    place = coded.indices.to_numpy()
    return known[place], (~np.isfinite(known) & ~none)[place]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
