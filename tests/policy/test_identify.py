"""Rooms identified from their own stream: against rooms whose terms are known, with windows that aren't."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.efficacy import clogged, efficacy
from edge.identify import Stream, identify
from edge.network import Actuator, Level, Network, Node, Placement, Room, Site, Timetable
from edge.readings import KEYS, SECOND, Array, Column, Readings
from edge.room import Balance
from gateway.command.room import room as command
from gateway.journal import Journal
from gateway.learning import DAYS, learn
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.room_page import page
from gateway.rooms import Rooms, keep

STEP = 1 / 6
LESSONS = Timetable(tuple((day, 8 * 60, 15 * 60) for day in range(7)))
ROOM = Room("1-2", "", "", 180.0, LESSONS, ach=0.75)
INWARD, LOSS, SOURCE, CADR = 0.5, 0.85, 8.0, 400.0


def lived(days: int, delivered: Array, windows: float = 0.0, seed: int = 3) -> Stream:
    """A room of known terms, minute by minute, in ten-minute cells; its purifier runs every other hour of the
    lessons and of every third night, `delivered` of its CADR by day; `windows` is the share of the busy hours
    in which they stand open, unseen."""
    rng, minutes = np.random.default_rng(seed), days * 1440
    clock = np.arange(minutes) % 1440
    busy = ((clock >= 480) & (clock < 900)).astype(float)
    night = (np.arange(minutes) // 1440 % 3 == 0) & (clock < 360)
    clean = CADR / ROOM.volume * ((np.arange(minutes) // 60) % 2) * np.maximum(busy, night)
    outdoor = np.interp(np.arange(minutes), *_weather(rng, days))
    open_hours = rng.random(days * 24)[np.arange(minutes) // 60] < windows
    wide = 3.0 * open_hours * busy
    dust, co2 = np.zeros(minutes), np.zeros(minutes)
    dust[0], co2[0] = 15.0, 600.0
    for at in range(1, minutes):
        real = clean[at] * delivered[at // 1440]
        gain = (INWARD + wide[at]) * outdoor[at] + SOURCE * busy[at]
        dust[at] = dust[at - 1] + (gain - (LOSS + wide[at] + real) * dust[at - 1]) / 60
        air = 0.65 + 0.2 * busy[at] + wide[at]
        co2[at] = co2[at - 1] + (1900 * busy[at] - air * (co2[at - 1] - 420)) / 60
    seen = dust * (1 + 0.05 * rng.standard_normal(minutes))
    cells = [_cells(one) for one in (seen, outdoor, co2, busy, clean, np.zeros(minutes))]
    return Stream(STEP, *(cell[None] for cell in cells))


def _weather(rng: np.random.Generator, days: int) -> tuple[Array, Array]:
    hours = np.arange(0, days * 1440 + 181, 180)
    return hours, np.exp(3.3 + 0.6 * rng.standard_normal(hours.size))


def _cells(minutes: Array) -> Array:
    cells: Array = minutes.reshape(-1, 10).mean(axis=1)
    return cells


@pytest.mark.parametrize(("windows", "within"), [(0.0, 0.1), (0.15, 0.2)])
def test_the_terms_are_found(windows: float, within: float) -> None:
    found = identify(lived(28, np.full(28, 0.8), windows), [ROOM])
    terms = found.dust.row(0)
    for name, true in (("inward", INWARD), ("loss", LOSS), ("delivered", 0.8), ("source", SOURCE)):
        value, error = terms[name]
        scale = 2.5 if name == "source" else 1.0  # what people raise and what windows let in look alike
        assert abs(value - true) < scale * within * true, (name, value)
        assert 0 < error < 0.5 * true
    air, error = found.co2.row(0)["air"]
    assert abs(air - 0.65) < 0.05
    assert 0 < error < 0.1


def test_standard_errors_cover_what_was_true() -> None:
    runs = [identify(lived(21, np.full(21, 0.8), seed=seed), [ROOM]).dust.row(0) for seed in range(8)]
    errors = [(row["loss"][0] - LOSS) / row["loss"][1] for row in runs]
    assert np.mean(np.abs(errors) < 3.0) >= 0.75, errors


def test_a_room_of_which_nothing_is_known_stays_as_the_files_say() -> None:
    stream = lived(2, np.ones(2))
    blind = np.full_like(stream.inside, np.nan)
    found = identify(
        Stream(STEP, blind, stream.outside, blind, stream.busy, stream.clean, stream.flow), [ROOM]
    )
    assert found.balance(0, ROOM) == Balance.of(ROOM)


def test_a_clogged_filter_is_told_from_a_good_one() -> None:
    faded = np.concatenate([np.full(21, 0.9), np.full(7, 0.4)])
    streams = [lived(28, np.full(28, 0.9)), lived(28, faded)]
    both = Stream(
        STEP,
        *(
            np.concatenate([getattr(one, name) for one in streams])
            for name in Stream.__slots__
            if name != "step"
        ),
    )
    both.inside[0, 100:180] = both.outside[1, 400:430] = np.nan  # a node was silent
    share, error = efficacy(both, identify(both, [ROOM, ROOM]).dust)
    assert share.shape == (2, 4)
    assert clogged(share, error).tolist() == [False, True]
    assert share[1, 3] < 0.65 * share[1, 0]


# -- through the gateway ------------------------------------------------------------------------------------

START = datetime(2026, 9, 1, tzinfo=UTC)
SITE = Site("hana", "", "", "UTC", {ROOM.id: ROOM})
PURIFIER = Actuator("p", "purifier", "hana", ROOM.id, (Level(), Level(CADR, 0, 30)))
NETWORK = Network(
    "gongi/v1",
    {"hana": SITE},
    {name: Node(name, (Placement(0, "hana", room, "x"),)) for name, room in (("in", ROOM.id), ("out", ""))},
    {"p": PURIFIER},
)


class Stored:
    """A history of two nodes with a sample every ten minutes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, start: int, end: int, nodes: frozenset[str] | None = None) -> Readings:
        first = int(START.timestamp()) * SECOND
        time = first + np.arange(self._stream.inside.shape[1]) * 600 * SECOND
        rows = np.flatnonzero((time >= start) & (time < end))
        keys = {name: np.zeros(2 * rows.size, kind) for name, kind in KEYS.items()}
        keys["node"] = np.repeat(np.arange(2, dtype=np.int32), rows.size)
        keys["time"] = np.tile(time[rows], 2)
        inside, outside = self._stream.inside[0, rows], self._stream.outside[0, rows]
        columns = {
            "pm25": _good(np.concatenate([inside, outside])),
            "co2": _good(np.concatenate([self._stream.co2[0, rows], np.full(rows.size, 420.0)])),
        }
        return Readings(nodes=("in", "out"), cals=("",), columns=columns, **keys)


