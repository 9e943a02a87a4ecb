"""The folder of secrets: private, whole, unseen by git, silent."""

import hashlib
import stat
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from edge.problem import Problem
from firmware.toolkit import register
from firmware.toolkit.broker_files import subjects
from firmware.toolkit.proofs import by_log
from firmware.toolkit.secrets import Insecure, Secrets, tracked
from tests.credentials.conftest import Place

FILES = ("mosquitto/passwords", "mosquitto/acl", "nats/users.conf", "gateway.env")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_only_the_owner_can_read_them(place: Place) -> None:
    place.secrets.mkdir(mode=0o755)
    place.call("render")
    place.call("rotate", "3-2-a")
    place.call("revoke", "3-2-a")
    for path in (place.secrets, *place.secrets.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not list(place.secrets.rglob("*.part"))


def test_a_second_call_changes_nothing(place: Place) -> None:
    assert place.call("render")["files"] == [str(place.secrets / name) for name in FILES]
    before = {name: (place.secrets / name).read_bytes() for name in FILES}
    assert place.call("render")["files"] == []
    assert {name: (place.secrets / name).read_bytes() for name in FILES} == before


def test_the_passwords_are_hashed_as_mosquitto_hashes(place: Place) -> None:
    place.call("render")
    lines = dict(line.split(":") for line in (place.secrets / FILES[0]).read_text().split())
    _, kind, rounds, salt, digest = lines["3-2-a"].split("$")
    words = place.password("3-2-a")[1].encode()
    assert kind == "7"
    assert hashlib.pbkdf2_hmac("sha512", words, b64decode(salt), int(rounds)) == b64decode(digest)
    assert len({line.split("$")[3] for line in lines.values()}) == len(lines) == 9


def test_a_dry_run_shows_the_change_and_makes_none(place: Place) -> None:
    place.call("render")
    before = {path: path.read_bytes() for path in place.secrets.rglob("*") if path.is_file()}
    shown = place.say("rotate", "3-2-a", "--dry-run")
    assert "+user 3-2-a.2" in shown
    assert place.call("revoke", "3-2-a", "--dry-run")["diff"].count("\n-user 3-2-a\n") == 1
    assert {path: path.read_bytes() for path in place.secrets.rglob("*") if path.is_file()} == before


def test_no_secret_is_shown_unasked(place: Place) -> None:
    place.call("render")
    secrets = Secrets(place.secrets)
    (place.secrets / "nats/users.conf").unlink()
    (place.secrets / "gateway.env").unlink()
    shown = [
        place.say("render", "--dry-run"),
        place.say("show", "3-2-a"),
        place.say("show", "gateway", "--json"),
    ]
    shown += [place.say("rotate", "3-2-a", "--dry-run", "--json"), place.say("render", "--json")]
    for device in ("gateway", "3-2-a", "3-2-p"):
        for one in secrets.valid(device):
            assert not [text for text in shown if one.password in text or one.key in text]
    assert secrets.of("3-2-a").password in place.say("show", "3-2-a", "--reveal")


def test_git_must_not_see_them(place: Place) -> None:
    subprocess.run(["git", "init", "-q", place.folder], check=True)
    with pytest.raises(Insecure, match="git would track"):
        place.call("render")
    assert not place.secrets.exists()
    (place.folder / ".gitignore").write_text("/secrets/\n")
    place.call("render")
    with pytest.raises(Insecure, match="git would track"):
        place.call("rotate", "3-2-a", "--out", place.folder / "broker")
    assert Secrets(place.secrets).of("3-2-a").generation == 1
    seen = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=place.folder, capture_output=True, text=True
    )
    assert "secrets" not in seen.stdout


def test_the_project_ignores_them() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return  # a source archive
    assert not [name for name in FILES if tracked(root / "secrets" / name)]


def test_a_missing_master_is_not_made_anew_where_devices_were_flashed(place: Place) -> None:
    entry = {"kind": "node", "site": "hana", "generation": 1, "node": "3-2-a", "values": {}}
    register.enter(place.register, entry)
    with pytest.raises(Problem, match="the master secret isn't here"):
        place.call("render")
    assert not place.secrets.exists()


def test_a_flashed_device_that_is_not_adopted_yet_may_speak(place: Place) -> None:
    place.call("render")
    register.enter(place.register, {"kind": "node", "site": "hana", "node": "new-1", "generation": 1})
    place.call("render")
    assert "gongi/v1/hana/new-1/obs" in place.call("show", "new-1")["write"]
    assert "user new-1\n" in (place.secrets / "mosquitto/acl").read_text()


def test_a_client_can_not_forge_a_proof(tmp_path: Path) -> None:
    log = tmp_path / "log"
    line = "17: New client connected from 1.2.3.4:5 as {} (p2, c1, k30, u'{}').\n"
    log.write_text(line.format("x (p2, c1, k30, u'3-2-a.2').", "thief") + line.format("gongi-yard", "yard.2"))
    assert by_log(log) == {"thief", "yard.2"}


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        ("gongi/v1/#", ["gongi.v1", "gongi.v1.>"]),
        ("gongi/v1/gateway/+/status", ["gongi.v1.gateway.*.status"]),
        ("air.example/a", ["air//example.a"]),
    ],
)
def test_topics_as_subjects(topic: str, wanted: list[str]) -> None:
    assert subjects(topic) == wanted


def test_a_root_that_would_be_a_wildcard_is_refused() -> None:
    with pytest.raises(Problem, match="can't be a subject"):
        subjects("gongi/*/x")
