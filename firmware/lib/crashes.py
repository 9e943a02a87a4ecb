"""The crash log: the newest few, each with its time and the end of its trace, in one small file."""

import io
import json
import os
import sys

from micropython import const

_KEPT = const(4)
_TRACE_BYTES = const(500)


def trace(error: Exception) -> str:
    """Return the end of the exception's trace, which says where and what."""
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue().strip()[-_TRACE_BYTES:]


def read(flash: str) -> list:
    """Return the crashes kept, the oldest first: {"trace", "up" [s], "utc", "app", "times"}."""
    try:
        with open(flash + "/crashes.json") as file:
            return json.load(file)
    except (OSError, ValueError):
        return []


def note(flash: str, error: Exception, clock: object | None, app: str) -> None:
    """Keep a crash; one like the last is counted with it."""
    crashes = read(flash)
    up, utc = (clock.up(), clock.utc()) if clock else (0, None)
    crash = {"trace": trace(error), "up": up, "utc": utc, "app": app, "times": 1}
    if crashes and crashes[-1]["trace"] == crash["trace"]:
        crash["times"] += crashes.pop()["times"]
    with open(flash + "/crashes.new", "w") as file:
        json.dump((crashes + [crash])[-_KEPT:], file)
    os.rename(flash + "/crashes.new", flash + "/crashes.json")


def last(flash: str) -> str | None:
    """Return where and why the last crash was, for `info`."""
    crashes = read(flash)
    return crashes[-1]["trace"][-150:] if crashes else None
