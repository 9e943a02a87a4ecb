"""`Readings` as Arrow: the packed body of a journal block, and the columns of an archive file."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from edge.quantity import QUANTITIES
from edge.readings import CELLS, KEYS, Array, Column, Readings

_FIELD = {"raw": "{}_raw", "value": "{}", "u": "{}_u", "flag": "{}_flag", "tests": "{}_tests"}
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_WORDS = {"node": "nodes", "cal": "cals"}


def to_batch(readings: Readings) -> pa.RecordBatch:
    """The rows as one record batch; calibrated values that all equal their raw ones are left out."""
    names, arrays = [], []
    for name in KEYS:
        words = getattr(readings, _WORDS[name]) if name in _WORDS else None
        names.append(name)
        arrays.append(_array(getattr(readings, name), words))
    for quantity, column in readings.columns.items():
        for cell in CELLS:
            if cell != "value" or not np.array_equal(column.value, column.raw, equal_nan=True):
                names.append(_FIELD[cell].format(quantity))
                arrays.append(pa.array(getattr(column, cell)))
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _array(numbers: Array, words: Sequence[str] | None) -> pa.Array:
    if words is None:
        return pa.array(numbers)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(words, pa.string()))


def from_table(table: pa.RecordBatch | pa.Table) -> Readings:
    """The rows of a record batch or table that `to_batch` made."""
    fields = {name: table.column(name) for name in table.schema.names}
    node, nodes = _indexed(fields["node"])
    cal, cals = _indexed(fields["cal"])
    fields |= {"node": node, "cal": cal}
    keys = {name: np.asarray(fields[name]).astype(kind, copy=False) for name, kind in KEYS.items()}
    columns = {name: _column(name, fields) for name in QUANTITIES if f"{name}_raw" in fields}
    return Readings(nodes=nodes, cals=cals, columns=columns, **keys)


def _indexed(column: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, tuple[str, ...]]:
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
        column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return column.indices, tuple(column.dictionary.to_pylist())


def _column(quantity: str, fields: dict[str, pa.Array]) -> Column:
    raw = np.asarray(fields[f"{quantity}_raw"])
    cells = {cell: fields.get(_FIELD[cell].format(quantity), raw) for cell in CELLS}
    return Column(
        **{cell: np.asarray(array).astype(CELLS[cell], copy=False) for cell, array in cells.items()}
    )


def pack(readings: Readings) -> bytes:
    """The rows as a compressed Arrow stream."""
    sink = pa.BufferOutputStream()
    batch = to_batch(readings)
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpack(body: bytes) -> Readings:
    """The rows of a packed body."""
    with pa.ipc.open_stream(body) as reader:
        return from_table(reader.read_next_batch())