def _good(value: Array) -> Column:
    column = Column.of_raw(value)
    return Column(column.raw, column.value, column.u, np.ones(value.size, np.uint8), column.tests)


@pytest.fixture(scope="module")
def found() -> list[dict[str, object]]:
    """What a month with a filter that clogs in its last week says."""
    stream = lived(DAYS, np.concatenate([np.full(DAYS - 7, 0.9), np.full(7, 0.4)]))
    end = int((START + timedelta(days=DAYS)).timestamp()) * SECOND
    turns = np.flatnonzero(np.diff(stream.clean[0], prepend=-1.0))
    first = int(START.timestamp()) * SECOND
    actions = [(first + int(cell) * 600 * SECOND, "p", int(stream.clean[0, cell] > 0)) for cell in turns]
    return learn(Stored(stream), NETWORK, end - SECOND, actions)


def test_a_room_is_learnt_from_the_history(found: list[dict[str, object]]) -> None:
    (one,) = found
    assert (one["site"], one["room"], one["enough"], one["clogged"]) == ("hana", "1-2", True, True)
    assert one["nature"]["air_change"][0] == pytest.approx(0.65, abs=0.05)  # type: ignore[index]
    assert 1200 <= one["lead_s"] <= 3600  # type: ignore[operator]
    assert [week["share"] for week in one["efficacy"]][-1] < 0.6  # type: ignore[attr-defined]


def test_what_is_learnt_is_kept_by_its_hash_and_put_in_force(
    found: list[dict[str, object]], tmp_path: Path
) -> None:
    journal, live = Journal(tmp_path / "journal.sqlite"), Live(NETWORK, now=1)
    digest = keep(journal, found, 1)
    assert keep(journal, found, 2) == digest
    assert len(journal.heads("rooms", -1)) == 1
    keep(journal, [{**one, "enough": False, "balance": {}} for one in found], 3)
    assert journal.header(journal.heads("rooms", 1)[0]).decode() == digest, "what was known is not forgotten"
    Rooms(journal, None, live, Alarms(live), Metrics()).watch()  # type: ignore[arg-type]  # it reads no history
    assert live.rooms == digest
    assert live.balances["hana", "1-2"].balance.loss == pytest.approx(LOSS, rel=0.2)
    assert ("clogged", "hana/1-2") in live.alarms
    journal.close()
    shown = CliRunner().invoke(command, ["show", "--data", str(tmp_path), "--json"])
    assert json.loads(shown.stdout)["rooms"] == found


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_page_has_a_plot_of_each_room(found: list[dict[str, object]], lang: str) -> None:
    text = page(found, lang)
    assert text.count("<svg") == 2
    assert "±" in text
