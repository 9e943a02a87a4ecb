"""Any bytes give rows or a typed error."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.reference import airkorea, kma, openaq, seoul
from gateway.reference.problem import SourceProblem
from gateway.reference.transport import Answer

PARSERS: dict[str, Callable[[Answer], Any]] = {
    "hours": partial(airkorea.read_hours, station="a"),
    "stations": airkorea.read_stations,
    "forecast": airkorea.read_forecast,
    "alerts": airkorea.read_alerts,
    "grid": partial(kma.read_grid, station="a"),
    "asos": partial(kma.read_asos, station="a"),
    "openaq": partial(openaq.read_hours, station="a"),
    "openaq stations": openaq.read_stations,
    "traffic": partial(seoul.read_traffic, station="a", hour=0),
    "departures": seoul.read_departures,
}

SAID = """- 0 1e400 -1 nan 24:00 20260303 1200 00 PM25 주의보 T1H RN1 pm25 : 05:22:00 99:99:99 점검
2026-03-02T23:00:00Z"""
WORDS = st.sampled_from(["", "2026-03-02 24:00", "9999-12-31 24:00", "서울 : 나쁨,", *SAID.split()])
FIELDS = """
dataTime pm25Value pm25Flag pm25Grade1h dmX dmY stationName informCode informData informGrade
itemCode issueGbn issueDate issueTime clearDate
baseDate baseTime category obsrValue fcstValue fcstDate fcstTime tm ta rn
LEFTTIME ARRIVETIME vol
value parameter period name units datetimeFrom utc coordinates latitude longitude sensors id flagInfo hasFlags
"""
NAMES = st.sampled_from(FIELDS.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES, max_size=10) | VALUES, max_size=4) | VALUES


def held(rows: Any) -> list[bytes]:
    """The rows in every envelope."""
    code = {"resultCode": "00"}
    portal = [
        {"response": {"header": code, "body": {"items": one, "totalCount": rows}}}
        for one in (rows, {"item": rows})
    ]
    result = {"RESULT": {"CODE": "INFO-000"}, "row": rows, "list_total_count": rows}
    whole = [*portal, {"S": result}, {"results": rows, "meta": {"found": rows, "page": rows}}, rows]
    return [json.dumps(one).encode("utf-8", "surrogatepass") for one in whole]


@pytest.mark.parametrize("name", PARSERS)
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_bytes(name: str, body: bytes) -> None:
    _read(name, body)


@pytest.mark.parametrize("name", PARSERS)
@given(rows=ROWS)
@settings(max_examples=60)
def test_rows_of_any_content(name: str, rows: Any) -> None:
    for body in held(rows):
        _read(name, body)


@pytest.mark.parametrize("name", PARSERS)
@given(inner=st.lists(st.tuples(st.sampled_from(["item", "row", "a", "RESULT"]), WORDS), max_size=5))
def test_xml_of_any_content(name: str, inner: list[tuple[str, str]]) -> None:
    items = "".join(f"<{tag}><dataTime>{word}</dataTime><vol>{word}</vol></{tag}>" for tag, word in inner)
    header = "<header><resultCode>00</resultCode></header>"
    _read(name, f"<response>{header}<body><items>{items}</items></body></response>".encode())
    _read(name, f"<S><RESULT><CODE>INFO-000</CODE></RESULT>{items}</S>".encode())


def _read(name: str, body: bytes) -> None:
    try:
        made = PARSERS[name](Answer(200, {}, body))
    except SourceProblem:
        return
    assert isinstance(made[0] if isinstance(made, tuple) else made, list)
