"""End the processes of a parent that is gone: `python guard.py`, then lines `+PID` and `-PID` on its input.

The parent holds the write end; when it ends, however it ends, the pipe closes and what is still named is
killed. One guard serves any number of processes, and starts in a moment: it imports nothing of ours.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Keep the list until the pipe closes, then kill what stands in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides
    alive: set[int] = set()
    for line in sys.stdin:
        change = {"+": alive.add, "-": alive.discard}[line[0]]
        change(int(line[1:]))
    for pid in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


if __name__ == "__main__":
    main()
