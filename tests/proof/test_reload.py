"""Changed network files are seen: the file itself, those it includes, new ones, and nothing else."""

from pathlib import Path

import pytest

from gateway.reload import fingerprint
from tests.proof.conftest import network_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sites").mkdir()
    (tmp_path / "network.toml").write_text('include = ["sites/*.toml"]\n', "utf-8")
    (tmp_path / "sites" / "hana.toml").write_text(network_text("n1"), "utf-8")
    return tmp_path


def test_every_change_of_the_files_is_seen(folder: Path) -> None:
    path = folder / "network.toml"
    seen = [fingerprint(path)]
    for name, text in (
        ("sites/hana.toml", network_text("n1", "n2")),
        ("sites/duri.toml", ""),
        ("network.toml", 'include = ["sites/*.toml", "more.toml"]\n'),
        ("network.toml", "include = ["),
        ("network.toml", 'include = ["sites/*.toml"]\n# again\n'),
    ):
        (folder / name).write_text(text, "utf-8")
        seen.append(fingerprint(path))
    path.unlink()
    seen.append(fingerprint(path))
    assert len(set(seen)) == len(seen)


def test_what_lies_beside_them_is_not_looked_at(folder: Path) -> None:
    """The data folder may stand there, with a file for every hour."""
    before = fingerprint(folder / "network.toml")
    (folder / "data").mkdir()
    (folder / "data" / "other.toml").write_text("", "utf-8")
    (folder / "sites" / "note.txt").write_text("", "utf-8")
    assert fingerprint(folder / "network.toml") == before
