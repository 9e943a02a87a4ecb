"""Secrets: derived, private, never where git sees them."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.toolkit.secrets import Insecure, Secrets, derive, tracked


def test_derivation_is_that_of_rfc_5869() -> None:
    # Test case 3 of the RFC: empty salt and info.
    okm = derive(b"\x0b" * 22, "", 42)
    assert okm.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_credentials_are_the_same_each_time_and_differ_between_devices(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    one, other = secrets.of("3-2-a"), secrets.of("5-1-a")
    assert Secrets(tmp_path / "secrets").of("3-2-a") == one
    assert one.user == "3-2-a"
    assert len(one.password) == 24
    assert len(bytes.fromhex(one.key)) == 32
    assert len({one.password, other.password, one.key, other.key}) == 4


def test_a_new_generation_voids_the_old_one(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    old, other = secrets.of("3-2-a"), secrets.of("5-1-a")
    secrets.renew("3-2-a")
    new = secrets.of("3-2-a")
    assert (old.generation, new.generation) == (1, 2)
    assert new.password != old.password
    assert new.key != old.key
    assert secrets.of("3-2-a") == new
    assert secrets.of("5-1-a") == other


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    secrets.renew("3-2-a")
    assert stat.S_IMODE(secrets.folder.stat().st_mode) == 0o700
    for file in secrets.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_spoilt_master_secret_is_not_replaced(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    secrets.of("3-2-a")
    (secrets.folder / "master.key").write_text("short")
    with pytest.raises(Insecure, match="64 hex digits"):
        secrets.of("3-2-a")


def test_git_must_not_see_them(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    secrets = Secrets(tmp_path / "secrets")
    with pytest.raises(Insecure, match="git would track") as refused:
        secrets.of("3-2-a")
    assert "secrets/ to .gitignore" in refused.value.advice
    assert not secrets.folder.exists()
    (tmp_path / ".gitignore").write_text("/secrets/\n")
    assert secrets.of("3-2-a").generation == 1


def test_the_project_ignores_what_a_technician_makes() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return  # a source archive
    for name in ("secrets/master.key", "wifi.toml", "flashed.csv", "labels/3-2-a.svg"):
        assert not tracked(root / name), name
