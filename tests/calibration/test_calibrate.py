"""`gongi calibrate`: from a table to a report, a model file, a page, and a calibrated table."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.correction.model import Correction, CorrectionError
from gateway.calibrated import calibrated
from gateway.calibration import NoCampaign, colocations, load
from gateway.command import main
from gateway.table import read
from tests.calibration.campaign import HOUR, START, colocation, fleet, table

if TYPE_CHECKING:
    from playwright.sync_api import Page


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `gongi calibrate`."""
    with pytest.raises(SystemExit) as left:
        main(["calibrate", *map(str, arguments)])
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out, told.err


@pytest.fixture(scope="module")
def campaign_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sensors at three sites, as an exchange table."""
    return table(fleet(700), tmp_path_factory.mktemp("tables") / "campaign.csv")


def test_fit_prints_one_object(campaign_table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "fit", campaign_table, "--quantity", "pm25", "--json")
    report: dict[str, Any] = json.loads(out)
    assert status == 0
    assert set(report) == {"nodes", "pooled", "model", "targets", "coverage", "left_out"}
    assert [node["node"] for node in report["nodes"]] == ["n1", "n2", "n3", "n4", "n5"]
    for node in report["nodes"]:
        for which in ("raw", "cv"):
            assert {"r2", "rmse", "nrmse", "bias"} <= set(node[which])
        assert node["cv"]["rmse"] < node["raw"]["rmse"]
        assert 0.2 < node["clock"]["reference_late_h"] < 0.8
    assert len(report["targets"]["hourly"]) == len(report["targets"]["daily"]) == 5
    assert all(one["cv"]["all"] for one in report["targets"]["daily"])
    assert 0.85 <= report["coverage"]["share"] <= 0.96
    assert [unit["site"] for unit in report["targets"]["units"]] == ["hana"]


def test_a_model_file_corrects_a_table(
    campaign_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "m" / "model.json", tmp_path / "calibrated.parquet"
    assert call(capsys, "fit", campaign_table, "--out", model)[0] == 0
    models = load(model)
    fleet_model, own = models.fleet, models.own
    assert set(own) == {"n1", "n2", "n3", "n4", "n5"}
    assert fleet_model.serial == ""
    status, said, _ = call(capsys, "apply", model, campaign_table, "--out", out, "--json")
    assert status == 0
    assert json.loads(said)["calibrations"]["n2"] == own["n2"].id
    numbers = read(out).numbers
    flag, value, truth = numbers["pm25_flag"], numbers["pm25"], numbers["ref_pm25"]
    assert set(np.unique(flag)) <= {1.0, 3.0}
    inside = (truth >= numbers["pm25_lower"]) & (truth <= numbers["pm25_upper"])
    assert inside.mean() > 0.85
    assert np.sqrt(np.mean((value - truth) ** 2)) < 0.6 * np.sqrt(np.mean((numbers["pm25_raw"] - truth) ** 2))


def test_a_changed_model_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, model = table([colocation(hours=300)], tmp_path / "t.csv"), tmp_path / "model.json"
    call(capsys, "fit", source, "--out", model)
    said = json.loads(model.read_text("utf-8"))
    said["sensors"][0]["intercept"] += 1
    model.write_text(json.dumps(said), "utf-8")
    status, _, error = call(capsys, "apply", model, source, "--out", tmp_path / "o.csv")
    assert status == 1
    assert "its id is" in error


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "Each sensor, before and after"), ("ko", "센서별 교정 전과 후")]
)
def test_the_page_needs_nothing_from_elsewhere(
    campaign_table: Path, tmp_path: Path, lang: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert call(capsys, "fit", campaign_table, "--html", page, "--lang", lang)[0] == 0
    text = page.read_text("utf-8")
    assert word in text
    assert text.count("<svg") == 5 + 5 + 4
    assert not re.search(r"https?:|<script|<link|<img|url\(|@import", text)
    assert "간이측정기" in text
    assert "nan" not in re.sub(r"<[^>]*>", "", text)
    assert not re.search(r'"[^"]*\bnan\b', text)


@pytest.mark.parametrize("leave", ["node", "site"])
@pytest.mark.parametrize("proxies", ["references", "neighbours"])
def test_transfer_prints_one_object(
    campaign_table: Path, leave: str, proxies: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(
        capsys, "transfer", campaign_table, "--leave", leave, "--proxies", proxies, "--json"
    )
    nodes = json.loads(out)["nodes"]
    assert status == 0
    assert [node["node"] for node in nodes] == ["n1", "n2", "n3", "n4", "n5"]
    assert all(node["r2"] > 0.3 and node["rmse"] > 0 for node in nodes)
    assert len(nodes[0]["teachers"]) == (4 if leave == "node" else 2)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("time,pm10,ref_pm25", "no column `pm25`"),
        ("time,pm25,rh,temp", "no column `ref_pm25`"),
        ("time,pm25,rh,temp,ref_pm25", "at most 2 rows"),
    ],
)
def test_a_table_that_can_not_serve_is_explained(
    head: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    cells = ",".join("1" for _ in head.split(",")[1:])
    path.write_text(f"{head}\n2026-01-01T00:00:00Z,{cells}\n2026-01-01T01:00:00Z,{cells}\n", "utf-8")
    status, out, error = call(capsys, "fit", path, "--json")
    assert (status, out) == (1, "")
    assert words in error


def test_minutes_become_the_references_hours(tmp_path: Path) -> None:
    lines = ["time,node,pm25,rh,temp,ref_pm25"]
    for minute in range(0, 48 * 60, 10):
        at = np.datetime64(START // 1_000_000_000 + minute * 60, "s")
        reference = str(20 + minute // 60) if minute % 60 == 0 else ""
        lines.append(f"{at}Z,n1,{minute // 60 + minute % 60},50,10,{reference}")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines), "utf-8")
    one = colocations(read(path), "pm25", "Asia/Seoul")[0]
    assert one.reference.size == 48
    assert np.allclose(one.inputs.raw, 25.0 + np.arange(48))
    assert np.allclose(one.reference, 20.0 + np.arange(48))
    assert one.blocks == 5


def changed(path: Path, folder: Path, **columns: Callable[[int], str]) -> Path:
    """A table with other cells, by row."""
    head, *lines = path.read_text("utf-8").splitlines()
    names, rows = head.split(","), [line.split(",") for line in lines]
    for name, cell in columns.items():
        names += [name] * (name not in names)
        for place, row in enumerate(rows):
            row[names.index(name) : names.index(name) + 1] = [cell(place)]
    out = folder / "changed.csv"
    out.write_text("\n".join(",".join(row) for row in (names, *rows)), "utf-8")
    return out


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("rh", lambda place: str(0.3 + place % 5 / 10), "rh lies between 0 and 1"),
        ("pm25", lambda _: "12", "never changes"),
        ("ref_pm25", lambda _: "12", "never changes"),
        ("pm25", lambda place: str(600 + place), "at most 0 rows"),
    ],
)
def test_a_column_that_can_not_be_meant_is_explained(
    column: str,
    cell: Callable[[int], str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = changed(table([colocation(hours=60)], tmp_path / "t.csv"), tmp_path, **{column: cell})
    status, out, error = call(capsys, "fit", path, "--json")
    assert (status, out) == (1, "")
    assert words in error


def test_a_references_codes_and_flags_teach_nothing(tmp_path: Path) -> None:
    path = table([colocation(hours=60)], tmp_path / "t.csv")
    whole = colocations(read(path), "pm25", "UTC")[0].reference
    coded = changed(
        path,
        tmp_path,
        ref_pm25=lambda place: "-999" if place == 7 else "-2" if place == 9 else str(whole[place]),
        ref_pm25_flag=lambda place: "4" if place == 8 else "1",
    )
    reference = colocations(read(coded), "pm25", "UTC")[0].reference
    assert np.flatnonzero(np.isnan(reference)).tolist() == [7, 8]
    assert reference[9] == -2


def test_a_device_that_can_teach_nothing_is_named(
    campaign_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = campaign_table.read_text("utf-8").splitlines()
    stuck, alone = head.split(",").index("pm25"), head.split(",").index("ref_pm25")
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[stuck] = "7" if row[2] == "n4" else row[stuck]
        row[alone] = "" if row[2] == "n5" else row[alone]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([head, *(",".join(row) for row in rows if row[2] in "n1n4n5")]), "utf-8")
    report = json.loads(call(capsys, "fit", path, "--json")[1])
    assert [node["node"] for node in report["nodes"]] == ["n1"]
    assert report["left_out"] == ["n4", "n5"]


def test_a_table_without_hours_is_no_campaign(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,pm25,rh,temp,ref_pm25\n2026-01-01T00:00:00Z,1,1,1,1\n", "utf-8")
    with pytest.raises(NoCampaign, match="at most 0 rows"):
        colocations(read(path), "pm25", "Asia/Seoul")


def test_the_page_opens_in_a_browser_and_asks_for_nothing(
    campaign_table: Path, tmp_path: Path, page: "Page", capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    call(capsys, "fit", campaign_table, "--html", path)
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert wrong == []
    # On a telephone tables scroll in their own boxes; the page itself doesn't.
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    boxes = page.locator("svg").evaluate_all("all => all.map(one => one.getBBox().width)")
    assert len(boxes) == 14
    assert all(300 < width <= 470 for width in boxes)


def test_a_table_in_other_steps_than_the_fits_is_refused_by_a_form_that_looks_back(tmp_path: Path) -> None:
    path = table([colocation(hours=60)], tmp_path / "t.csv")
    lagged = Correction("lag", "pm25", "linear", terms=("raw", "raw.1"), weights=(0.5, 0.1))
    assert len(calibrated(read(path, "UTC"), lagged, {})) == 60
    with pytest.raises(CorrectionError, match="3600 s apart, its correction was fitted on 86400 s"):
        calibrated(read(path, "UTC"), replace(lagged, step=24 * HOUR), {})
