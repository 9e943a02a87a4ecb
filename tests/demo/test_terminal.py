"""The demonstration on a terminal: frames on the other screen, then the summary on the usual one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.conftest import GONGI

SHOWN = ("Hana", "Sup", "PM2.5 now", "in 30 min", "acknowledged", "ms lag", "forecasts: ", "ends in")
OTHER_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"


def on_a_terminal(width: int, folder: Path) -> str:
    """All that the demonstration writes on a terminal of 24 lines."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    size = ("LINES", "COLUMNS")
    environment = {name: value for name, value in os.environ.items() if name not in size}
    environment |= {"TERM": "xterm-256color", "TMPDIR": str(folder)}
    with subprocess.Popen(
        [GONGI, "demo", "--seconds", "6"], stdout=its, stderr=its, env=environment
    ) as process:
        os.close(its)
        text = b"".join(_read(ours)).decode()
    os.close(ours)
    assert process.returncode == 0, text[-2000:]
    return text


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's word for the end of a terminal
            return
        if not part:
            return
        yield part


@pytest.mark.parametrize(("width", "reasons"), [(80, False), (120, True)])
def test_frames_come_and_go_and_the_summary_stays(
    micropython: str, tmp_path: Path, width: int, reasons: bool
) -> None:
    frames, _, after = on_a_terminal(width, tmp_path).partition(BACK)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frames.partition(OTHER_SCREEN)[2])
    assert all(word in plain for word in SHOWN), plain[-3000:]
    assert ("why" in plain) is reasons
    assert "✓ Nothing lost" in after
