import gc
import json

from lib import wire
from lib.info import config_hash
from lib.record import pack_row
from lib.sheet import Full, Sheet
from lib.spool import Batch
from vectors import load


def written(one: Batch) -> bytes:
    sheet = Sheet(8192)
    wire.batch(sheet, "7f3a09c1", one)
    return sheet.text()


def test_decimals_are_exact() -> None:
    cases = (
        (0, 10, b"0"),
        (-5, 10, b"-0.5"),
        (5, 100, b"0.05"),
        (-1250, 100, b"-12.5"),
        (1205, 100, b"12.05"),
        (121, 10, b"12.1"),
        (100000, 1, b"100000"),
        (None, 10, b"null"),
        (-4500, 100, b"-45"),
    )
    for value, scale, text in cases:
        assert wire.decimal(value, scale) == text, (value, scale, wire.decimal(value, scale))


def test_objects_keep_their_order_and_times_their_last_digit() -> None:
    got = wire.text(
        (("z", 1763778017), ("a", [None, True, "µg\\"]), ("m", (("x", wire.Scaled(125, 10)),)), ("e", ()))
    )
    assert bytes(got).decode() == '{"z":1763778017,"a":[null,true,"µg\\\\"],"m":{"x":12.5},"e":{}}', got


def batch(rows: int, columns: int) -> Batch:
    one = Batch(118, 3, 5321, 1763778017, 10, tuple(("q%d" % i, 10) for i in range(columns)), bytearray())
    return filled(one, [[i * 1000 + j for j in range(columns)] for i in range(rows)])


def filled(one: Batch, rows: list) -> Batch:
    last = None
    for row in rows:
        one.take(pack_row(row, last), 0)
        last = row
    return one


def test_a_batch_is_as_design_writes_it() -> None:
    one = Batch(118, 3, 5321, 1763778000, 10, (("pm25", 10), ("rh", 100)), bytearray())
    filled(one, [[121, 4000], [124, 4005], [None, None]])
    assert written(one) == (
        b'{"log":"7f3a09c1","seq":118,"boot":3,"up":5321,"t0":1763778000,"dt":10,'
        b'"pm25":[12.1,12.4,null],"rh":[40,40.05,null]}'
    )
    one.t0 = None
    assert b'"t0":null,' in written(one)


def keys(text: str, names: list) -> list:
    """The names in the order in which the text has them as keys."""
    return sorted(names, key=lambda name: text.find('"%s":' % name))


def test_it_writes_the_golden_batches_of_the_wire() -> None:
    count = 0
    for case in load("wire")["batches"]:
        if not case.get("node_writes_this"):
            continue
        count += 1
        names = keys(case["payload"], list(case["columns"]))
        rows = len(case["columns"][names[0]])
        one = Batch(
            case["seq"],
            case["boot"],
            case["up"],
            case["times"][0],
            case["dt"],
            tuple((n, 100) for n in names),
            bytearray(),
        )
        cells = [[case["columns"][name][i] for name in names] for i in range(rows)]
        filled(one, [[None if cell is None else round(cell * 100) for cell in row] for row in cells])
        text = written(one).decode()
        assert json.loads(text) == json.loads(case["payload"]), (case["name"], text)
        head = ["log", "seq", "boot", "up", "t0", "dt"]
        assert keys(text, head + names) == head + names
    assert count >= 5


def test_the_largest_batch_fits_the_wire_and_little_memory() -> None:
    one = batch(60, 15)
    sheet = Sheet(8192)
    gc.collect()
    before = gc.mem_alloc()
    wire.batch(sheet, "7f3a09c1", one)
    gc.collect()
    assert sheet.end > 4000
    assert gc.mem_alloc() - before < 200


def test_what_is_too_long_is_refused() -> None:
    sheet = Sheet(100)
    try:
        wire.batch(sheet, "7f3a09c1", batch(60, 15))
    except Full:
        return
    raise AssertionError("written beyond the page")


def test_the_hash_sees_the_configuration_and_no_secret() -> None:
    one = {"kind": "node", "id": "a", "password": "x", "sim": {"wiring": 1}}
    other = {"id": "a", "kind": "node", "password": "y", "wifi": [["school", "secret"]]}
    assert config_hash(one) == config_hash(other)
    assert config_hash(one) != config_hash({"id": "b", "kind": "node"})
    assert len(config_hash(one)) == 8


def test_the_golden_forecasts_are_written() -> None:
    from node.forecast import facts

    found = load("wire")["forecasts"]
    for case in found:
        said = [tuple(one) for one in case["said"]]
        payload = wire.text(facts(case["utc"], case["ttl"], case["model"], ("pm25", case["bits"], said)))
        assert payload == case["payload"].encode(), payload
    assert len(found) >= 2


def test_hundredths_are_rounded_at_any_fineness() -> None:
    from node.forecast import _hundredths

    for bits in range(-4, 21):
        for value in (0, 1, 3, 700, 123456):
            exact = value * 100 * (1 << 20 - bits) + (1 << 19) >> 20
            assert _hundredths(value, bits).value == exact, (bits, value)
