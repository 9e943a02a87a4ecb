"""A part that is missing skips its tests on a person's machine and fails the run in CI."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("ci", "status"), [("false", 0), ("true", 1)])
def test_a_skip_fails_in_ci_alone(ci: str, status: int) -> None:
    test = "tests/test_servers.py::test_chromium_shows_korean"
    nowhere = os.environ | {"CI": ci, "PATH": "/nowhere", "GONGI_CHROMIUM": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout
    assert "no chromium here: apt install chromium" in done.stdout
    assert ("SKIPPED IN CI" in done.stdout) is (ci == "true")
