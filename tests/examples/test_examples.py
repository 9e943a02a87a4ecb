"""The examples run as their READMEs say, on tables that they make themselves."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.decision import REASONS
from gateway.broker import free_port
from gateway.journal import Journal
from gateway.network import load

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run(example: str, folder: Path, **settings: object) -> str:
    """What the example's run.sh says, which takes its commands from the README."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {"OUT": folder, **settings}
    env = {**os.environ, "PATH": path, **{name: str(value) for name, value in given.items()}}
    done = subprocess.run(
        ["sh", str(EXAMPLES / example / "run.sh")],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("example", ["subway", "city"])
def test_a_readme_names_files_that_are_there(example: str) -> None:
    text = (EXAMPLES / example / "README.md").read_text("utf-8")
    named = set(re.findall(r"examples/[\w./-]+\w", text))
    assert {f"examples/{example}/network.toml", f"examples/{example}/run.sh"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_platform_is_looked_after_as_its_readme_says(tmp_path: Path) -> None:
    ports = {"MQTT": free_port(), "CONSOLE": free_port()}
    run("subway", tmp_path, DAYS=5, FROM=8, HOURS=2, SPEED=720, **ports)
    judged = json.loads((tmp_path / "judged.json").read_text())
    assert [one["horizon"] for one in judged["horizons"]] == ["10m", "30m", "1h"]
    assert judged["bytes"] <= 8192
    assert set(judged["against"]) == {"ridge"}
    said = [
        row["decision"]
        for block in Journal(tmp_path / "data" / "journal.sqlite").blocks(0, ("decision",))
        for row in json.loads(block.body or b"[]")
    ]
    machines = load(EXAMPLES / "subway" / "network.toml").actuators
    assert {one["actuator"] for one in said} == set(machines)
    started = [one for one in said if one["level"]]
    assert started
    assert all(one["key"] in REASONS for one in said)
    assert any("PM10" in REASONS[one["key"]] for one in started)
    with (tmp_path / "live.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ran = [row for row in rows if any(int(row[name]) for name in machines)]
    assert ran  # commands arrived, and were obeyed
    assert float(rows[-1]["pm10"]) < float(rows[-1]["recorded"])
    page = (tmp_path / "day.html").read_text("utf-8")
    assert page.count("<svg") == 2
    assert "PM10" in page


def test_the_city_is_forecast_as_its_readme_says(tmp_path: Path) -> None:
    said = run("city", tmp_path, DAYS=45)
    judged = json.loads((tmp_path / "judged.json").read_text())
    assert judged["places"] == ["jung", "mapo", "nowon"]
    assert [one["horizon"] for one in judged["horizons"]] == ["1h", "3h", "6h"]
    assert "mapo (roadside): Mapo roadside monitor" in said
    assert "spike" in (tmp_path / "quality.json").read_text()
    for name in ("model.html", "judged.html", "quality.html"):
        assert "<svg" in (tmp_path / name).read_text("utf-8")
    assert (tmp_path / "index.csv").stat().st_size > 10_000
