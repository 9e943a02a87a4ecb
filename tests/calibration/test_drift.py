"""Drift: found when it persists, told with its evidence, mended by an entry; what the air does is none."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.calibrate import calibrate
from edge.drift import DAY_H, Course, Watched, judged, likened, median_of, same_distribution, watched
from edge.readings import SECOND, Array
from edge.recalibration import Proposal, proposal
from edge.wire import ID
from gateway.calibration_entry import NotAccepted, accept
from gateway.calibration_proposal import keep, kept
from gateway.calibration_service import Drifting
from gateway.calibration_watch import watch
from gateway.command import gongi
from gateway.command.in_service import iso as moment
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.network import load
from gateway.present import Alarms
from gateway.reference.observed import Observed
from gateway.reference.store import drafts
from gateway.words import LANGUAGES, alarm_text, words
from tests.calibration.service import BEGIN, SITE, Folder, node_text, samples
from tests.calibration.test_stream import LAGGED
from tests.servers import wait_until

DAYS = 80
HOURS = np.arange(DAYS * DAY_H)
FIRST = BEGIN // 3600
STATION = '[[station]]\nid = "jung-gu"\nlat = 37.52\nlon = 127.02\n'


def air(seed: int = 1, hours: int = HOURS.size) -> Array:
    """Hourly PM2.5 of a city: log-normal, with days of weather and a daily course."""
    chance = np.random.default_rng(seed)
    slow = np.convolve(chance.normal(size=hours + 72), np.ones(36) / 6, "same")[36:-36][:hours]
    return np.asarray(np.exp(2.8 + 0.5 * slow + 0.15 * np.sin(np.arange(hours) * 2 * np.pi / 24)), np.float64)


def sensor(truth: Array, seed: int) -> Array:
    return np.maximum(truth * (1 + 0.08 * np.random.default_rng(seed).normal(size=truth.size)) + 0.5, 0)


def course(own: Array, proxy: Array, node: str = "a", **more: Any) -> Course:
    return Course(node, f"P-{node}", "pm25", "references", ("s",), FIRST + HOURS, own, proxy, FIRST, **more)


def drifted(own: Array, change: Callable[[Array], Array], day: int = 60) -> Array:
    return np.where(day * DAY_H <= HOURS, np.maximum(change(own), 0), own)


CHANGES: dict[str, Callable[[Array], Array]] = {
    "less": lambda x: 0.55 * x,
    "more": lambda x: 1.7 * x,
    "shifted": lambda x: x + 9,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_drift_is_found_and_mended(change: str) -> None:
    truth = air()
    one = watched(course(drifted(sensor(1.2 * truth, 2), CHANGES[change]), sensor(truth, 3)))
    mend = proposal(one)
    assert mend is not None
    assert mend.after < 0.5 * mend.before
    began = (mend.since // (3600 * SECOND) - FIRST) / DAY_H
    assert 59 <= began <= 65
    # What it asks for undoes what was done, at the level of the air.
    usual = CHANGES[change](1.2 * truth)
    np.testing.assert_allclose(mend.gain * usual.mean() + mend.offset, 1.2 * truth.mean(), rtol=0.25)


@pytest.mark.parametrize("site", [(1.0, 0.0), (0.7, 4.0), (1.6, -2.0)])
@pytest.mark.parametrize("seed", range(4))
def test_a_site_that_differs_from_its_references_is_no_drift(site: tuple[float, float], seed: int) -> None:
    truth = air(seed)
    own = sensor(np.maximum(site[0] * truth + site[1], 0), seed + 20)
    one = watched(course(own, sensor(truth, seed + 40)))
    assert one.began is None
    assert proposal(one) is None


def test_what_most_sensors_see_at_once_is_the_air() -> None:
    """Smoke that all of them take for more than the monitors do is a matter of the air, not of one sensor."""
    truth = air()
    proxy = sensor(truth, 3)
    all_of_them = [course(drifted(sensor(truth, n), CHANGES["more"]), proxy, f"n{n}") for n in range(4, 8)]
    assert all(watched(one).began for one in all_of_them)
    assert all(one.began is None for one in judged(all_of_them))
    alone = [all_of_them[0], *(course(sensor(truth, n), proxy, f"n{n}") for n in range(9, 12))]
    assert [one.began is not None for one in judged(alone)] == [True, False, False, False]


def test_a_silent_proxy_neither_flags_nor_ends_a_run() -> None:
    truth = air()
    own, proxy = drifted(sensor(truth, 2), CHANGES["less"]), sensor(truth, 3)
    proxy[-40:] = np.nan
    one = watched(course(own, proxy))
    assert one.days[-1].flagged is None
    assert one.began is not None


def test_two_weeks_of_both_are_needed_to_know_what_is_usual() -> None:
    truth = air()
    own = np.where(HOURS < (DAYS - 10) * DAY_H, np.nan, sensor(truth, 2))
    one = watched(replace(course(own, truth), begin=FIRST + (DAYS - 10) * DAY_H))
    assert (one.usual, one.days, one.began) == (None, (), None)
    assert proposal(one) is None


CELLS = some.lists(some.floats(0, 500), min_size=5, max_size=60)


@settings(deadline=None)
@given(CELLS, CELLS)
def test_the_probability_is_one_and_symmetric(one: list[float], other: list[float]) -> None:
    p = same_distribution(np.array(one), np.array(other))
    assert 0 <= p <= 1
    assert p == same_distribution(np.array(other), np.array(one))
    assert same_distribution(np.array(one), np.array(one)) == 1


def test_the_probability_agrees_with_tables() -> None:
    """Two samples of 100 differ by 1.36·√(2/100) with a probability of .05 (Smirnov's limit)."""
    one = np.arange(100.0)
    p = same_distribution(one, one + 19)
    assert p == pytest.approx(0.05, abs=0.015)
    assert same_distribution(one, one + 40) < 1e-4


def test_a_sensor_that_stands_still_asks_for_no_number() -> None:
    assert np.isnan(likened(np.full(10, 3.0), np.arange(10.0)).gain)


def test_the_median_wants_enough_of_them() -> None:
    nan = np.nan
    series = {"a": np.array([1.0, nan, nan]), "b": np.array([3.0, 5.0, nan]), "c": np.array([9.0, 6.0, nan])}
    np.testing.assert_array_equal(median_of(series), [3.0, 5.5, nan])
    np.testing.assert_array_equal(median_of(series, 3), [3.0, nan, nan])


# -- in service ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """Four nodes outdoors at a site with a station; node `b` has lost almost half since day 60."""
    network = tmp_path / "network.toml"
    network.write_text(SITE + STATION + "".join(node_text(id) for id in "abcd"), "utf-8")
    made = Folder(tmp_path / "data", network)
    truth = air()
    raw = {id: sensor(truth, place) for place, id in enumerate("abcd", 5)}
    raw["b"] = drifted(raw["b"], CHANGES["less"])
    made.fill([samples(id, np.round(cells, 1), 3600) for id, cells in raw.items()], 40)
    values = [
        Observed("jung-gu", (BEGIN + 3600 * at) * SECOND, "pm25", float(value))
        for at, value in enumerate(np.round(0.8 * truth + 2))
    ]
    made.journal.commit(1, drafts(made.journal, "airkorea", values))
    yield made
    made.close()


NOW = (BEGIN + DAYS * 86400) * SECOND


def test_the_service_finds_the_one_that_drifts(folder: Folder) -> None:
    seen = watch(folder.journal, folder.history, folder.network, NOW)
    found = seen.watched
    runs = {(one.course.node, one.course.kind): one.began is not None for one in found}
    kinds = ("references", "neighbours")
    assert runs == {(node, kind): node == "b" for node in "abcd" for kind in kinds}
    (mend,) = seen.proposals
    assert (mend.node, mend.kind, mend.proxies) == ("b", "references", ("jung-gu",))
    assert keep(folder.journal, [mend], NOW) == [mend]
    newest = folder.journal.newest()
    assert keep(folder.journal, [mend], NOW) == []
    assert folder.journal.newest() == newest
    again = kept(folder.journal)[mend.id]
    assert replace(again, days=()) == replace(mend, days=())


def run(*words: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(gongi, ["calibrate", *map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


def test_from_the_report_to_the_entry_in_force(folder: Folder, tmp_path: Path) -> None:
    report, end = tmp_path / "drift.html", "2026-03-22T00:00:00Z"
    told = run("drift", "--data", folder.path, "--now", end, "--html", report, "--lang", "ko", code=1)
    (mend,) = told["proposals"]
    assert mend["node"] == "b"
    assert mend["id"] in report.read_text("utf-8")
    words = ("--data", folder.path, "--backdated")
    done = run("accept", mend["id"], folder.file, *words)
    assert done["reassign"]
    assert done["entry"]["serial"] == "P-b"
    network = load(folder.file)
    (entry,) = network.calibrations
    assert entry.since == mend["since"]
    rows = folder.stored()
    own = rows.take((rows.node == rows.nodes.index("b")) & (rows.time >= entry.since))
    mended = calibrate(own, network).columns["pm25"].value
    beside = rows.take((rows.node == rows.nodes.index("a")) & (rows.time >= entry.since))
    assert np.nanmean(mended) == pytest.approx(np.nanmean(beside.columns["pm25"].value), rel=0.1)
    refused = CliRunner().invoke(
        gongi, ["calibrate", "accept", mend["id"], str(folder.file), *map(str, words)]
    )
    assert "stands in the files already" in str(refused.exception)


MEND = Proposal(
    "a-pm25-2026-03-02", "a", "P-a", "pm25", 0, 1.5, -1.0, 0.8, "references", ("s",), 100, 4.0, 1.0
)
LATER = 1_780_000_000 * SECOND


def test_an_entry_builds_on_the_model_in_force_in_its_file(tmp_path: Path) -> None:
    """Comments and order of the files stay; the fleet's model goes on, under the sensor's own serial."""
    (tmp_path / "sites").mkdir()
    main, site = tmp_path / "network.toml", tmp_path / "sites" / "hana.toml"
    fleet = {"form": "features", "fleet": replace(LAGGED, serial="").encode(), "sensors": []}
    (tmp_path / "m.json").write_text(json.dumps(fleet), "utf-8")
    entry = '[[calibration]]\nid = "fleet" # since spring\nsince = 2020-01-01\nquantity = "pm25"\n'
    main.write_text(
        f'include = ["sites/*.toml"]\n# ours\n{entry}model = "m.json"\ngain = 2.0\noffset = 1.0\n', "utf-8"
    )
    site.write_text(SITE + node_text("a"), "utf-8")
    done = accept(main, MEND, LATER)
    assert done.file == main
    text = main.read_text("utf-8")
    assert "# since spring" in text
    assert "# ours" in text
    made = load(main).calibrations[1]
    assert (made.gain, made.offset, made.u, made.serial) == (3.0, 0.5, 0.8, "P-a")
    assert made.correction == replace(LAGGED, serial="")
    before = site.read_text("utf-8")
    assert site.read_text("utf-8") == before


def test_an_entry_without_a_calibration_stands_with_its_node(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(SITE + node_text("a"), "utf-8")
    accept(path, MEND, LATER)
    (made,) = load(path).calibrations
    assert (made.id, made.gain, made.offset) == (MEND.id, 1.5, -1.0)


def test_a_swapped_sensor_or_a_faulty_result_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(SITE + node_text("a"), "utf-8")
    before = path.read_text("utf-8")
    with pytest.raises(NotAccepted, match="P-x"):
        accept(path, replace(MEND, serial="P-x"), LATER)
    with pytest.raises(NotAccepted, match="faulty"):
        accept(path, replace(MEND, gain=1e6), LATER)
    assert path.read_text("utf-8") == before


def test_watched_says_nothing_without_days() -> None:
    one = Watched(course(np.zeros(HOURS.size), np.zeros(HOURS.size)), None)
    assert proposal(one) is None


def shown(folder: Folder, network: Path) -> tuple[Live, Metrics]:
    """What the service tells after one watch at the end of the series."""
    live, metrics = Live(load(network), NOW), Metrics()
    service = Drifting(network, folder.journal, folder.history, live, Alarms(live), metrics)
    service.tick()
    wait_until(lambda: service._seen is not None, 60)
    service.show()
    return live, metrics


def test_the_service_tells_and_leaves_the_files_alone_without_a_policy(folder: Folder) -> None:
    before = folder.file.read_text("utf-8")
    live, metrics = shown(folder, folder.file)
    (alarm,) = live.alarms.values()
    assert (alarm.kind, alarm.about, alarm.site) == ("drift", "b", "hana")
    for lang in LANGUAGES:
        told = alarm_text(words(lang), alarm.kind, alarm.about, alarm.details)
        assert alarm.details["proposal"] in told
    assert metrics.value("drifting") == 1
    assert folder.file.read_text("utf-8") == before


@pytest.mark.parametrize(("gain", "accepted"), [(2.0, True), (1.2, False)])
def test_a_policy_in_the_files_accepts_within_its_bounds(folder: Folder, gain: float, accepted: bool) -> None:
    policy = f"[drift]\naccept_gain = {gain}\naccept_offset = 5\n"
    folder.file.write_text(policy + folder.file.read_text("utf-8"), "utf-8")
    _, metrics = shown(folder, folder.file)
    entries = load(folder.file).calibrations
    assert [entry.serial for entry in entries] == (["P-b"] if accepted else [])
    assert all(entry.since > NOW for entry in entries)  # a running gateway takes it over by itself
    assert metrics.value("recalibrations") == accepted


def test_a_travelling_node_asks_for_what_it_shows(tmp_path: Path) -> None:
    """`t` has its own calibration and has stood four days beside `a`, which has none; the days before, in
    other air at home, say nothing."""
    network = tmp_path / "network.toml"
    away, back = BEGIN + 20 * 86400, BEGIN + 24 * 86400
    moves = [("2020-01-01", "duri"), (moment(away * SECOND), "hana"), (moment(back * SECOND), "duri")]
    placed = ", ".join(f'{{since = {at}, site = "{site}", placement = "outdoor"}}' for at, site in moves)
    traveller = node_text("t").replace(node_text("t").splitlines()[4], f"placed = [{placed}]")
    own = '[[calibration]]\nid = "lab"\nsince = 2020-01-01\nserial = "P-t"\nquantity = "pm25"\ngain = 0.5\n'
    network.write_text(SITE + '[[site]]\nid = "duri"\n' + node_text("a") + traveller + own, "utf-8")
    folder = Folder(tmp_path / "data", network)
    hours = np.arange(30 * DAY_H)
    here, there = air(4, hours.size), air(5, hours.size)
    visit = (hours >= 20 * DAY_H) & (hours < 24 * DAY_H)
    folder.fill([samples("a", 0.6 * here, 3600), samples("t", 2 * np.where(visit, here, there), 3600)], 40)
    now = (BEGIN + 30 * 86400) * SECOND
    seen = watch(folder.journal, folder.history, folder.network, now)
    (mend,) = seen.proposals
    assert (mend.node, mend.kind, mend.proxies, mend.hours) == ("a", "travelling", ("t",), 96)
    assert mend.after < 0.5 * mend.before
    mended = mend.gain * 0.6 * here[visit] + mend.offset
    assert np.abs(mended - here[visit]).mean() < 0.5 * np.abs(0.4 * here[visit]).mean()
    accept(network, mend, now)
    folder.enter()
    after = watch(folder.journal, folder.history, folder.network, now + 3600 * SECOND)
    assert after.proposals == ()  # it has one of its own now
    folder.close()


@pytest.mark.parametrize("node", ["a", "a-node-with-a-very-long-name-123", "a-node-of-18-signs-x"])
def test_a_proposals_id_can_stand_in_the_files(node: str) -> None:
    truth = air()
    mend = proposal(watched(course(drifted(sensor(truth, 2), CHANGES["less"]), sensor(truth, 3), node[:32])))
    assert mend is not None
    assert re.fullmatch(ID, mend.id)
    assert len(mend.id) <= 32
