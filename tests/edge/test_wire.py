"""The wire: golden vectors that the firmware reads too, and no bytes whatever that raise an exception."""

import json
import struct
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge import report
from edge.quantity import QUANTITIES
from edge.readings import CELLS, KEYS, SECOND, UNTIMED, Clock, Flag, Readings, concat
from edge.wire import MAX_BYTES, MAX_SAMPLES, Decoded, Letter, address, decode, schema

HERE = Path(__file__).parent
VECTORS: dict[str, Any] = json.loads((HERE.parent / "vectors/wire.json").read_text("utf-8"))
DOC = (HERE.parent.parent / "docs/wire.md").read_text("utf-8")


def names(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def one(payload: bytes, now: int | None = None) -> Decoded:
    return decode(["n1"], ["gongi/v1/hana/n1/obs"], [payload], now)


def written(vector: dict[str, Any]) -> bytes:
    if "payload" in vector:
        return vector["payload"].encode()
    if "payload_hex" in vector:
        return bytes.fromhex(vector["payload_hex"])
    text, times = vector["repeat"]
    return text.encode() * times


def equal(left: Readings, right: Readings) -> None:
    """The same rows in the same order, cell by cell."""
    assert [left.nodes[n] for n in left.node] == [right.nodes[n] for n in right.node]
    for key in KEYS:
        if key not in ("node", "cal"):
            np.testing.assert_array_equal(getattr(left, key), getattr(right, key), key)
    used = {name for block in (left, right) for name, c in block.columns.items() if c.flag.any()}
    for name in used:
        ours, theirs = left.columns[name], right.columns[name]
        for cell in CELLS:
            np.testing.assert_array_equal(getattr(ours, cell), getattr(theirs, cell), cell)


# Golden vectors


@pytest.mark.parametrize("vector", VECTORS["topics"], ids=lambda vector: repr(vector["topic"]))
def test_topics(vector: dict[str, Any]) -> None:
    found = address(VECTORS["root"], vector["topic"])
    assert (found and {"site": found.site, "device": found.device, "kind": found.kind}) == vector["address"]


@names(VECTORS["batches"])
def test_batches(vector: dict[str, Any]) -> None:
    now = vector["now"] * SECOND if "now" in vector else None
    decoded = one(written(vector), now)
    rows = decoded.readings
    assert decoded.letters == ()
    assert dict(decoded.unknown) == vector.get("unknown", {})
    assert len(decoded.impossible) == vector.get("impossible", False)
    assert rows.time.tolist() == [UNTIMED if t is None else t * SECOND for t in vector["times"]]
    assert rows.row.tolist() == list(range(len(vector["times"])))
    assert {Clock.NONE if t is None else Clock.OWN for t in vector["times"]} == set(rows.clock.tolist())
    for key in ("seq", "boot", "up", "dt"):
        assert set(getattr(rows, key).tolist()) == {vector[key]}
    assert {f"{log:08x}" for log in rows.log.tolist()} == {vector["log"]}
    assert {f"{number:016x}" for number in rows.hash.tolist()} == {vector["hash"]}
    cells = {
        name: [None if np.isnan(cell) else cell for cell in column.raw.tolist()]
        for name, column in rows.columns.items()
        if column.flag.any()
    }
    assert cells == vector["columns"]
    for name, values in vector["columns"].items():
        flags = [Flag.MISSING if value is None else Flag.UNKNOWN for value in values]
        assert rows.columns[name].flag.tolist() == flags


@names([vector for vector in VECTORS["batches"] if vector.get("node_writes_this")])
def test_what_a_node_writes_is_compact_and_in_the_order_of_the_wire(vector: dict[str, Any]) -> None:
    batch = json.loads(vector["payload"])
    assert vector["payload"] == json.dumps(batch, separators=(",", ":"))
    assert list(batch)[:6] == ["log", "seq", "boot", "up", "t0", "dt"]


@names(VECTORS["refused"])
def test_refused(vector: dict[str, Any]) -> None:
    payload = written(vector)
    decoded = one(payload)
    assert len(decoded.readings) == 0
    (letter,) = decoded.letters
    assert (letter.topic, letter.payload) == ("gongi/v1/hana/n1/obs", payload)
    assert letter.reason
    assert vector["reason"] in letter.reason


@names(VECTORS["messages"])
def test_reports(vector: dict[str, Any]) -> None:
    said = report.decode(vector["kind"], "gongi/v1/hana/n1/x", vector["payload"].encode())
    if vector.get("refused"):
        assert isinstance(said, Letter)
        assert said.reason
        return
    assert not isinstance(said, Letter)
    fields = json.loads(msgspec.json.encode(said))
    known = {name: value for name, value in vector["fields"].items() if name in fields}
    assert known
    assert {name: fields[name] for name in known} == known


# The document


def test_the_document_holds_the_schema_that_the_code_gives() -> None:
    stated = json.loads(DOC.split("```json schema\n")[1].split("```")[0])
    assert stated == schema()


def test_the_schema_judges_the_vectors_as_the_decoder_does() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    for vector in VECTORS["batches"]:
        if vector["name"] != "a doubled key: the last one counts":
            validator.validate(json.loads(vector["payload"]))
    # What a schema can't say: that there is a column, that columns have one length, that 10.0 isn't whole.
    beyond = {"no column", "only an unknown column", "columns of two lengths", "a fractional dt"}
    for vector in VECTORS["refused"]:
        payload = vector.get("payload", "NaN")
        if vector["reason"] != "not JSON" and "NaN" not in payload and "1e999" not in payload:
            assert validator.is_valid(json.loads(payload)) == (vector["name"] in beyond), vector["name"]


def test_the_documented_hash_is_the_one_of_the_vectors() -> None:
    code = DOC.split("```python hash\n")[1].split("```")[0]
    space: dict[str, Any] = {}
    exec(compile(code, "docs/wire.md", "exec"), space)
    for vector in VECTORS["batches"]:
        batch = {**json.loads(vector["payload"]), "seq": vector["seq"]}
        assert f"{space['content_hash'](batch):016x}" == vector["hash"], vector["name"]
    assert VECTORS["batches"][0]["hash"] in DOC
    assert VECTORS["batches"][0]["payload"] in DOC


# Whatever comes

VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
HEADS = st.fixed_dictionaries(
    {
        "log": st.integers(0, 2**32 - 1).map("{:08x}".format),
        "seq": st.integers(1, 2**48),
        "boot": st.integers(0, 2**48),
        "up": st.integers(0, 2**48),
        "t0": st.none() | st.integers(978_307_200, 4_000_000_000),
        "dt": st.integers(1, 86_400),
    }
)


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Any]:
    size = draw(st.integers(1, 8))
    chosen = draw(st.lists(st.sampled_from(list(QUANTITIES)), min_size=1, max_size=5, unique=True))
    column = st.lists(VALUES, min_size=size, max_size=size)
    return {**draw(HEADS), **{name: draw(column) for name in chosen}}


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
KEYS_OF_A_BATCH = st.sampled_from(["log", "seq", "boot", "up", "t0", "dt", "pm25", "rh", "unheard-of", ""])


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A valid batch with keys changed or taken away, perhaps with bytes cut out or put in."""
    batch = draw(batches())
    for key, value in draw(st.dictionaries(KEYS_OF_A_BATCH, JSONISH, max_size=3)).items():
        batch[key] = value
    for key in draw(st.lists(KEYS_OF_A_BATCH, max_size=2)):
        batch.pop(key, None)
    text = json.dumps(batch).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        place, gone = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = text[:place] + draw(st.binary(max_size=4)) + text[place + gone :]
    return text


def settled(payloads: list[bytes], now: int | None = None) -> Decoded:
    """Each payload is either in the readings or in a letter with a reason."""
    places = range(len(payloads))
    decoded = decode([f"n{i}" for i in places], [str(i) for i in places], payloads, now)
    stored = {int(decoded.readings.nodes[n][1:]) for n in decoded.readings.node.tolist()}
    refused = {int(letter.topic) for letter in decoded.letters}
    assert stored | refused == set(range(len(payloads)))
    assert not stored & refused
    assert all(letter.reason for letter in (*decoded.letters, *decoded.impossible))
    assert {int(letter.topic) for letter in decoded.impossible} <= stored
    return decoded


@example([b'{"log":"00000000","seq":1,"boot":0,"up":0,"t0":1,"dt":1}'])
@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200) | mutants() | JSONISH.map(json.dumps).map(str.encode), max_size=5))
def test_any_bytes_end_in_the_readings_or_in_a_letter(payloads: list[bytes]) -> None:
    settled(payloads)
    settled(payloads, 1_763_778_000 * SECOND)


@given(st.integers(1, 4000), st.sampled_from([b"[", b'{"pm25":', b'{"x":[']))
def test_deep_nesting_is_refused(depth: int, opening: bytes) -> None:
    settled([opening * depth, json.dumps({"x": 1}).encode()[:-1] + b',"y":' + opening * depth])


def test_ten_megabytes_are_refused_unread() -> None:
    (letter,) = settled([b'{"log":"7f3a09c1","seq":1,"pm25":[' + b"1," * 5_000_000]).letters
    assert letter.reason == f"10000034 bytes, at most {MAX_BYTES} are allowed"


@given(st.lists(batches(), max_size=6))
def test_a_block_is_its_messages_one_after_the_other(made: list[dict[str, Any]]) -> None:
    payloads = [json.dumps(batch).encode() for batch in made]
    nodes = [f"n{len(payload) % 3}" for payload in payloads]
    whole = decode(nodes, nodes, payloads, None)
    singles = [decode([n], [n], [payload], None) for n, payload in zip(nodes, payloads, strict=True)]
    equal(whole.readings, concat(single.readings for single in singles))
    assert whole.letters == sum((single.letters for single in singles), ())


@given(batches())
def test_what_was_sent_comes_back(batch: dict[str, Any]) -> None:
    rows = one(json.dumps(batch).encode()).readings
    sent = {name: values for name, values in batch.items() if name in QUANTITIES}
    size = len(next(iter(sent.values())))
    assert len(rows) == size <= MAX_SAMPLES
    for name, values in sent.items():
        cells = [np.nan if value is None else float(value) for value in values]
        np.testing.assert_array_equal(rows.columns[name].raw, cells)
    late = batch["t0"] is None or batch["t0"] + (size - 1) * batch["dt"] > 4_102_444_800
    assert rows.time[0] == (UNTIMED if late else batch["t0"] * SECOND)


def content(batch: dict[str, Any]) -> int:
    (number,) = set(one(json.dumps(batch).encode()).readings.hash.tolist())
    return int(number)


@given(batches(), st.randoms(use_true_random=False), st.none() | st.integers(978_307_200, 4_000_000_000))
def test_neither_order_nor_spelling_nor_time_change_the_content(
    batch: dict[str, Any], random: Any, t0: int | None
) -> None:
    keys = list(batch)
    random.shuffle(keys)
    respelt = {key: _respelt(batch[key]) for key in keys}
    assert content({**respelt, "t0": t0}) == content(batch)


def _respelt(value: Any) -> Any:
    return [cell if cell is None else float(cell) for cell in value] if isinstance(value, list) else value


@given(batches(), st.data())
def test_any_other_content_has_another_hash(batch: dict[str, Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(batch))
    key = data.draw(st.sampled_from([name for name in batch if name not in ("log", "seq", "t0")]))
    if isinstance(batch[key], list):
        place = data.draw(st.integers(0, len(batch[key]) - 1))
        changed[key][place] = data.draw(VALUES.filter(lambda value: value != batch[key][place]))
    else:
        changed[key] = data.draw(st.integers(1, 86_400).filter(lambda value: value != batch[key]))
    assert content(changed) != content(batch)


@given(batches())
def test_values_that_change_places_change_the_content(batch: dict[str, Any]) -> None:
    names_of = [name for name in batch if name in QUANTITIES]
    turned = {**batch, **{name: batch[name][::-1] for name in names_of}}
    bits = [[struct.pack("<d", np.nan if v is None else v + 0.0) for v in batch[name]] for name in names_of]
    if any(column != column[::-1] for column in bits):
        assert content(turned) != content(batch)
