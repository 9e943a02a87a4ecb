"""`gongi index` on tables, and an index that a package of one's own brings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway import table as tables
from gateway.command import main
from gateway.table import HOUR, Table, Words

OWN = Path(__file__).parents[2] / "examples" / "extend" / "cigarettes"


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Two places for two days, a row every ten minutes: one at 22 µg/m³, one whose second day has holes."""
    time = np.tile(np.arange(0, 48 * 6) * (HOUR // 6), 2)
    code = np.repeat(np.arange(2, dtype=np.int32), 48 * 6)
    pm25 = np.where(code == 0, 22.0, 44.0)
    pm25[(code == 1) & (time >= 24 * HOUR) & (time % HOUR > HOUR // 2)] = np.nan
    path = tmp_path / "two.parquet"
    tables.write(Table("two", time, {"node": Words(("a", "b"), code)}, {"pm25": pm25}), path)
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[tuple[str, str], Any]:
    with pytest.raises(SystemExit) as ended:
        main(["index", *arguments, "--json"])
    assert not ended.value.code
    return {(one["place"], one["index"]): one for one in json.loads(capsys.readouterr().out)["indices"]}


def test_each_place_has_its_indices(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, str(campaign))
    assert found["a", "us-aqi"]["newest"] == {
        "time": "1970-01-03T00:00:00Z",
        "value": 75.0,
        "band": "Moderate",
    }
    assert found["a", "who-24h"]["worst"]["band"] == "Interim target 4"
    assert ("a", "learning") not in found


def test_an_hour_with_holes_has_no_index(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, str(campaign), "--index", "eu-eaqi")
    assert (found["b", "eu-eaqi"]["hours"], found["b", "eu-eaqi"]["of"]) == (24, 48)


def test_every_hour_goes_to_a_table(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, str(campaign), "--out", str(tmp_path / "out.csv"))
    out = tables.read(tmp_path / "out.csv")
    assert out.device.names == ("a", "b")
    assert np.isfinite(out.numbers["eu-eaqi"]).sum() == 48 + 24


def test_what_is_not_there_is_named(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, word in (("nix", "no index"), ("learning", "temp, co2, pm25")):
        with pytest.raises(SystemExit) as ended:
            main(["index", str(campaign), "--index", name])
        assert ended.value.code == 1
        assert word in capsys.readouterr().err


def test_an_index_of_ones_own_is_a_package(campaign: Path, tmp_path: Path) -> None:
    assert len((OWN / "cigarettes.py").read_text().splitlines()) < 40
    install = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    )
    subprocess.run([*install, "--target", str(tmp_path / "own"), str(OWN)], check=True, timeout=120)
    shown = subprocess.run(
        [sys.executable, "-m", "gateway", "index", str(campaign), "--index", "cigarettes", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "own")},
        check=True,
        capture_output=True,
        timeout=60,
    )
    found = json.loads(shown.stdout)["indices"]
    assert [(one["place"], one["newest"]["value"]) for one in found] == [("a", 1.0), ("b", 2.0)]
