"""The command line as a person meets it."""

import json
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
import pytest

from edge.problem import Problem
from edge.wire import Letter
from gateway import command
from gateway.journal import Journal

GONGI = Path(sysconfig.get_path("scripts")) / "gongi"


def gongi(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([GONGI, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_version() -> None:
    assert gongi("--version").stdout.startswith("gongi, version ")


def test_help_names_every_command() -> None:
    shown = gongi("--help")
    assert shown.returncode == 0, shown.stderr
    assert all(f"\n  {name} " in shown.stdout for name in command.COMMANDS)


def test_an_unknown_command_is_a_usage_error() -> None:
    refused = gongi("chekc")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "No such command 'chekc'" in refused.stderr


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_has_examples_and_json(name: str) -> None:
    shown = gongi(name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Example" in shown.stdout
    assert f"gongi {name}" in shown.stdout.split("Example", 1)[1]
    assert "--json" in shown.stdout


def test_calling_for_the_version_imports_no_command() -> None:
    program = (
        "import sys, gateway.command; print([m for m in sys.modules if m.startswith('gateway.command.')])"
    )
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (
            Problem("no such room", "network.toml:3", "say 1-2"),
            1,
            "gongi: network.toml:3: no such room\n  say 1-2",
        ),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 1, "x.csv"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_shown_without_a_traceback(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setitem(command.COMMANDS, "fail", f"{__name__}:fail")
    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    with pytest.raises(SystemExit) as end:
        command.main(["fail"])
    shown = capsys.readouterr()
    assert end.value.code == status
    assert words in shown.err
    assert "Traceback" not in shown.err


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(command.COMMANDS, "fail", "gateway.command:nothing")
    with pytest.raises(AttributeError):
        command.main(["fail"])


@pytest.fixture
def school(tmp_path: Path) -> Path:
    """An empty network file."""
    path = tmp_path / "network.toml"
    path.touch()
    return path


@pytest.mark.parametrize("found", ["here", "here:", ":80", "here:x", "here:65536"])
@pytest.mark.parametrize("option", ["--mqtt", "--console"])
def test_a_wrong_address_is_a_usage_error_before_anything_runs(school: Path, option: str, found: str) -> None:
    data = school.parent / "data"
    refused = gongi("serve", str(school), "--data", str(data), option, found)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"Invalid value for '{option}': '{found}' is not HOST:PORT" in refused.stderr
    assert not data.exists()


def test_a_taken_port_ends_the_gateway_with_its_word(school: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        data = str(school.parent / "data")
        refused = gongi(
            "serve", str(school), "--data", data, "--mqtt", "127.0.0.1:1", "--console", f"127.0.0.1:{port}"
        )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"the console can't listen on 127.0.0.1:{port}: Address already in use" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "\x1b" not in refused.stderr, "colours belong on a terminal"


@pytest.mark.parametrize("name", ["serve", "ledger"])
def test_a_foreign_journal_is_named(school: Path, name: str) -> None:
    (school.parent / "journal.sqlite").write_text("not a database, but long enough to be looked at" * 99)
    files = [str(school)] if name == "serve" else []
    refused = gongi(name, *files, "--data", str(school.parent))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "journal.sqlite: the journal can't be opened: file is not a database" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_ledger_shows_what_was_refused_and_why(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    letters = [
        Letter("gongi/v1/a/b/obs", "{공\x1b[2J".encode() + b"\xff", "not JSON"),
        Letter("x", b"", "why"),
    ]
    journal.commit(1_763_778_000_000_000_000, [], letters)
    journal.close()
    told = gongi("ledger", "--data", str(tmp_path), "--refused", "5")
    assert told.stdout.endswith("2025-11-22T02:20:00Z  gongi/v1/a/b/obs  not JSON  {공\\x1b[2J\\xff\n"), told
    asked = json.loads(gongi("ledger", "--data", str(tmp_path), "--refused", "1", "--json").stdout)
    assert [one["reason"] for one in asked["letters"]] == ["why"]
    assert asked["rejects"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,pm25\n", "table.csv: the table has no rows"),
        ("time,pm25\n2026-01-01T00:00:00Z,abc\n", "no column with numbers of a quantity; columns: pm25"),
        ("time,foo\n2026-01-01T00:00:00Z,1\n", "no column with numbers of a quantity; columns: foo"),
    ],
)
def test_a_table_with_nothing_to_replay_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    refused = gongi("replay", str(tmp_path / "table.csv"), "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
