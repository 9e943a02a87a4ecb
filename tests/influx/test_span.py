"""Spans of every zone: each moment is in exactly one, and days begin at local midnight."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import SECOND
from gateway.means_span import DAY, HOUR, SPANS, Span

ZONES = ("Asia/Seoul", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns", "Asia/Beirut")
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1))


@given(st.sampled_from(ZONES), st.sampled_from(list(SPANS.values())), MOMENTS)
def test_a_moment_lies_in_its_span_and_the_next_one_begins_at_its_end(
    zone: str, span: Span, moment: datetime
) -> None:
    time = int(moment.replace(tzinfo=UTC).timestamp()) * SECOND
    (start,) = span.starts(zone, np.array([time])).tolist()
    end = span.end(zone, start)
    assert start <= time < end
    assert span.starts(zone, np.array([start, end - 1, end])).tolist() == [start, start, end]
    local = datetime.fromtimestamp(start // SECOND, ZoneInfo(zone))
    assert local.second == 0
    assert local.minute == 0 or span.width < HOUR
    if span.width == DAY:
        assert local.hour == 0 or zone == "Asia/Beirut"  # its clocks are put forward at midnight


BERLIN, KOLKATA = "Europe/Berlin", "Asia/Kolkata"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [(BERLIN, (2026, 3, 29), 23), (BERLIN, (2026, 10, 25), 25), (KOLKATA, (2026, 3, 29), 24)],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: tuple[int, int, int], hours: int) -> None:
    start = int(datetime(*day, tzinfo=ZoneInfo(zone)).timestamp()) * SECOND
    assert SPANS["air_1d"].end(zone, start) - start == hours * HOUR
